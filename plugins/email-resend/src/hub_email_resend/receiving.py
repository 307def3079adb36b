"""Mail that has come in: Resend names it, and has it fetched."""

from __future__ import annotations

import re
from typing import Any, cast

from hub_email_inbound import answers, mails
from hub_email_inbound.mails import File, Headers

from hub.plugin import Context, Delivery, FetchRef, HttpResponse, Permanent, Temporary
from hub_email_resend import api
from hub_email_resend.settings import Settings

ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
LARGEST = 60_000_000
"""Bytes of a mail with its files; Resend takes 40 MB."""
MOST_FILES = 100


async def fetch(ctx: Context, ref: FetchRef, settings: Settings) -> Delivery:
    """The mail as it came, or, where Resend has that no more, written anew of its fields and
    files."""
    if not ID.fullmatch(ref.id):
        raise Permanent("other", "this is no id of Resend's")
    answer = await api.request(
        ctx, settings, "GET", f"/emails/receiving/{ref.id}", max_bytes=LARGEST
    )
    if answer.status == 404:
        raise Temporary("Resend does not know this mail (yet)")
    if answer.status != 200:
        raise api.refusal(ctx, answer)
    told = answers.told(answer)
    if told.get("id") != ref.id:
        raise Temporary("Resend answered a success without the mail")
    raw = told.get("raw")
    url = cast("dict[str, Any]", raw).get("download_url") if isinstance(raw, dict) else None
    if isinstance(url, str) and url:
        body = await _downloaded(ctx, url)
    else:
        body = await _written(ctx, ref.id, told, settings)
    return Delivery(
        body=body,
        headers=(("Content-Type", "message/rfc822"), ("X-Resend-Email-Id", ref.id)),
        received_at=ctx.clock.now(),
    )


async def _downloaded(ctx: Context, url: str) -> bytes:
    """A file from the store, which wants no key and is shown none."""
    if not url.startswith("https://"):
        raise Permanent("policy", "the file's address is not of HTTPS")
    answer: HttpResponse = await ctx.http.request("GET", url, timeout=45.0, max_bytes=LARGEST)
    if answer.status != 200:
        raise Temporary(f"the store does not give the file (HTTP {answer.status})")
    return answer.body


async def _written(ctx: Context, id_: str, told: dict[str, Any], settings: Settings) -> bytes:
    known: Headers = [
        ("From", _text(told.get("from"))),
        ("To", _several(told.get("to"))),
        ("Cc", _several(told.get("cc"))),
        ("Reply-To", _several(told.get("reply_to"))),
        ("Subject", _text(told.get("subject"))),
        ("Message-ID", _text(told.get("message_id"))),
    ]
    headers = [pair for pair in known if pair[1]]
    names = {name.lower() for name, _ in headers}
    more: Any = told.get("headers")
    for name, value in cast("dict[str, Any]", more).items() if isinstance(more, dict) else ():
        if name.lower() not in names:
            headers += [(name, each) for each in _texts(value)]
    files = await _files(ctx, id_, settings) if told.get("attachments") else []
    return mails.written(headers, _text(told.get("text")), _text(told.get("html")), files)


async def _files(ctx: Context, id_: str, settings: Settings) -> list[File]:
    path = f"/emails/receiving/{id_}/attachments"
    answer = await api.request(ctx, settings, "GET", path, params={"limit": str(MOST_FILES)})
    if answer.status != 200:
        raise api.refusal(ctx, answer)
    found: list[File] = []
    for each in answers.objects(answers.told(answer).get("data")):
        body = await _downloaded(ctx, _text(each.get("download_url")))
        found.append(
            File(
                name=_text(each.get("filename")),
                content_type=_text(each.get("content_type")),
                body=body,
                content_id=_text(each.get("content_id")),
            )
        )
        if sum(len(one.body) for one in found) > LARGEST:
            raise Permanent("too_large", "the mail's files are larger than Resend takes")
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [each for each in cast("list[Any]", value) if isinstance(each, str)]
    return [value] if isinstance(value, str) else []


def _several(value: object) -> str:
    return ", ".join(_texts(value))
