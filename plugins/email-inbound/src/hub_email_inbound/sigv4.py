"""Signature version 4 of AWS: how a request to Amazon proves whose it is."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote, urlsplit

from hub.plugin import Secret

ALGORITHM = "AWS4-HMAC-SHA256"


def signed(  # noqa: PLR0913 — all of it is signed
    method: str,
    url: str,
    *,
    service: str,
    region: str,
    key_id: str,
    secret: Secret,
    now: datetime,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The headers of a request, ``headers`` and those that prove it. ``url`` has no query, and its
    path is written as it is to go out."""
    parts = urlsplit(url)
    digest = hashlib.sha256(body).hexdigest()
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    told = {name.lower(): value.strip() for name, value in (headers or {}).items()}
    told |= {"host": parts.netloc, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    names = sorted(told)
    # Every service but S3 wants the path encoded once more than it goes out.
    path = parts.path or "/"
    path = path if service == "s3" else quote(path, safe="/~")
    lines = [f"{name}:{told[name]}\n" for name in names]
    asked = "\n".join([method, path, "", "".join(lines), ";".join(names), digest])
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    words = "\n".join([ALGORITHM, stamp, scope, hashlib.sha256(asked.encode()).hexdigest()])
    key = f"AWS4{secret.reveal()}".encode()
    for each in (stamp[:8], region, service, "aws4_request"):
        key = hmac.digest(key, each.encode(), "sha256")
    signature = hmac.digest(key, words.encode(), "sha256").hex()
    proof = f"Credential={key_id}/{scope},SignedHeaders={';'.join(names)},Signature={signature}"
    sent = {name: value for name, value in told.items() if name != "host"}
    return {**sent, "authorization": f"{ALGORITHM} {proof}"}
