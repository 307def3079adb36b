"""What Amazon SNS signs, and where its certificates lie.

Source: "Verifying the signatures of Amazon SNS messages" in the SNS developer guide.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from msgspec import Struct

from hub.plugin.errors import Unverified

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SUBSCRIPTION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
FIELDS = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _SUBSCRIPTION,
    "UnsubscribeConfirmation": _SUBSCRIPTION,
}
"""What is signed of each type of message, in order; ``Subject`` only where there is one."""
HASHES: dict[str, Literal["sha1", "sha256"]] = {"1": "sha1", "2": "sha256"}
_HOST = re.compile(r"sns\.[a-z0-9-]{3,30}\.amazonaws\.com(\.cn)?")
_PATH = re.compile(r"/SimpleNotificationService-[0-9A-Za-z]{1,64}\.pem")


class Message(Struct, frozen=True, kw_only=True):
    """A message that claims to be of SNS. ``at``: when it was published, seconds since 1970."""

    topic: str
    version: str
    signature: str
    certificate: str
    signed: bytes
    hash: Literal["sha1", "sha256"]
    at: float


def read(body: bytes) -> Message:
    """A delivery's body as such. Raises ``Unverified`` for anything else."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unverified("it is no message of SNS") from error
    if not isinstance(found, dict):
        raise Unverified("it is no message of SNS")
    told = cast("dict[str, Any]", found)
    version = _text(told, "SignatureVersion")
    if version not in HASHES:
        raise Unverified("SignatureVersion is unknown")
    certificate = _text(told, "SigningCertURL")
    if not is_amazons(certificate):
        raise Unverified("SigningCertURL is not Amazon's")
    return Message(
        topic=_text(told, "TopicArn"),
        version=version,
        signature=_text(told, "Signature"),
        certificate=certificate,
        signed=signed(told),
        hash=HASHES[version],
        at=_time(_text(told, "Timestamp")),
    )


def signed(told: dict[str, Any]) -> bytes:
    """What is signed of a message: names and values, each on a line of its own."""
    fields = FIELDS.get(_text(told, "Type"))
    if fields is None:
        raise Unverified("Type is unknown")
    named = [name for name in fields if name != "Subject" or told.get(name) is not None]
    return "".join(f"{name}\n{_text(told, name)}\n" for name in named).encode(
        "utf-8", "surrogatepass"
    )


def is_amazons(url: str) -> bool:
    """Whether a certificate may be fetched there: by HTTPS, from a host of SNS, under the names it
    gives them."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and bool(_HOST.fullmatch(parts.netloc))
        and bool(_PATH.fullmatch(parts.path))
        and parts.geturl() == url  # nothing that was passed over in reading it
        and not (parts.query or parts.fragment)
    )


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str):
        raise Unverified(f"{name} is missing")
    return value


def _time(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unverified("Timestamp is no time") from error
    if at.tzinfo is None:
        raise Unverified("Timestamp has no zone")
    return at.timestamp()
