"""Whether both servers know the mailbox as its settings do, and what to change where not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

import aiosmtplib

from hub.plugin import Context, CredentialsInvalid, Finding, HookError, Permanent
from hub_email import addresses, imap, incoming, pop3, sending
from hub_email.settings import Settings

LOGIN = (
    "Set username and password. Where the account has a second factor, make an app password for the"
    " hub; Microsoft 365 wants oauth in place of a password."
)


async def check(ctx: Context, settings: Settings) -> tuple[Finding, ...]:
    """All that can be asked without sending a mail."""
    halves = (_reading(ctx, settings), _sending(ctx, settings))
    read, sent = await asyncio.gather(*(_all(each) for each in halves))
    return (*read, *sent, *_encryption(settings), *_links(ctx, settings))


async def _all(findings: AsyncIterator[Finding]) -> list[Finding]:
    return [each async for each in findings]


# ------------------------------------------------------------------------- reading


async def _reading(ctx: Context, settings: Settings) -> AsyncIterator[Finding]:
    if settings.imap_host is not None:
        async for finding in _imap(ctx, settings):
            yield finding
    elif settings.pop3_host is not None:
        about = f"reading by POP3 at {settings.pop3_host}:{settings.pop3_port}"
        try:
            await pop3.look(ctx, settings)
        except HookError as error:
            yield _wrong(about, error, "pop3")
        else:
            yield Finding(about=about, detail="the server lets the mailbox in")
    else:
        detail = "neither imap_host nor pop3_host is set: this channel only sends"
        yield Finding(about="reading", state="unknown", detail=detail)


async def _imap(ctx: Context, settings: Settings) -> AsyncIterator[Finding]:
    about = f"reading by IMAP at {settings.imap_host}:{settings.imap_port}"
    try:
        async with imap.told(), imap.session(ctx, settings) as one:
            yield Finding(about=about, detail="the server lets the mailbox in")
            folders = await one.folders()
            async for finding in _folders(one, settings, folders):
                yield finding
            idle = await one.can("IDLE")
            yield Finding(
                about="new mail",
                detail="the server tells of it at once (IDLE)"
                if idle
                else "the server does not tell of it: it is looked for every half minute",
            )
    except HookError as error:
        yield _wrong(about, error, "imap")


async def _folders(
    one: imap.Session, settings: Settings, folders: dict[str, frozenset[str]]
) -> AsyncIterator[Finding]:
    names = ", ".join(sorted(folders)[:30])
    about = f"folder {settings.folder!r}"
    try:
        opened = await one.open(settings.folder)
    except imap.Failed as error:
        advice = f"Set folder to one of: {names}" if names else "Set folder to one that is there."
        yield Finding(about=about, state="wrong", detail=str(error), advice=advice)
    else:
        yield Finding(about=about, detail=f"it is there, its next mail is {opened.next_uid}")
    sent = settings.sent_folder
    if sent is None:
        marked = next((name for name, flags in folders.items() if "\\sent" in flags), None)
        detail = f"what was sent is in {marked!r}" if marked else "the server marks none"
        advice = None if marked else "Set sent_folder, if the server keeps copies of what it sends."
        state = "ok" if marked else "unknown"
        yield Finding(about="folder of what was sent", state=state, detail=detail, advice=advice)
    elif sent not in folders:
        advice = f"Set sent_folder to one of: {names}"
        detail = f"there is no folder {sent!r}"
        yield Finding(about="folder of what was sent", state="wrong", detail=detail, advice=advice)


# ------------------------------------------------------------------------- sending


async def _sending(ctx: Context, settings: Settings) -> AsyncIterator[Finding]:
    about = f"sending at {settings.smtp_host}:{settings.smtp_port}"
    try:
        async with sending.connected(ctx, settings) as client:
            yield Finding(about=about, detail="the server lets the mailbox in")
            async for finding in _senders(client, settings):
                yield finding
            for finding in _size(client, settings):
                yield finding
    except HookError as error:
        yield _wrong(about, error, "smtp")
    except (aiosmtplib.SMTPException, OSError) as error:
        detail = f"the connection was lost ({type(error).__name__})"
        yield Finding(about=about, state="unknown", detail=detail)


async def _senders(client: aiosmtplib.SMTP, settings: Settings) -> AsyncIterator[Finding]:
    """Each own address as a sender, and the tagged one as a recipient; none gets a mail."""
    for own in incoming.own_addresses(settings).values():
        about = f"sender {own.value}"
        try:
            await client.mail(own.value)
        except aiosmtplib.SMTPResponseException as error:
            detail = sending.said(error)
            advice = "Let the account send as this address at the provider, or take it out."
            yield Finding(about=about, state="wrong", detail=detail, advice=advice)
            continue
        yield Finding(about=about, detail="the server takes it")
        if settings.plus_replies:
            yield await _tagged(client, own.value)
        await client.rset()


async def _tagged(client: aiosmtplib.SMTP, own: str) -> Finding:
    tagged = addresses.tagged(own, "check")
    about = f"answers to {tagged}"
    try:
        await client.rcpt(tagged)
    except aiosmtplib.SMTPResponseException as error:
        advice = "Switch on plus addresses (subaddressing) at the provider, or plus_replies off."
        return Finding(about=about, state="wrong", detail=sending.said(error), advice=advice)
    return Finding(about=about, detail="the server takes them")


def _size(client: aiosmtplib.SMTP, settings: Settings) -> Iterator[Finding]:
    said = client.esmtp_extensions.get("size", "").split(" ")[0]
    if said.isdigit() and 0 < int(said) < settings.max_sent_bytes:
        detail = f"the server takes {int(said) / 1e6:.1f} MB, max_sent_bytes says"
        detail += f" {settings.max_sent_bytes / 1e6:.1f}"
        advice = f"Set max_sent_bytes to {said}."
        yield Finding(about="size of mail", state="wrong", detail=detail, advice=advice)


# ------------------------------------------------------------------------- the settings


def _encryption(settings: Settings) -> Iterator[Finding]:
    """Where the password goes in plain text."""
    reading = ("imap", settings.imap_host, settings.imap_tls)
    if settings.imap_host is None:
        reading = ("pop3", settings.pop3_host, settings.pop3_tls)
    for name, host, tls in (reading, ("smtp", settings.smtp_host, settings.smtp_tls)):
        if host is None:
            continue
        about = f"encryption of {name}"
        if tls != "none":
            yield Finding(about=about, detail=f"{name}_tls is {tls!r}")
        elif not _is_here(host):
            advice = f'Set {name}_tls to "tls" or "starttls".'
            detail = "login and mail cross the network in plain text"
            yield Finding(about=about, state="wrong", detail=detail, advice=advice)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _links(ctx: Context, settings: Settings) -> Iterator[Finding]:
    """Whether people reach the hub by the links in their mail."""
    if not (settings.track_opens or settings.track_clicks or settings.unsubscribe != "none"):
        return
    parts = urlsplit(ctx.public_url())
    about, advice = "links in mail", "Set [hub] public_url to an https address of the hub's."
    if parts.scheme != "https" or _is_here(parts.hostname or ""):
        detail = f"people cannot follow links to {parts.scheme}://{parts.netloc}"
        if parts.scheme == "http" and not _is_here(parts.hostname or ""):
            detail = "mail programs offer no one-click unsubscribing without https"
        wanted = settings.track_opens or settings.track_clicks or settings.unsubscribe == "all"
        state = "wrong" if wanted or settings.automatic else "unknown"
        yield Finding(about=about, state=state, detail=detail, advice=advice)
    else:
        yield Finding(about=about, detail=f"they lead to {parts.scheme}://{parts.netloc}")


def _wrong(about: str, error: HookError, name: str) -> Finding:
    if isinstance(error, CredentialsInvalid):
        return Finding(about=about, state="wrong", detail=error.detail, advice=LOGIN)
    if isinstance(error, Permanent):
        advice = f"Look at the settings whose names begin with {name}_."
        return Finding(about=about, state="wrong", detail=error.detail, advice=advice)
    advice = f"Are {name}_host, {name}_port and {name}_tls those that the provider names?"
    return Finding(about=about, state="unknown", detail=error.detail, advice=advice)
