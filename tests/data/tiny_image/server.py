"""The smallest server that keeps what the Docker engine relies on: probe, drain, one migration."""

import http.server
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path

NAME, BUILD = os.environ["NAME"], Path("build.txt").read_text().strip()
STATE = {"ready": True}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        ready = STATE["ready"] or self.path != "/readyz"
        text = json.dumps({"build": BUILD, "replica": socket.gethostname()}).encode()
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


def drain(*_: object) -> None:
    STATE["ready"] = False
    threading.Timer(float(os.environ["DRAIN_SECONDS"]), os._exit, (0,)).start()


if BUILD == "broken":
    sys.exit("DATABASE_URL: missing")
if sys.argv[1:] == ["migrate"]:
    sys.exit("relation does not exist" if BUILD == "unmigratable" else 0)
signal.signal(signal.SIGTERM, drain)
print(f"{NAME} {BUILD} listens", flush=True)
Server(("", 8080), Handler).serve_forever()
