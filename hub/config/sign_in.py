"""``[[sign_in]]``: providers that people sign in with, by OpenID Connect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from hub.config.convert import salvage
from hub.config.document import Document, Report
from hub.config.errors import did_you_mean
from hub.config.model import SignInConfig
from hub.config.references import References, replace_references
from hub.plugin.settings import Secret

SECTION = "sign_in"
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LOCAL = {"localhost", "127.0.0.1", "::1"}
_Text = Annotated[str, Meta(min_length=1, max_length=500)]


class _Table(Struct, frozen=True):
    id: _Text
    issuer: _Text
    client_id: _Text
    client_secret: Secret
    label: Annotated[str, Meta(min_length=1, max_length=60)]
    email_domains: tuple[_Text, ...] = ()
    organisation: str | None = None
    role: str | None = None
    allow_hosts: tuple[_Text, ...] = ()


def sign_in_sections(document: Document, slugs: Sequence[str]) -> Iterator[SignInConfig]:
    """The tables that can be used."""
    taken: set[str] = set()
    for raw, origin in document.tables(SECTION, "sign-in", "id"):
        report = document.report_to(origin)
        references = References(document.environ, document.folder, report)
        resolved = replace_references(raw, (), references.look_up)
        table = salvage(_Table, resolved, report)
        if table is None or not _check(table, slugs, report):
            continue
        if table.id in taken:
            report(("id",), "already used by another [[sign_in]]")
            continue
        taken.add(table.id)
        yield SignInConfig(
            id=table.id,
            issuer=table.issuer,
            client_id=table.client_id,
            client_secret=table.client_secret,
            label=table.label,
            email_domains=tuple(domain.lower().lstrip("@") for domain in table.email_domains),
            organisation=table.organisation,
            role=table.role,
            allow_hosts=table.allow_hosts,
        )


def _check(table: _Table, slugs: Sequence[str], report: Report) -> bool:
    if not _ID.fullmatch(table.id):
        report(("id",), "expected small letters, digits and hyphens: it is part of an address")
        return False
    issuer = urlsplit(table.issuer)
    plain = issuer.scheme == "http" and issuer.hostname in _LOCAL
    if not (issuer.hostname and (issuer.scheme == "https" or plain)) or issuer.query:
        report(("issuer",), "expected https:// and what follows, as the provider tells it")
        return False
    if (table.organisation is None) != (table.role is None):
        missing = "role" if table.role is None else "organisation"
        report(
            (missing,),
            "missing: new members need organisation and role; leave both out to let "
            "in only who is invited",
        )
        return False
    if table.organisation is not None and table.organisation not in slugs:
        hint = did_you_mean(table.organisation, slugs)
        report(("organisation",), f"no [[organisations]] has this slug{hint}")
        return False
    if table.organisation is not None and not table.email_domains:
        report(
            ("email_domains",),
            "missing: without it everybody whom the provider knows would become a member",
        )
        return False
    return True
