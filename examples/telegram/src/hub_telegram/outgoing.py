"""How a message becomes requests to Telegram, and what its answers mean."""

import unicodedata
from typing import TypeVar

import msgspec

from hub import plugin as hub
from hub.plugin import sending
from hub_telegram import api

T = TypeVar("T")

# "sendMessage" and "sendPhoto" allow so many characters, and the Bot API measures texts in UTF-16
# units ("MessageEntity"); so counted, no text is longer than allowed.
TEXT, CAPTION = 4096, 1024
# "Sending files": 10 MB for photos and 50 MB for other files that are uploaded.
PHOTO_BYTES, FILE_BYTES = 10_000_000, 50_000_000
PHOTOS = frozenset({"image/jpeg", "image/png"})

# Why something was refused is told in words alone, after the name of the HTTP status.
REASONS: dict[str, hub.FailureReason] = {
    "bot was blocked by the user": "opted_out",
    "user is deactivated": "bad_address",
    "chat not found": "bad_address",
    "bot can't send messages to bots": "bad_address",
    "bot can't initiate conversation with a user": "policy",
    "message is too long": "too_large",
    "message caption is too long": "too_large",
    "request entity too large": "too_large",
    "file is too big": "too_large",
    "photo_invalid_dimensions": "unsupported_content",
}
JOINER = "\u200d"
TONES = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
FLAGS = "".join(chr(0x1F1E6 + letter) for letter in range(26))
"""Two of these make a flag."""


def units(text: str) -> int:
    """The length of ``text`` in UTF-16 units."""
    return len(text) + sum(letter > "\uffff" for letter in text)


def pieces(text: str, limit: int) -> list[str]:
    """``text`` in pieces of at most ``limit`` UTF-16 units, cut at the last line end or space of a
    piece's second half, else between two characters as people see them. Spaces at a cut are left
    out."""
    found: list[str] = []
    while units(text) > limit:
        fits = _fitting(text, limit)
        cuts = (text.rfind(mark, fits // 2, fits + 1) for mark in "\n ")
        cut = next((at for at in cuts if at > 0), 0) or _between(text, fits)
        found.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [piece for piece in (*found, text) if piece.strip()]


def _between(text: str, at: int) -> int:
    """The last place up to ``at`` that is not within an emoji or a letter with its marks."""
    return next((place for place in range(at, at // 2, -1) if not _joined(text, place)), at)


def _joined(text: str, at: int) -> bool:
    """Whether what begins at ``at`` belongs to what stands before it."""
    letter, before = text[at], text[at - 1]
    flags = len(text[:at]) - len(text[:at].rstrip(FLAGS))
    return (
        unicodedata.category(letter).startswith("M")
        or letter in TONES
        or JOINER in {letter, before}
        or (letter in FLAGS and flags % 2 == 1)
    )


def _fitting(text: str, limit: int) -> int:
    """How many letters of ``text``, which is longer, fit into ``limit`` UTF-16 units."""
    used = 0
    for index, letter in enumerate(text):
        used += 2 if letter > "\uffff" else 1
        if used > limit:
            return index
    return len(text)


def parts(whole: hub.WirePart, files: tuple[hub.Attachment, ...]) -> tuple[hub.WirePart, ...]:
    """``whole`` as Telegram takes it: one file in each message, a short text as the caption of a
    single file, a long one in several messages."""
    known = {file.id: file for file in files}
    carried = [known[key] for key in whole.attachment_ids if key in known]
    captioned = len(carried) == 1 and units(whole.text) <= CAPTION
    texts = [] if captioned else pieces(whole.text, TEXT)
    return (
        *(hub.WirePart(text=text) for text in texts),
        *(
            hub.WirePart(
                text=whole.text if captioned else "",
                attachment_ids=(file.id,),
                data={"method": _method(file)},
            )
            for file in carried
        ),
    )


def _method(file: hub.Attachment) -> str:
    """Pictures are shown as such, up to a size; everything else is a document."""
    shown = file.content_type in PHOTOS and file.size <= PHOTO_BYTES
    return "sendPhoto" if shown else "sendDocument"


def result(ctx: hub.Context, answer: hub.HttpResponse, kind: type[T]) -> T:
    """What Telegram answered, as a ``kind``; raises what it refused, and why."""
    if answer.status != 200:
        raise refused(ctx, answer)
    try:
        return msgspec.json.decode(answer.body, type=api.Result[kind]).result
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise hub.OutcomeUnknown("Telegram agreed, and did not say to what") from None


def refused(ctx: hub.Context, answer: hub.HttpResponse) -> hub.HookError:
    """What an answer means that is no success: Telegram's own words first ("Making requests"), then
    what HTTP says."""
    try:
        told = msgspec.json.decode(answer.body, type=api.Failure)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return sending.refusal(ctx, answer)
    if told.error_code in {401, 404}:  # a token that was taken back, or that is none
        return hub.CredentialsInvalid("Telegram does not know the bot's token")
    if told.error_code == 429:
        return hub.Temporary("Telegram asks for a pause", retry_after=told.parameters.retry_after)
    if told.error_code in {400, 403, 413}:
        code = told.description[:100]
        return hub.Permanent(_reason(code), "Telegram refused it", provider_code=code)
    return sending.refusal(ctx, answer)


def _reason(description: str) -> hub.FailureReason:
    """Why, of what stands after the status: "Forbidden: bot was blocked by the user"."""
    words = description.partition(": ")[2].lower()
    for known, reason in REASONS.items():
        if words.startswith(known):
            return reason
    return "other"
