"""A raw mail as events: a message, what became of one of ours, or nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from hub.plugin import (
    Address,
    ChannelNotice,
    Context,
    Delivery,
    FetchedMedia,
    IngestResult,
    Malformed,
    MediaRef,
    Message,
    Permanent,
    SafeHtml,
)
from hub_email import addresses, bounces, ids, invitations, mime, plain, words
from hub_email.mime import Mail, Part
from hub_email.settings import Settings

PLACE = "X-Hub-Mailbox-Place"
"""Header of a delivery: where the mail lies in the mailbox, as the mailbox names it."""
CUT = "X-Hub-Mail-Cut"
"""Header of a delivery: how large a mail is of which it has the beginning alone."""
LOOP = "X-Channel-Hub-Loop"
"""Header of what machines of a hub have written: no other answers it."""
LONGEST_HTML = 2_000_000
LONGEST_ID = 400
MOST_COPIES = 100
LINK = re.compile(r"(?i)https?://[^\s<>]+")
FOOTER = re.compile(r"(?m)^(?:--|__)")
"""Where a signature, or what a list adds, begins."""
RECOGNISED_BY = 200
"""Characters of a mail by which it is known again."""
WARNING = "Warning"
BAD = frozenset({"fail", "softfail", "permerror", "policy"})
RESULT = re.compile(r"\b(spf|dkim|dmarc)[ \t]*=[ \t]*([a-z]+)", re.IGNORECASE)
PRECEDENCE = frozenset({"bulk", "list", "junk", "auto_reply"})
PRESENT = (
    "list-id",
    "list-unsubscribe",
    "x-autoreply",
    "x-autorespond",
    "x-auto-reply-from",
    "x-loop",
    LOOP.lower(),
    "feedback-id",
)
"""Headers that machines alone set."""
NOBODY = re.compile(r"(mailer-daemon|postmaster|no-?reply|do-?not-?reply|bounces?)([+._-].*)?@.*")


def read(ctx: Context, delivery: Delivery, settings: Settings) -> IngestResult:
    """The events of a mail. Raises ``Malformed``."""
    mail = mime.read(delivery.body)
    own = own_addresses(settings)
    told = _about_ours(mail)
    if told is not None:
        return told
    sender, name = _sender(mail, settings, own)
    external_id = ids.of_mail(mail.raw("message-id"), delivery.body)
    if sender.value in own:
        return IngestResult(ignored="it is from this mailbox itself")
    text, html = _words(ctx, mail)
    media = (*_files(mail), *_whole(delivery, mail))
    message = Message(
        external_id=external_id,
        sender=(sender,),
        sender_name=name or None,
        own_address=_recipient(mail, own),
        subject=mail.words("subject") or None,
        text=text,
        html=html,
        media=media,
        occurred_at=_time(mail.raw("date")),
        reply_to=_answered(mail, own),
        facts=_facts(mail, delivery, settings),
        automatic=is_automatic(mail, sender),
        fingerprint=_fingerprint(mail, text),
        cc=_copies(mail, sender, own),
    )
    return IngestResult(events=(message,))


def file(delivery: Delivery, index: int) -> FetchedMedia:
    """A file of a mail, out of the mail as it was taken in. Raises ``Permanent``."""
    parts = mime.read(delivery.body).parts
    part = next((each for each in parts if each.index == index), None)
    if part is None:
        raise Permanent("other", "the mail has no such file")
    return FetchedMedia(body=part.body, name=part.name, content_type=part.content_type)


def own_addresses(settings: Settings) -> dict[str, Address]:
    """The mailbox's address and its aliases, by their values, the main one first."""
    found = (addresses.of(each) for each in (settings.address, *settings.aliases))
    return {each.value: each for each in found if each is not None}


def _about_ours(mail: Mail) -> IngestResult | None:
    """What is told of a mail that went out."""
    if any(part.content_type == "message/feedback-report" for part in mail.parts):
        said = "A recipient has reported a mail of this mailbox as spam"
        return IngestResult(events=(ChannelNotice(text=said),))
    if mail.report_type == "disposition-notification":
        return IngestResult(ignored="it says that a mail was displayed, which proves nothing")
    receipts = bounces.receipts(mail)
    if receipts is None:
        return None
    if not receipts:
        return IngestResult(ignored="the server goes on trying to deliver a mail")
    return IngestResult(events=receipts)


