"""What a look at a provider finds, in words."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from hub.plugin import Context, Finding


def credentials(provider: str, status: int, advice: str) -> Finding:
    """What an answer of this HTTP status says of the credentials."""
    if 200 <= status < 300:
        return Finding(about="credentials", detail=f"{provider} takes them")
    if status in {401, 403}:
        words = f"{provider} refuses them (HTTP {status})"
        return Finding(about="credentials", state="wrong", detail=words, advice=advice)
    words = f"{provider} answered HTTP {status}"
    return Finding(about="credentials", state="unknown", detail=words)


def webhook(ctx: Context, about: str, registered: Iterable[object]) -> Finding:
    """Whether the channel's address is among those that the provider posts to; what stands before
    its host (a password) and behind its path (a token) is nobody's business here."""
    wanted = ctx.public_url()
    found = [_bare(each) for each in registered if isinstance(each, str) and each]
    if _bare(wanted) in found:
        return Finding(about=about, detail="it is the channel's address")
    there = f"it is {', '.join(found[:3])}" if found else "there is none"
    return Finding(about=about, state="wrong", detail=there[:200], advice=f"Set it to {wanted}")


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{_port(parts.port)}{parts.path.rstrip('/')}"


def _port(port: int | None) -> str:
    return f":{port}" if port not in {None, 80, 443} else ""
