"""A message as the mail that goes out."""

from __future__ import annotations

import re
from email.headerregistry import Address as Named
from email.message import EmailMessage
from email.policy import SMTP as STANDARD
from email.utils import format_datetime
from html import escape

from msgspec import Struct

from hub.plugin import Address, Context, Outbound, Permanent, Temporary, Unsupported, WirePart
from hub_email import addresses, ids, links, plain
from hub_email.incoming import LOOP, own_addresses
from hub_email.rendering import LIMITS, MAX_LENGTH
from hub_email.settings import Settings

LONGEST_SUBJECT = 900
MOST_REFERENCES = 19
"""Of those that came before: a header that grows without end is cut off by somebody."""
ANSWER = re.compile(r"\s*(re|aw|sv|vs|antw|odp|tr|rif|res|r)(\[\d+\])?\s*:", re.IGNORECASE)
"""How subjects of answers begin."""
TYPE = re.compile(r"[a-z0-9.+_-]+/[a-z0-9.+_-]+")
CONTAINERS = ("message", "multipart")
SMTP = STANDARD.clone(cte_type="7bit", refold_source="none")
"""Every server takes seven bits; not every one takes eight. What is raw stays as it is."""
SMTPUTF8 = SMTP.clone(utf8=True)


class Letter(Struct, frozen=True, kw_only=True):
    """A mail ready to go. ``foreign``: a name in it needs SMTPUTF8 (RFC 6531)."""

    message_id: str
    sender: str
    recipient: str
    body: bytes
    foreign: bool
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()


async def message_id(ctx: Context, message: Outbound, settings: Settings) -> str:
    """The Message-ID of a transmission, the same on every attempt."""
    name = ids.name_of(message.id, await links.key(ctx))
    return ids.ours(name, _own(message, settings).value)


async def compose(ctx: Context, message: Outbound, settings: Settings) -> Letter:
    """The mail. Raises before anything has touched the network."""
    if message.kind != "message":
        raise Unsupported(f"email knows no {message.kind}")
    if ctx.clock.now() >= message.deadline:
        raise Temporary("the deadline has passed")
    recipient = addresses.of(message.address.value)
    if recipient is None or re.search(r"[\x00-\x20\x7f]", message.address.value):
        raise Permanent("bad_address", "this is no email address")
    cc, bcc = _copies(message.cc), _copies(message.bcc)
    if len(message.wire) != 1:
        raise Permanent("unsupported_content", "a message goes out as one mail")
    part = message.wire[0]
    own = _own(message, settings)
    signer = await links.key(ctx)
    mail = _with_headers(ctx, message, settings, own, recipient, signer)
    if cc:
        mail["Cc"] = [Named(addr_spec=each) for each in cc]
    _with_subject(mail, part)
    _with_words(mail, part, _Additions(ctx, settings, signer, mail))
    await _with_files(ctx, mail, message, part)
    foreign = not "".join((own.value, recipient.value, *cc, *bcc)).isascii()
    body = mail.as_bytes(policy=SMTPUTF8 if foreign else SMTP)
    if len(body) > settings.max_sent_bytes:
        size = f"{len(body) / 1e6:.1f} of {settings.max_sent_bytes / 1e6:.1f} MB"
        raise Permanent("too_large", f"the mail is too large: {size}")
    return Letter(
        message_id=str(mail["Message-ID"]),
        sender=own.value,
        recipient=recipient.value,
        body=body,
        foreign=foreign,
        cc=cc,
        bcc=bcc,
    )


def _copies(people: tuple[Address, ...]) -> tuple[str, ...]:
    """The addresses of people in copy, each once."""
    found: dict[str, None] = {}
    for each in people:
        address = addresses.of(each.value)
        if address is None or re.search(r"[\x00-\x20\x7f]", each.value):
            raise Permanent("bad_address", "one in copy has no email address")
        found[address.value] = None
    return tuple(found)


def _own(message: Outbound, settings: Settings) -> Address:
    own = own_addresses(settings)
    if message.own_address:
        wanted = addresses.of(message.own_address)
        if wanted is None or wanted.value not in own:
            raise Permanent("configuration", "the sender's address is none of this mailbox's")
        return wanted
    return next(iter(own.values()))


