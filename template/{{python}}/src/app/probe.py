"""What the image's health check runs: exit code 0 while the service is ready."""

import os
import sys
from http.client import HTTPConnection

connection = HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or 8080), timeout=2)
connection.request("GET", "/readyz")
sys.exit(connection.getresponse().status != 200)
