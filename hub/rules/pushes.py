"""What is told to browsers in which no page of the hub is open: where they may be reached, how
often they are told of the same, and for how long it is tried."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from hub.plugin.kit.addresses import is_public
from hub.rules.states import Refusal

APART: Final = 30_000
"""Milliseconds between two pushes of the same conversation to a browser: what comes meanwhile is
told then, the last of it."""
GIVE_UP: Final = 15 * 60_000
"""Milliseconds after which nobody is told any more of what could not be handed over."""
TTL: Final = 3_600
"""Seconds for which the browser's push service keeps it for a device that is not there."""
KEPT: Final = 24 * 3_600_000
"""Milliseconds after which it is forgotten what was told."""
MOST_DEVICES: Final = 20
"""Browsers that one person is told in."""
LONGEST_ENDPOINT: Final = 2_000
_POINT, _SECRET = 65, 16
"""Bytes of a public key, uncompressed, and of the secret beside it."""


class Subscription(Struct, frozen=True, kw_only=True):
    """Where a browser is told, and the keys that only it reads with: ``p256dh`` a public key on the
    curve P-256, ``auth`` a secret, both in base64url."""

    endpoint: str
    p256dh: str
    auth: str


def check(given: Subscription) -> None:
    """Raises ``Refusal`` for what no browser's push service gives out."""
    if problem := _problem_of(given.endpoint):
        raise _refused("endpoint", problem)
    for field, length in (("p256dh", _POINT), ("auth", _SECRET)):
        try:
            found = len(decoded(getattr(given, field)))
        except ValueError:
            raise _refused(field, "This is not base64url.") from None
        if found != length:
            raise _refused(field, f"This has {found} bytes; it has to have {length}.")
    if decoded(given.p256dh)[0] != 4:
        raise _refused("p256dh", "This is not an uncompressed point.")


def _problem_of(endpoint: str) -> str | None:
    if len(endpoint) > LONGEST_ENDPOINT:
        return f"This is longer than {LONGEST_ENDPOINT:,} characters."
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "This is no address."
    if not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        return "This is no address."
    if parts.scheme != "https" or not host:
        return "This has to begin with https:// and name a host."
    if parts.username is not None or parts.fragment:
        return "This may have neither a name to sign in with nor a fragment."
    by_number = ":" in host or host.replace(".", "").isdigit()
    if host == "localhost" or host.endswith(".localhost") or (by_number and not is_public(host)):
        return "This is not on the public internet."
    return None


def _refused(field: str, problem: str) -> Refusal:
    detail = "This browser cannot be told: what it gave is no subscription."
    return Refusal("bad_subscription", detail, fields={field: problem})


def key_of(endpoint: str) -> str:
    """What a browser is known by. It tells nothing of the address, which lets others tell it."""
    return hashlib.sha256(endpoint.encode()).hexdigest()


def topic(organisation_id: int, about: str) -> str:
    """By what the push service puts something in place of what it still holds of the same: at most
    32 characters, of which it learns nothing."""
    return encoded(hashlib.sha256(f"{organisation_id} {about}".encode()).digest()[:24])


def due_at(now: int, tried_at: int | None, waits_until: int | None) -> int:
    """When something may be told of what was last told at ``tried_at``, or waits already."""
    return max(now, 0 if tried_at is None else tried_at + APART, waits_until or 0)


def retry_after(header: str | None, now: int) -> int | None:
    """Milliseconds that a service asks to wait for, as seconds or as a date; ``None``: nothing that
    can be read."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:10]) * 1000, GIVE_UP * 2)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0, int(at.timestamp() * 1000) - now)


def encoded(data: bytes) -> str:
    """In base64url, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The other way. Raises ``ValueError``."""
    text = text.rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
