"""What mail servers say of a mail that went out: delivery reports (RFC 3464), and those that are
words alone."""

from __future__ import annotations

import re

from hub.plugin import FailureReason, Receipt
from hub_email import addresses, ids, words
from hub_email.mime import Mail, Part

MACHINES = re.compile(r"(mailer-daemon|postmaster|mail-daemon|mdaemon)\b.*", re.IGNORECASE)
MESSAGE_ID = re.compile(r"(?im)^[ \t>]*message-id:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\s]{1,400}>)")
STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
LOOKED_AT = 200_000
"""Bytes of a report that are looked at."""
REASONS: tuple[tuple[str, FailureReason], ...] = (
    # RFC 3463: the class is left out, the more exact come first.
    ("1.", "bad_address"),
    ("2.0", "bad_address"),
    ("2.1", "bad_address"),
    ("2.3", "too_large"),
    ("3.4", "too_large"),
    ("4.4", "bad_address"),
    ("5.", "other"),
    ("6.", "unsupported_content"),
    ("7.", "policy"),
)


def reason_of(status: str | None) -> FailureReason:
    """The reason that an enhanced status code (RFC 3463) gives."""
    detail = (status or "").partition(".")[2]
    for start, reason in REASONS:
        if detail.startswith(start):
            return reason
    return "other"


def is_report(mail: Mail) -> bool:
    """Whether it is a delivery report by its form."""
    return any(part.content_type == "message/delivery-status" for part in mail.parts)


def receipts(mail: Mail) -> tuple[Receipt, ...] | None:
    """What is told of a mail of ours; empty: nothing final. ``None``: it is no report, or is about
    no mail of ours, and somebody should read it."""
    about = _about(mail)
    if about is None or ids.transmission(about) is None:
        return None
    report = next((p for p in mail.parts if p.content_type == "message/delivery-status"), None)
    if report is None:
        return (_in_words(mail, about),) if _from_machine(mail) else None
    told = [_told(fields, about) for fields in _recipients(report)]
    final = [each for each in told if each is not None]
    failed = [each for each in final if each.status == "failed"]
    return tuple(failed[:1] or final[:1])


def _about(mail: Mail) -> str | None:
    """The Message-ID of the mail that is reported on: out of what was returned of it, or out of
    the words."""
    returned = [p for p in mail.parts if p.content_type in RETURNED]
    for part in (*returned, *(p for p in mail.parts if p.content_type.startswith("text/"))):
        head = part.body[:LOOKED_AT].decode("latin-1")
        if found := MESSAGE_ID.search(head):
            return found[1]
    answered = ids.all_in(mail.raw("in-reply-to"))
    return next((each for each in answered if ids.transmission(each) is not None), None)


RETURNED = frozenset({"message/rfc822", "text/rfc822-headers", "message/rfc822-headers"})


def _recipients(report: Part) -> list[dict[str, str]]:
    """The fields of each recipient. Real reports lack the blank line between blocks, so a block
    begins at ``Final-Recipient`` as well."""
    found: list[dict[str, str]] = []
    name = ""
    text = words.text_of(report.body[:LOOKED_AT], report.charset)
    for line in text.replace("\r\n", "\n").split("\n"):
        if line[:1] in {" ", "\t"} and found and name:
            found[-1][name] = f"{found[-1].get(name, '')} {line.strip()}"[:1000]
            continue
        key, colon, value = line.partition(":")
        name = key.strip().lower() if colon else ""
        if not name:
            if not found or found[-1]:
                found.append({})
            continue
        if not found or (name == "final-recipient" and name in found[-1]):
            found.append({})
        found[-1].setdefault(name, value.strip()[:1000])
    return [fields for fields in found if "action" in fields or "status" in fields]


def _told(fields: dict[str, str], about: str) -> Receipt | None:
    action = fields.get("action", "").split(" ")[0].lower()
    stated = STATUS.search(fields.get("status", ""))
    code = stated[0] if stated else None
    if action == "failed" or (not action and code is not None and code.startswith("5")):
        said = fields.get("diagnostic-code", "").partition(";")[2].strip()
        return _failed(about, code, said or fields.get("diagnostic-code", ""))
    if action in {"delivered", "relayed", "expanded"}:
        status = "delivered" if action == "delivered" else "sent"
        return Receipt(status=status, external_id=about)
    return None  # delayed: the server goes on trying


def _in_words(mail: Mail, about: str) -> Receipt:
    text = next((p.text() for p in mail.parts if p.content_type.startswith("text/")), "")[:20_000]
    status = STATUS.search(text)
    line = next((line for line in text.split("\n") if status and status[0] in line), "")
    return _failed(about, status[0] if status else None, line)


def _failed(about: str, code: str | None, said: str) -> Receipt:
    line = " ".join(re.sub(r"[\x00-\x1f\x7f]+", " ", said).split())[:250]
    return Receipt(
        status="failed",
        external_id=about,
        reason=reason_of(code),
        detail=f"It came back: {line}" if line else "It came back",
        provider_code=code,
    )


def _from_machine(mail: Mail) -> bool:
    if mail.raw("return-path") == "<>" or mail.all("x-failed-recipients"):
        return True
    senders = addresses.in_header(mail.raw("from"))
    return any(MACHINES.match(address.value) for _, address in senders)
