"""``[hub]``: what concerns the process, from the command line, the environment and the file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, cast

from msgspec import Meta, Struct

from hub.config import urls
from hub.config.convert import salvage
from hub.config.document import Document
from hub.config.errors import ConfigError, Keys
from hub.config.model import HubSection
from hub.config.references import Referenced, References, replace_references
from hub.plugin.settings import Secret

OVERRIDES = {
    "database": "HUB_DATABASE_URL",
    "redis": "HUB_REDIS_URL",
    "public_url": "HUB_PUBLIC_URL",
    "data": "HUB_DATA",
    "port": "HUB_PORT",
}
"""Keys of ``[hub]`` that the environment may set, above what the file says."""

SECRET_KEY_LENGTH = 32


class _Table(Struct, frozen=True):
    database: str | None = None
    redis: str | None = None
    public_url: str | None = None
    data: str = "data"
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    secret_key: Secret | None = None
    accepted_secret_keys: tuple[Secret, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    requests_a_minute: Annotated[int, Meta(ge=0, le=10_000_000)] = 6000


def hub_section(document: Document, host: str | None, port: int | None) -> HubSection:
    """The section, with ``host`` and ``port`` above the environment, and that above the file."""
    overrides = {key: name for key, name in OVERRIDES.items() if document.environ.get(name)}
    origin = document.origin("[hub]", "hub")

    def report(keys: Keys, message: str) -> None:
        if keys and keys[0] in overrides:
            name = overrides[str(keys[0])]
            document.errors.append(ConfigError(path="environment", key=name, message=message))
        else:
            document.errors.append(origin.error(keys, message))

    def checked(key: str, check: Callable[[str], str], value: str | None) -> str | None:
        try:
            return None if value is None else check(value)
        except ValueError as error:
            report((key,), str(error))
            return None

    table = _raw_table(document, overrides, report)
    found = salvage(_Table, table, report) or _Table()

    # What the environment says is relative to where the hub was started, not to the file.
    folders = {key: Path.cwd() if key in overrides else document.folder for key in OVERRIDES}
    data = (folders["data"] / Path(found.data).expanduser()).absolute()
    database = checked(
        "database", partial(urls.database_url, folder=folders["database"]), found.database
    )
    public_url = checked("public_url", urls.public_url, found.public_url)
    if found.secret_key is not None and len(found.secret_key.reveal()) < SECRET_KEY_LENGTH:
        report(("secret_key",), f"expected at least {SECRET_KEY_LENGTH} characters")
    for number, secret in enumerate(found.accepted_secret_keys):
        if len(secret.reveal()) < SECRET_KEY_LENGTH:
            report(
                ("accepted_secret_keys", number),
                f"expected at least {SECRET_KEY_LENGTH} characters",
            )
    if found.accepted_secret_keys and found.secret_key is None:
        report(("accepted_secret_keys",), "is of use only beside a secret_key")
    for number, text in enumerate(found.trusted_proxies):
        try:
            ip_network(text)
        except ValueError as error:
            report(("trusted_proxies", number), f"expected an address or a network: {error}")
    host = host or found.host
    port = found.port if port is None else port
    return HubSection(
        database=database or f"sqlite:///{data}/hub.db",
        redis=checked("redis", urls.redis_url, found.redis),
        public_url=public_url or urls.local_url(host, port),
        data=data,
        host=host,
        port=port,
        secret_key=found.secret_key,
        accepted_secret_keys=found.accepted_secret_keys,
        trusted_proxies=found.trusted_proxies,
        requests_a_minute=found.requests_a_minute,
    )


def _raw_table(
    document: Document, overrides: dict[str, str], report: Callable[[Keys, str], None]
) -> dict[str, Any]:
    raw = document.content.get("hub", {})
    if not isinstance(raw, dict):
        report((), "expected a table: [hub]")
        raw = {}
    from_file = {
        key: value for key, value in cast("dict[str, Any]", raw).items() if key not in overrides
    }
    references = References(document.environ, document.folder, report)
    table = replace_references(from_file, (), references.look_up)
    return table | {key: Referenced(document.environ[name]) for key, name in overrides.items()}