# ------------------------------------------------------------------------- who


def _sender(mail: Mail, settings: Settings, own: dict[str, Address]) -> tuple[Address, str]:
    """Who wrote: ``From``, and where that names nobody, what comes nearest to it."""
    for header in ("from", "sender", "reply-to", "return-path"):
        for value in mail.all(header):
            found = addresses.in_header(_line(value))
            if not found:
                continue
            name, address = found[0]
            # A form on one's own site writes for somebody else, too; an answer of ours asks for
            # answers at an own address.
            if address.value in own or address.value in {form.value for form in _forms(settings)}:
                behind = [
                    (called, other)
                    for called, other in addresses.in_header(mail.raw("reply-to"))
                    if other.value not in own and addresses.without_tag(other.value) not in own
                ]
                if behind:
                    return behind[0][1], behind[0][0]
            return address, _shown(name, address)
    raise Malformed("the mail does not say who wrote it")


def _line(value: str) -> str:
    return words.raw_text(value)


def _forms(settings: Settings) -> list[Address]:
    found = (addresses.of(each) for each in settings.forms)
    return [each for each in found if each is not None]


def _shown(name: str, address: Address) -> str:
    line = " ".join(re.sub(r"[\x00-\x1f\x7f]+", " ", name).split())[:200]
    return "" if line.lower() == address.value else line


RECEIVERS = ("x-original-to", "envelope-to", "x-envelope-to", "to", "cc", "delivered-to")
"""What servers say of the address a mail was sent to stands before what the sender says. Where it
was put in the end comes last: that is the same for all aliases of a mailbox."""


def _receivers(mail: Mail) -> Iterator[str]:
    for header in RECEIVERS:
        for value in mail.all(header):
            for _, address in addresses.in_header(_line(value)):
                yield address.value


def _recipient(mail: Mail, own: dict[str, Address]) -> str:
    """To which of the own addresses it came; without a trace, the main one."""
    for value in _receivers(mail):
        if value in own:
            return value
        if addresses.without_tag(value) in own:
            return addresses.without_tag(value)
    return next(iter(own), "")


def _answered(mail: Mail, own: dict[str, Address]) -> str | None:
    """The message it answers: by the tag of the address it came to, else by ``In-Reply-To``, else
    by the last of ``References`` (RFC 5322, 3.6.4)."""
    for value in _receivers(mail):
        transmission = addresses.token(value)
        plain_value = addresses.without_tag(value)
        if transmission is not None and plain_value in own:
            return ids.ours(transmission, plain_value)
    for header in ("in-reply-to", "references"):
        found = ids.all_in(_line("\n ".join(mail.all(header))))
        if found:
            return found[-1][:LONGEST_ID]
    return None


def is_automatic(mail: Mail, sender: Address) -> bool:
    """Whether a machine wrote it (RFC 3834, and what came before it): no customer's answer, and
    nothing to answer."""
    submitted = mail.raw("auto-submitted").partition(";")[0].strip().lower()
    suppressed = {each.strip() for each in mail.raw("x-auto-response-suppress").lower().split(",")}
    return (
        submitted not in {"", "no"}
        or mail.raw("precedence").lower() in PRECEDENCE
        or bool(suppressed & {"all", "oof", "autoreply"})
        or any(mail.all(name) for name in PRESENT)
        or mail.raw("return-path").replace(" ", "") == "<>"
        or mail.content_type == "multipart/report"
        or NOBODY.fullmatch(sender.value) is not None
    )


# ------------------------------------------------------------------------- what


def _words(ctx: Context, mail: Mail) -> tuple[str, SafeHtml | None]:
    """What it says: plain, and formatted where it is."""
    texts = [part.text() for part in mail.parts if _is_text(part, "text/plain")]
    formatted = [part.text() for part in mail.parts if _is_text(part, "text/html")]
    html = "\n".join(formatted)
    text = "\n\n".join(text for text in texts if text.strip())
    if not text.strip() and html:
        text = plain.text_of(html)
    clean = ctx.clean_html(html) if html.strip() and len(html) <= LONGEST_HTML else None
    return text, clean


