"""Addresses of people: as they are typed, as they stand in headers, and the one way to write them.

The whole address is in lower case. A domain is written in ASCII (RFC 5890), and shown as people
read it.
"""

from __future__ import annotations

import re
from email.utils import getaddresses
from functools import lru_cache

import idna

from hub.plugin import Address, BadAddress
from hub_email.words import decoded

SCHEME = "email"
LONGEST = 254
"""Characters of an address in a path of SMTP (RFC 5321, 4.5.3.1.3, less the brackets)."""
LONGEST_HEADER = 20_000
LONGEST_LOCAL = 64
PLAIN = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]+")
LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_TOKEN = "+c_"  # noqa: S105 — it stands in an address, and is no secret


def of(text: str) -> Address | None:
    """The address that ``text`` is, and nothing else; ``None``: it is none."""
    local, at, domain = text.strip().rpartition("@")
    if not at or not PLAIN.fullmatch(local) or len(local) > LONGEST_LOCAL:
        return None
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return None
    ascii_domain = _ascii(domain.strip().rstrip("."))
    if ascii_domain is None:
        return None
    value = f"{local.lower()}@{ascii_domain}"
    if len(value) > LONGEST:
        return None
    shown = f"{local.lower()}@{_readable(ascii_domain)}"
    return Address(scheme=SCHEME, value=value, display=shown if shown != value else None)


def typed(text: str) -> Address:
    """What a person typed: also ``Zoe Winter <zoe@example.com>`` and ``mailto:``. Raises
    ``BadAddress``."""
    wanted = text.strip()
    if wanted.lower().startswith("mailto:"):
        wanted = wanted[len("mailto:") :].partition("?")[0]
    if wanted.endswith(">") and wanted.count("<") == 1:
        wanted = wanted.partition("<")[2][:-1]
    found = of(wanted) if len(wanted) <= 2 * LONGEST else None
    if found is None:
        raise BadAddress("this is no email address")
    return found


# Who a mail came to, and who else it went to, are read of the same headers.
@lru_cache(maxsize=32)
def in_header(raw: str) -> tuple[tuple[str, Address], ...]:
    """Names and addresses of a header, in order; what is no address is passed over."""
    try:
        pairs = getaddresses([raw[:LONGEST_HEADER]])
    except Exception:  # noqa: BLE001 — the standard parser trips over what it does not know
        pairs = [("", each) for each in re.findall(r"[^\s<>,;\"]{1,64}@[^\s<>,;\"]{1,255}", raw)]
    found = [(decoded(name).strip(), of(address)) for name, address in pairs]
    kept = [(name, address) for name, address in found if address is not None]
    if kept:
        return tuple(kept)
    # A header that follows no grammar may still name somebody.
    loose = re.search(r"[^\s<>,;\"()]{1,64}@[^\s<>,;\"()]{1,255}", raw[:LONGEST_HEADER])
    address = of(loose[0]) if loose else None
    return (("", address),) if address is not None else ()


def without_tag(value: str) -> str:
    """``help+c_1@example.com`` as ``help@example.com``."""
    local, _, domain = value.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def tagged(value: str, name: str) -> str:
    """The address at which the answer to the transmission called ``name`` is asked for."""
    local, _, domain = value.rpartition("@")
    return f"{local}{_TOKEN}{name}@{domain}"


def token(value: str) -> str | None:
    """The name of the transmission that a tagged address has."""
    local, _, _ = value.rpartition("@")
    _, sign, name = local.partition(_TOKEN)
    return name if sign and name else None


def _ascii(domain: str) -> str | None:
    lowered = domain.lower()
    if not lowered.isascii():
        try:
            lowered = idna.encode(lowered, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    labels = lowered.split(".")
    fits = len(lowered) <= 253 and all(LABEL.fullmatch(label) for label in labels)
    return lowered if fits else None


def _readable(domain: str) -> str:
    if "xn--" not in domain:
        return domain
    try:
        return idna.decode(domain)
    except (idna.IDNAError, UnicodeError):
        return domain
