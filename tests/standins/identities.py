"""A provider of identities that signs whatever a test has it say: what a real one never would."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

Claims = dict[str, Any]


def new_key() -> RSAPrivateKey:
    """A key to sign with."""
    return generate_private_key(65537, 2048)


class Identities:
    """``keys``: what it publishes, by their ids. ``says``: makes an identity of right claims."""

    def __init__(self) -> None:
        self.keys = {"one": new_key()}
        self.says: Callable[[Claims], str] = self.sign
        self.nonce = ""
        self.asked: list[str] = []
        identities = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                identities.asked.append(self.path)
                name, _, rest = self.path.lstrip("/").partition("/.well-known/")
                if rest:
                    self.answer(identities.metadata(name))
                else:
                    self.answer(identities.key_set())

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                token = identities.says(identities.claims())
                self.answer({"access_token": "a", "token_type": "Bearer", "id_token": token})

            def answer(self, body: Any) -> None:
                content = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        self.issuer = f"{self.base}/company"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def metadata(self, name: str) -> Any:
        """Whatever name it is asked by, it is the one issuer."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.base}/{name}/authorize",
            "token_endpoint": f"{self.base}/token",
            "jwks_uri": f"{self.base}/jwks",
        }

    def key_set(self) -> Any:
        """The public halves."""
        return {
            "keys": [
                RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
                | {"kid": kid, "use": "sig", "alg": "RS256"}
                for kid, key in self.keys.items()
            ]
        }

    def claims(self) -> Claims:
        """What is right to say."""
        now = int(time.time())
        return {
            "iss": self.issuer,
            "aud": "hub",
            "sub": "1",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "email": "nia@example.com",
            "email_verified": True,
            "name": "Nia Provided",
        }

    def sign(self, claims: Claims, kid: str = "one", **header: Any) -> str:
        """As it should be."""
        return jwt.encode(claims, self.keys[kid], "RS256", headers={"kid": kid, **header})
