"""A provider that takes every message at once, and remembers them in the order they came.

``python -m bench.floors.provider PORT``. ``GET /taken`` answers with recipient, text and time (ms)
of each.
"""

from __future__ import annotations

import itertools
import sys
import time
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs

import msgspec
import uvicorn

from bench.webhooks import ACCOUNT, NUMBER

Taken = tuple[str, str, float]
_encode = msgspec.json.Encoder().encode


def provider() -> Any:
    """The ASGI application."""
    taken: list[Taken] = []
    numbers = itertools.count(1)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        status, answer = 200, _encode(taken)
        if scope["method"] == "POST":
            form = parse_qs((await receive())["body"].decode())
            to, text = form["To"][0], form["Body"][0]
            taken.append((to, text, time.time() * 1000))
            status, answer = 201, _encode(_message(f"SM{next(numbers):032x}", to, text))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(answer)),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return application


def _message(sid: str, to: str, text: str) -> dict[str, Any]:
    now = formatdate(usegmt=True)
    return {
        "sid": sid,
        "account_sid": ACCOUNT,
        "status": "queued",
        "direction": "outbound-api",
        "to": to,
        "from": NUMBER,
        "body": text,
        "num_media": "0",
        "num_segments": "1",
        "error_code": None,
        "error_message": None,
        "date_created": now,
        "date_updated": now,
        "date_sent": None,
        "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json",
    }


if __name__ == "__main__":
    uvicorn.run(
        provider(), port=int(sys.argv[1]), http="httptools", lifespan="off", log_level="warning"
    )
