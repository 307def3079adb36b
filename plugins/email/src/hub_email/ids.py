"""Message-IDs (RFC 5322, 3.6.4): of what comes in, and ours, which are made of the transmission.

They are kept with their brackets, as they stand in the headers. Ours cannot be guessed: who names
one in an answer has been sent it.
"""

from __future__ import annotations

import hashlib
import hmac
import re

MARK = ".hub@"
ID = re.compile(r"<[^<>\s\x00-\x1f\x7f]{1,400}>")
BARE = re.compile(r"[^<>\s,;\x00-\x1f\x7f]{1,400}@[^<>\s,;\x00-\x1f\x7f]{1,250}")
OURS = re.compile(r"<([A-Za-z0-9_-]{1,64})\.[0-9a-f]{16}\.hub@[^<>\s]+>")
DIGEST = ".digest@localhost>"
LOOKED_AT = 50_000


def name_of(transmission: str, key: bytes) -> str:
    """A transmission's name as it stands in addresses and Message-IDs; only who has ``key`` can
    make it."""
    safe = transmission
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", transmission):
        safe = hashlib.sha256(transmission.encode("utf-8", "replace")).hexdigest()[:40]
    proof = hmac.new(key, f"name\n{safe}".encode(), hashlib.sha256).hexdigest()[:16]
    return f"{safe}.{proof}"


def ours(name: str, address: str) -> str:
    """The Message-ID of the transmission called ``name``, from ``address``: the same on every
    attempt."""
    return f"<{name}{MARK}{address.rpartition('@')[2]}>"


def transmission(message_id: str) -> str | None:
    """The transmission that one of ours names."""
    found = OURS.fullmatch(message_id)
    return found[1] if found else None


def all_in(value: str) -> list[str]:
    """The ids in a header, in order. Some write them without brackets."""
    text = value[-LOOKED_AT:]
    found = ID.findall(text)
    return found or [f"<{each}>" for each in BARE.findall(text)]


def is_real(message_id: str) -> bool:
    """Whether others know it, too: not one that was made up for a mail without."""
    return not message_id.endswith(DIGEST)


def of_mail(value: str, body: bytes) -> str:
    """The id of a mail by its header ``Message-ID``. One that has none is named by what it is:
    every byte of it, the times of its way included."""
    found = all_in(value)
    return found[0] if found else f"<{hashlib.sha256(body).hexdigest()}{DIGEST}"
