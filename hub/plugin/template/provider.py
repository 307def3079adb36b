"""A stand-in for Carrier Pigeon, until you have an account there.

    python provider.py                take what the hub sends, and print it
    python provider.py zoe "Hello"    have zoe write to the hub, signed as the provider signs

The shared key is read from carrier-pigeon.key in the folder where this is run.
"""

import hashlib
import hmac
import json
import sys
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

HUB = "http://127.0.0.1:8000/hooks/main/carrier-pigeon"
PORT = 9000
KEY = Path("carrier-pigeon.key")


class Taking(BaseHTTPRequestHandler):
    """Takes messages, prints them, and answers with an id."""

    def do_POST(self) -> None:
        """A message of the hub's."""
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(f"to {message['to']}: {message['text']}", flush=True)
        answer = json.dumps({"id": f"out-{message['key']}"}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing but the messages."""


def write(sender: str, text: str) -> None:
    """Post a signed message to the hub."""
    told = {"id": uuid.uuid4().hex, "from": sender, "text": text}
    body = json.dumps(told).encode()
    signature = hmac.new(KEY.read_text().strip().encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Carrier-Pigeon-Signature": signature}
    with urllib.request.urlopen(urllib.request.Request(HUB, body, headers)) as answer:
        print(f"the hub answered {answer.status}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        write(sys.argv[1], sys.argv[2])
    else:
        HTTPServer(("127.0.0.1", PORT), Taking).serve_forever()
