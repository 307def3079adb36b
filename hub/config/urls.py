"""URLs as operators write them, and as the hub uses them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, urlsplit

_POSTGRESQL = {"postgresql", "postgres", "postgresql+asyncpg"}


def database_url(given: str, folder: Path) -> str:
    """``sqlite:///absolute/path`` or ``postgresql+asyncpg://…``.

    A relative path of SQLite is taken from ``folder``. Raises ``ValueError`` saying what is wrong.
    """
    scheme, separator, rest = given.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest not in ("/", "/:memory:"):
        return f"sqlite:///{(folder / rest[1:]).absolute()}"
    if scheme in _POSTGRESQL and separator:
        parts = _split(f"postgresql://{rest}")
        if parts.path.strip("/"):
            # libpq, and everybody who hands out such URLs, says sslmode; asyncpg says ssl.
            query = "&".join(
                "ssl=" + pair.removeprefix("sslmode=") if pair.startswith("sslmode=") else pair
                for pair in parts.query.split("&")
            )
            address = f"postgresql+asyncpg://{parts.netloc}{parts.path}"
            return f"{address}?{query}" if query else address
        raise ValueError("names no database: postgresql://user:password@host/database")
    raise ValueError(
        "expected sqlite:///path/to/hub.db or postgresql://user:password@host/database"
    )


def redis_url(given: str) -> str:
    """A Redis URL as it was given. Raises ``ValueError`` saying what is wrong."""
    parts = _split(given)
    if parts.scheme == "unix" and parts.path:
        return given
    if parts.scheme in ("redis", "rediss") and parts.hostname:
        return given
    raise ValueError("expected redis://host:6379/0, rediss://… or unix:///path/to/socket")


def public_url(given: str) -> str:
    """Scheme, host and port alone. Raises ``ValueError`` saying what is wrong."""
    parts = _split(given)
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in ("http", "https") or not parts.hostname or extra:
        raise ValueError("expected https:// and a host, as in https://hub.example.com")
    return f"{parts.scheme}://{parts.netloc}"


def local_url(host: str, port: int) -> str:
    """How a browser on the same machine reaches a server that listens on ``host``."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared with, not listened on
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _split(given: str) -> SplitResult:
    try:
        parts = urlsplit(given)
        _ = parts.port  # looked at only when it is asked for
    except ValueError:
        # The library's message shows the text, which may be the password.
        rule = "a password's special characters are written as %2F, %3A and the like"
        raise ValueError(f"cannot be read as a URL; {rule}") from None
    return parts
