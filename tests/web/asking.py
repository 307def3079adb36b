"""Every operation that the API document names, as requests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from msgspec import Struct

DOCUMENT = json.loads((Path(__file__).parents[2] / "webui" / "openapi.json").read_bytes())
PUBLIC = {
    ("get", "/api/v1/session/ways"),
    *(
        ("post", f"/api/v1/{path}")
        for path in (
            "session",
            "session/second",
            "session/passkey",
            "session/passkey/use",
            "session/second/passkey",
            "session/second/passkey/use",
            "invitations/look",
            "invitations/accept",
            "password-resets",
            "password-resets/look",
            "password-resets/use",
        )
    ),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
}


class Operation(Struct, frozen=True):
    """One method of one path."""

    method: str
    path: str
    body: str | None

    def ask(self, http: httpx2.Client, *, org: str = "main", **options: Any) -> httpx2.Response:
        """The request, with ids that name nothing."""
        path = re.sub(r"\{(\w+)\}", lambda name: org if name[1] == "org" else "42", self.path)
        if self.path.endswith("/changes"):
            options["params"] = {"since": "0"}
        if self.body == "application/json":
            options["json"] = {}
        elif self.body is not None:
            options["files"] = {"file": ("a.txt", b"hello")}
        return http.request(self.method.upper(), path, **options)


def operations() -> Iterator[Operation]:
    """All of them."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            yield Operation(method, path, next(iter(content), None))


def check_problem(answer: httpx2.Response, status: int) -> dict[str, Any]:
    """The answer is a problem as RFC 9457 has it, and tells nothing of the program."""
    assert answer.status_code == status, (answer.request.method, answer.request.url, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    for error in problem.get("errors") or []:
        assert set(error) == {"field", "message"}
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text
    return problem
