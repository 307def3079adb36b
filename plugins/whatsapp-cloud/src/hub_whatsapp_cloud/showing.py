"""How a message on WhatsApp looks, and how it goes out: words, files, or a template."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

from hub.plugin import (
    Attachment,
    Block,
    Buttons,
    Fields,
    File,
    Item,
    MediaLimits,
    Permanent,
    Rendered,
    Surface,
    TemplateUse,
    Text,
    WirePart,
)
from hub.plugin.rendering import shortened

CAPTION = 1024
"""Characters that can stand below a picture, a video or a document."""
TEMPLATE_BODY = 1024
"""Characters of a template's text when it is filled in."""
MARK = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
"""Where a value goes: ``{{1}}``, ``{{first_name}}``."""

PICTURES = ("image/jpeg", "image/png")
STICKER = "image/webp"


class Carries(Struct, frozen=True, kw_only=True):
    """What a provider takes: ``limits`` of files, ``sizes`` in bytes by a pattern of their type
    where they are less, ``max_length`` characters of a text; ``pack`` makes of a template in use
    what the provider is given."""

    limits: MediaLimits
    sizes: tuple[tuple[str, int], ...]
    max_length: int
    pack: Callable[[TemplateUse], dict[str, Any]]


def render(item: Item, surface: Surface, carries: Carries) -> Rendered:
    """The same blocks wherever it is shown; for the wire, the messages that it goes out as. Raises
    ``Permanent`` for a template that would be too long."""
    blocks = _template(item.template) if item.template is not None else _blocks(item)
    preview = _preview(item)
    match surface:
        case "notification":
            return Rendered(preview=shortened(preview))
        case "composer":
            warnings = tuple(_warnings(item, carries))
            return Rendered(blocks=blocks, preview=preview, warnings=warnings)
        case "wire":
            wire = _wire(item, carries)
            warnings = tuple(_warnings(item, carries))
            return Rendered(blocks=blocks, preview=preview, warnings=warnings, wire=wire)
        case "timeline" | "preview":
            return Rendered(blocks=blocks, preview=preview)


def values_of(use: TemplateUse) -> dict[str, str]:
    """The values as they go out: WhatsApp takes no line breaks, tabs or rows of spaces in them."""
    return {name: " ".join(value.split()) for name, value in use.values.items()}


def filled(text: str | None, values: Mapping[str, str]) -> str:
    """The text with its marks replaced by the values; a mark without one stays."""
    return MARK.sub(lambda mark: values.get(mark[1], mark[0]), text or "")


def parameters_of(texts: Sequence[str]) -> tuple[str, ...]:
    """The parameters that the marks of the texts name, each once: numbers in order, names as they
    come."""
    found = list(dict.fromkeys(mark[1] for text in texts for mark in MARK.finditer(text)))
    if all(name.isdecimal() for name in found):
        found.sort(key=int)
    return tuple(found)


def problem(attachments: Sequence[Attachment], carries: Carries) -> Permanent | None:
    """Why these files cannot go out; ``None`` when they can."""
    limits = carries.limits
    if len(attachments) > limits.max_count:
        return Permanent("too_large", f"{len(attachments)} files: at most {limits.max_count} go")
    for each in attachments:
        if each.content_type not in limits.types:
            return Permanent("unsupported_content", f"WhatsApp does not carry {each.content_type}")
        most = most_bytes(each.content_type, carries)
        if each.size > most:
            words = f"{each.content_type} may have at most {most / 1_000_000:g} MB"
            return Permanent("too_large", words)
    return None


def most_bytes(content_type: str, carries: Carries) -> int:
    """Bytes that a file of the type may have."""
    fitting = (most for pattern, most in carries.sizes if fnmatchcase(content_type, pattern))
    return min(next(fitting, carries.limits.max_bytes), carries.limits.max_bytes)


def takes_caption(content_type: str) -> bool:
    """Whether words can stand below a file of the type: not below sounds and stickers."""
    return not content_type.startswith("audio/") and content_type != STICKER


def _blocks(item: Item) -> tuple[Block, ...]:
    blocks: list[Block] = [Text(text=item.text)] if item.text else []
    blocks += [File(attachment_id=each.id) for each in item.attachments]
    if item.facts:
        blocks.append(Fields(fields=tuple(item.facts.items())))
    return tuple(blocks)


def _template(use: TemplateUse) -> tuple[Block, ...]:
    blocks: list[Block] = [Text(text=text) for text in _paragraphs(use)]
    if use.template.buttons:
        blocks.append(Buttons(labels=use.template.buttons))
    return tuple(blocks)


def _paragraphs(use: TemplateUse) -> list[str]:
    template, values = use.template, values_of(use)
    texts = (filled(text, values) for text in (template.header, template.body, template.footer))
    return [text for text in texts if text]


def _preview(item: Item) -> str:
    """One line: the words, else what came instead of words."""
    if item.template is not None:
        return " ".join(filled(item.template.template.body, values_of(item.template)).split())
    line = " ".join(item.text.split())
    if line:
        return line
    count = len(item.attachments)
    if count:
        pictures = all(each.content_type.startswith("image/") for each in item.attachments)
        what = "picture" if pictures else "file"
        return what.capitalize() if count == 1 else f"{count} {what}s"
    return next((f"{name}: {value}" for name, value in item.facts.items()), "")


def _wire(item: Item, carries: Carries) -> tuple[WirePart, ...]:
    """One message for a text, one for each file. The words stand below the first file where they
    fit there, else they go ahead of it."""
    if item.template is not None:
        too_long = _too_long(item.template)
        if too_long is not None:
            raise Permanent("too_large", too_long)
        text = "\n\n".join(_paragraphs(item.template))
        return (WirePart(text=text, data={"template": carries.pack(item.template)}),)
    if not item.attachments:
        return (WirePart(text=item.text),)
    first, *others = item.attachments
    parts = [WirePart(attachment_ids=(each.id,)) for each in others]
    if not item.text.strip() or _below(item.text, first):
        return (WirePart(text=item.text, attachment_ids=(first.id,)), *parts)
    return (WirePart(text=item.text), WirePart(attachment_ids=(first.id,)), *parts)


def _below(text: str, file: Attachment) -> bool:
    return len(text) <= CAPTION and takes_caption(file.content_type)


def _too_long(use: TemplateUse) -> str | None:
    length = len(filled(use.template.body, values_of(use)))
    if length <= TEMPLATE_BODY:
        return None
    return f"Too long: {length:,} of {TEMPLATE_BODY:,} characters with these values"


def _warnings(item: Item, carries: Carries) -> Iterator[str]:
    if item.template is not None:
        too_long = _too_long(item.template)
        if too_long is not None:
            yield too_long
        return
    if len(item.text) > carries.max_length:
        yield f"Too long: {len(item.text):,} of {carries.max_length:,} characters"
    found = problem(item.attachments, carries)
    if found is not None:
        yield found.detail
    if len(item.attachments) > 1:
        yield f"{len(_wire(item, carries))} messages: WhatsApp carries one file in each"
    elif item.attachments and item.text.strip() and not _below(item.text, item.attachments[0]):
        yield "2 messages: the text goes ahead of the file"
    if item.subject:
        yield "The subject will be left out"
    if item.html is not None:
        yield "The formatting will be left out"
