"""``[notices]``: the mail server through which notices go. Those that are texts: ``texts``."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Annotated, Any, Literal, cast

from msgspec import Meta, Struct, field

from hub.config.convert import salvage
from hub.config.document import Document
from hub.config.model import MailConfig
from hub.config.references import References, replace_references
from hub.plugin.settings import Secret

TEXTS = "texts"
_PORTS = {"starttls": 587, "tls": 465, "none": 25}


class _Table(Struct, frozen=True):
    host: Annotated[str, Meta(min_length=1)]
    sender: str = field(name="from")
    tls: Literal["starttls", "tls", "none"] = "starttls"
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    username: str | None = None
    password: Secret | None = None


def mail_section(document: Document) -> MailConfig | None:
    """The section, or ``None`` where there is none, or none that can be used."""
    if "notices" not in document.content:
        return None
    report = document.report_to(document.origin("[notices]", "notices"))
    raw = document.content["notices"]
    if not isinstance(raw, dict):
        report((), "expected a table: [notices]")
        return None
    own = {key: value for key, value in cast("dict[str, Any]", raw).items() if key != TEXTS}
    if not own and TEXTS in raw:
        return None
    references = References(document.environ, document.folder, report)
    resolved = replace_references(own, (), references.look_up)
    table = salvage(_Table, resolved, report)
    if table is None:
        return None
    local, _, domain = parseaddr(table.sender)[1].rpartition("@")
    if not local or not domain or any(mark in table.sender for mark in "\r\n"):
        report(("from",), "expected an address: Name <name@example.com>")
        return None
    if (table.username is None) != (table.password is None):
        missing = "password" if table.password is None else "username"
        report((missing,), "missing: a login needs username and password")
        return None
    return MailConfig(
        host=table.host,
        port=table.port or _PORTS[table.tls],
        tls=table.tls,
        username=table.username,
        password=table.password,
        sender=table.sender,
    )