def _fingerprint(mail: Mail, text: str) -> str:
    """What tells two mails with one ``Message-ID`` apart, and is the same in every copy of one:
    when it was written, and how it begins. Copies of a mail, in two folders or by way of a list,
    differ in what servers write above it, in its encoding, in links that a scanner has rewritten
    and in what a list adds below; senders and subjects are rewritten, too."""
    at = _time(mail.raw("date"))
    said = LINK.sub(" ", FOOTER.split(text, maxsplit=1)[0])
    beginning = " ".join(said.casefold().split())[:RECOGNISED_BY]
    told = f"{'' if at is None else at.isoformat()}\n{beginning}"
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:32]


def _is_text(part: Part, kind: str) -> bool:
    if part.content_type != kind or part.disposition == "attachment":
        return False
    return part.name is None or "multipart/alternative" in part.inside[-1:]


def _is_file(part: Part) -> bool:
    if _is_text(part, "text/plain") or _is_text(part, "text/html"):
        return False
    return not (part.content_type.startswith("multipart/") or not part.body)


def _files(mail: Mail) -> Iterator[MediaRef]:
    for part in mail.parts:
        if _is_file(part):
            yield MediaRef(
                part=part.index,
                name=part.name or _named(part),
                content_type=part.content_type,
                size=len(part.body),
                content_id=part.content_id,
            )


def _whole(delivery: Delivery, mail: Mail) -> Iterator[MediaRef]:
    """Of a mail that was too large, the mail itself: the one file that is fetched from the
    mailbox, as all others are in what was taken in."""
    size, place = delivery.header(CUT), delivery.header(PLACE)
    if size is not None and place is not None:
        yield MediaRef(
            provider_id=place,
            name=_mail_name(mail.words("subject")),
            content_type="message/rfc822",
            size=int(size) if size.isdigit() else None,
        )


def _named(part: Part) -> str | None:
    """A name for a file that has none."""
    match part.content_type:
        case "message/rfc822" | "message/global" | "message/news":
            found = re.search(rb"(?im)^subject:[ \t]*([^\r\n]{1,200})", part.body[:50_000])
            subject = found[1].decode("utf-8", "surrogateescape") if found else ""
            return _mail_name(words.decoded(subject))
        case "text/calendar":
            return "invitation.ics"
        case _:
            return None


def _mail_name(subject: str) -> str:
    safe = re.sub(r"[^\w .,()-]+", " ", subject).strip()[:80]
    return f"{safe or 'mail'}.eml"


def _time(value: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(value[:200])
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        return at.astimezone(UTC) if 1970 <= at.year <= 9000 else None
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None


def _facts(mail: Mail, delivery: Delivery, settings: Settings) -> dict[str, str]:
    told: dict[str, str] = {}
    if warning := _warning(mail, settings):
        told[WARNING] = warning
    if (size := delivery.header(CUT)) is not None:
        told["Cut"] = f"Only the beginning of this mail of {size} bytes is shown here"
    for part in mail.parts:
        if part.content_type == "text/calendar":
            told |= invitations.facts(part)
            break
    return told


def _copies(mail: Mail, sender: Address, own: dict[str, Address]) -> tuple[Address, ...]:
    """Who else it went to: those beside us in ``To``, and those in ``Cc``, each once."""
    found: dict[str, Address] = {}
    for header in ("to", "cc"):
        for value in mail.all(header):
            for _, address in addresses.in_header(_line(value)):
                ours = address.value in own or addresses.without_tag(address.value) in own
                if not ours and address.value != sender.value and len(found) < MOST_COPIES:
                    found[address.value] = address
    return tuple(found.values())


def _warning(mail: Mail, settings: Settings) -> str | None:
    """What the own server says against the sender. Only its topmost word counts: the others may
    have been written by anybody. A good word is no proof, and is not told."""
    trusted = {name.strip().lower() for name in settings.trusted_authserv}
    for value in mail.all("authentication-results"):
        server, _, results = _line(value).partition(";")
        if (server.split() or [""])[0].lower() not in trusted:
            continue
        said = {kind.lower(): word.lower() for kind, word in RESULT.findall(results[:5000])}
        bad = [f"{kind.upper()} {word}" for kind, word in said.items() if word in BAD]
        if not bad or said.get("dmarc") == "pass":
            return None
        return f"The sender may not be who it says: {', '.join(sorted(bad))}"
    return None