def _with_headers(
    ctx: Context,
    message: Outbound,
    settings: Settings,
    own: Address,
    recipient: Address,
    signer: bytes,
) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    try:
        mail["From"] = Named(display_name=settings.name or "", addr_spec=own.value)
        mail["To"] = Named(addr_spec=recipient.value)
    except ValueError as error:
        raise Permanent("bad_address", "this address cannot be written in a mail") from error
    mail["Date"] = format_datetime(message.started_at or ctx.clock.now())
    name = ids.name_of(message.id, signer)
    mail["Message-ID"] = ids.ours(name, own.value)
    if settings.plus_replies:
        mail["Reply-To"] = Named(addr_spec=addresses.tagged(own.value, name))
    answered, named = _answered(message)
    if answered is not None:
        _raw(mail, "In-Reply-To", [answered])
        _raw(mail, "References", named)
    by_machine = settings.automatic or message.automatic
    if by_machine:
        mail["Auto-Submitted"] = "auto-replied" if answered else "auto-generated"
        mail["X-Auto-Response-Suppress"] = "All"
        mail[LOOP] = own.value
    if settings.unsubscribe == "all" or (by_machine and settings.unsubscribe == "automatic"):
        out = links.Token("out", str(mail["Message-ID"]), recipient.value)
        _raw(mail, "List-Unsubscribe", [f"<{links.address(ctx, signer, out)}>"])
        if ctx.public_url().startswith("https:"):  # RFC 8058 knows no other
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return mail


def _raw(mail: EmailMessage, name: str, words: list[str]) -> None:
    """A header of words that have to stay whole: the standard library encodes long ones, so that
    nobody finds the id or the address in them."""
    mail.set_raw(name, "\r\n ".join(words))


def _answered(message: Outbound) -> tuple[str | None, list[str]]:
    """What ``In-Reply-To`` and ``References`` say (RFC 5322, 3.6.4): the message that is answered,
    and what came before it. What goes on under the old subject answers the last one."""
    earlier = [id_ for each in message.earlier for id_ in ids.all_in(each)[:1] if ids.is_real(id_)]
    found = [each for each in ids.all_in(message.reply_to or "") if ids.is_real(each)]
    if not found and earlier and ANSWER.match(message.wire[0].subject or ""):
        found = earlier[-1:]
    if not found:
        return None, []
    before = earlier[: earlier.index(found[0])] if found[0] in earlier else []
    return found[0], [*before[-MOST_REFERENCES:], found[0]]


def _with_subject(mail: EmailMessage, part: WirePart) -> None:
    subject = " ".join(re.sub(r"[\x00-\x1f\x7f]+", " ", part.subject or "").split())
    if len(subject) > LONGEST_SUBJECT:
        raise Permanent("too_large", f"the subject is longer than {LONGEST_SUBJECT} characters")
    if subject:
        mail["Subject"] = subject


class _Additions:
    """What is put to the words when they go out."""

    def __init__(self, ctx: Context, settings: Settings, signer: bytes, mail: EmailMessage) -> None:
        self._ctx, self._settings, self._signer = ctx, settings, signer
        self._about = str(mail["Message-ID"])
        self._out = str(mail["List-Unsubscribe"] or "").strip("<>")

    def to_text(self, text: str) -> str:
        """Below plain text, the link to unsubscribe."""
        if not self._out:
            return text
        return f"{text.rstrip()}\n\n-- \n{self._settings.unsubscribe_label}: {self._out}\n"

    def formatted(self, text: str, html: str | None) -> str | None:
        """Formatted text with all of it; where there is none but it is needed, made of the text."""
        tracked = self._settings.track_opens or self._settings.track_clicks
        if html is None and not (tracked and text.strip()):
            return None
        made = links.formatted(text) if html is None else html
        if self._settings.track_clicks:
            made = links.with_clicks(self._ctx, self._signer, made, self._about)
        if self._out:
            label = escape(self._settings.unsubscribe_label)
            made += f'<p><small><a href="{escape(self._out)}">{label}</a></small></p>'
        if self._settings.track_opens:
            made = links.with_picture(self._ctx, self._signer, made, self._about)
        return made


def _with_words(mail: EmailMessage, part: WirePart, additions: _Additions) -> None:
    text = part.text or (plain.text_of(part.html) if part.html else "")
    if not text.strip() and not part.attachment_ids and not part.html:
        raise Permanent("unsupported_content", "there is neither text nor a file")
    if len(text) > MAX_LENGTH:
        raise Permanent("too_large", f"the text is longer than {MAX_LENGTH:,} characters")
    html = additions.formatted(text, part.html or None)
    mail.set_content(additions.to_text(text).encode("utf-8", "replace").decode())
    if html:
        mail.add_alternative(html.encode("utf-8", "replace").decode(), subtype="html")


async def _with_files(ctx: Context, mail: EmailMessage, message: Outbound, part: WirePart) -> None:
    known = {each.id: each for each in message.attachments}
    if len(part.attachment_ids) > LIMITS.max_count:
        raise Permanent("too_large", f"a mail carries at most {LIMITS.max_count} files")
    for id in part.attachment_ids:  # noqa: A001
        file = known.get(id)
        body = await ctx.media.open(id)
        content_type = file.content_type if file is not None else "application/octet-stream"
        main, _, sub = content_type.partition(";")[0].strip().lower().partition("/")
        if main in CONTAINERS or not TYPE.fullmatch(f"{main}/{sub}"):
            main, sub = "application", "octet-stream"
        name = re.sub(r"[\x00-\x1f\x7f]+", " ", file.name if file is not None else "file")
        mail.add_attachment(body, maintype=main, subtype=sub, filename=name)
