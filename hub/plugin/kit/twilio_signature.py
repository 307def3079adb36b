"""What Twilio signs, byte for byte.

Source: ``twilio.request_validator`` of the package ``twilio`` 9.13.0, which the tests compare
with; the apostrophe is twilio-node's, the two fields added after signing are reported by users.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

AUTH_TOKEN = "HMAC_SHA1"  # noqa: S105  # the name of a scheme
SHARED_KEY = "HMAC_SHA256"
HASHES = {AUTH_TOKEN: "sha1", SHARED_KEY: "sha256"}

ADDED_AFTER_SIGNING = frozenset({"CallToken", "StirVerstat"})
"""Reported to be missing from what is signed; another published vector has ``StirVerstat`` in it.
Both ways are tried, all fields first."""

Fields = Sequence[tuple[str, str]]


def read_settings(header: str) -> tuple[str, str]:
    """Key id and algorithm of ``X-Twilio-Webhooks-Signature-Settings``, as in
    ``key=webhooks_sharedkey_1,algorithm=HMAC_SHA256``. No header, or none named in it: the auth
    token and SHA-1."""
    settings: dict[str, str] = {}
    for part in header.split(","):
        name, _, value = part.partition("=")
        if value.strip():
            settings.setdefault(name.strip(), value.strip())
    return settings.get("key", ""), settings.get("algorithm", AUTH_TOKEN).upper()


def body_matches(url: str, body: bytes, *, form: bool) -> bool:
    """For posts that are no form Twilio signs the URL alone and appends ``bodySHA256=<hex>`` to
    it. Where that is there, it counts for an empty form too, so that nobody passes a signed post
    on without its body."""
    try:
        claimed = parse_qs(urlsplit(url).query).get("bodySHA256", [])
    except ValueError:
        return False
    if not claimed:
        return form
    actual = hashlib.sha256(body).hexdigest().encode()
    return len(claimed) == 1 and hmac.compare_digest(
        actual, claimed[0].encode("utf-8", "surrogatepass")
    )


def candidates(url: str, form: Fields) -> Iterator[tuple[str, bytes]]:
    """What may have been signed, likeliest first, each with a word on what is unusual."""
    tails = [("", _tail(form))]
    if any(name in ADDED_AFTER_SIGNING for name, _ in form):
        rest = [field for field in form if field[0] not in ADDED_AFTER_SIGNING]
        tails.append(("without CallToken and StirVerstat", _tail(rest)))
    for how, tail in tails:
        for variant in _urls(url):
            yield how, variant + tail


def _tail(form: Fields) -> bytes:
    """Names and values with nothing between, names by code point; of a repeated name the
    distinct values in order."""
    return "".join(f"{name}{value}" for name, value in sorted(set(form))).encode()


@lru_cache(maxsize=64)  # a channel's is nearly always the same
def _urls(url: str) -> tuple[bytes, ...]:
    """The URL without its fragment, with and without the port (Twilio's own signing is
    inconsistent there), and with the apostrophes of its query as ``%27``."""
    whole = url.partition("#")[0]
    scheme, _, rest = whole.partition("://")
    end = next((index for index, char in enumerate(rest) if char in "/?"), len(rest))
    authority, path = rest[:end], rest[end:]
    name, _, port = authority.rpartition(":")
    with_port = f"{authority}:{443 if scheme == 'https' else 80}"
    other = name if name and port.isdigit() else with_port
    urls = [f"{scheme}://{each}{path}" for each in (authority, other)]
    urls += [each.replace("'", "%27") for each in urls if "'" in each]
    return tuple(each.encode("utf-8", "surrogatepass") for each in urls)
