"""The smallest server that keeps what engines rely on: probes, drain, one resource, one call."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

NAME = Path.cwd().name
STATE = {"ready": True, "busy": 0}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        path = self.path.removeprefix(f"/v1/{NAME}")
        if path == "/readyz":
            return self.answer(200 if STATE["ready"] else 503, {})
        if path == "/slow":  # longer than the drain
            time.sleep(2)
        if path.startswith("/call/"):
            return self.answer(200, called(path.removeprefix("/call/")))
        return self.answer(200, {"service": NAME, "pid": os.getpid(), "build": BUILD})

    def answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


def called(name: str) -> object:
    with urllib.request.urlopen(os.environ[f"{name.upper()}_URL"] + f"/v1/{name}") as answer:
        return json.load(answer)


def drain(*_: object) -> None:
    STATE["ready"] = False
    threading.Timer(float(os.environ.get("DRAIN_SECONDS", "1")), os._exit, (0,)).start()


def main() -> None:
    if Path("stuck").exists():
        print("I shall never be ready", flush=True)
        time.sleep(1000)
    if Path("broken").exists():
        sys.exit("DATABASE_URL: missing")
    if Path("parent").exists():
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
    signal.signal(signal.SIGTERM, drain)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
    print(f"{NAME} listens", flush=True)
    server.serve_forever()


BUILD = Path("build.txt").read_text().strip() if Path("build.txt").exists() else "1"
main()
