"""Templates: what stands in Twilio's Content API, with WhatsApp's approval, and one filled in as a
message has it. A content's marks (``{{1}}``) are numbered over all of its parts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

from hub_whatsapp_cloud.showing import parameters_of, values_of
from msgspec import Struct, ValidationError, convert, field

from hub.plugin import TemplateInfo, TemplateUse

State = Literal["approved", "pending", "rejected", "paused"]

STATES: dict[str, tuple[State, str | None]] = {
    "approved": ("approved", None),
    "pending": ("pending", None),
    "received": ("pending", None),
    "rejected": ("rejected", None),
    "paused": ("paused", "WhatsApp has paused it"),
    "disabled": ("paused", "WhatsApp has disabled it"),
    "unsubmitted": ("pending", "It was never sent to WhatsApp for approval"),
}

SHOWN = ("body", "title", "subtitle", "header_text", "footer")
"""Parts of a content that people read, as the types name them."""
SESSION_ONLY = frozenset({"twilio/list-picker", "twilio/location", "twilio/catalog"})
"""Types that go out within the 24 hours alone, and are never approved."""


class Content(Struct, frozen=True):
    """A content with its approval, as Twilio lists it."""

    sid: str
    friendly_name: str | None = None
    language: str | None = None
    variables: dict[str, Any] | None = None
    types: dict[str, Any] = field(default_factory=dict[str, Any])
    approval_requests: Any = None


class Approval(Struct, frozen=True):
    """What WhatsApp says of a content."""

    name: str | None = None
    status: str | None = None
    rejection_reason: str | None = None


def infos(contents: list[Any]) -> tuple[TemplateInfo, ...]:
    """The contents that are templates, each name and language once: the one that can be used, else
    the first. What is no content is passed over."""
    found: dict[tuple[str, str], TemplateInfo] = {}
    for each in contents:
        try:
            info = _info(convert(each, Content))
        except ValidationError:
            continue
        if info is None:
            continue
        key = info.name, info.language
        if key not in found or (info.state == "approved" != found[key].state):
            found[key] = info
    return tuple(found.values())


def pack(use: TemplateUse) -> dict[str, Any]:
    """The template with its values, as the parameters of a message."""
    packed: dict[str, Any] = {"content_sid": use.template.data["sid"]}
    values = values_of(use)
    if values:
        packed["content_variables"] = json.dumps(values, ensure_ascii=False, sort_keys=True)
    return packed


def _info(content: Content) -> TemplateInfo | None:
    kind = next((each for each in content.types if each not in SESSION_ONLY), None)
    part = content.types.get(kind or "")
    if kind is None or not isinstance(part, dict):
        return None
    fields = cast("dict[str, Any]", part)
    approval = _approval(content.approval_requests)
    state, reason = STATES.get(approval.status or "unsubmitted", ("paused", None))
    shown = {name: fields[name] for name in SHOWN if isinstance(fields.get(name), str)}
    body = shown.get("body") or shown.get("title") or ""
    header = shown.get("header_text") or (shown.get("title") if shown.get("body") else None)
    header = "\n".join(part for part in (header, *_media(fields)) if part) or None
    names = parameters_of(list(_texts(fields)))
    examples = content.variables or {}
    return TemplateInfo(
        name=approval.name or content.friendly_name or content.sid,
        language=content.language or "",
        body=body,
        parameters=names,
        examples=tuple(str(examples.get(name, "")) for name in names),
        header=header,
        footer=shown.get("footer") or shown.get("subtitle"),
        buttons=tuple(_buttons(fields)),
        state=state,
        reason=approval.rejection_reason or reason or (None if state == "approved" else state),
        data={"sid": content.sid},
    )


def _approval(given: Any) -> Approval:
    """Under its channel in some answers, as it is in others."""
    if isinstance(given, dict):
        channels = cast("dict[str, Any]", given)
        given = channels.get("whatsapp", cast("Any", channels))
    try:
        return convert(given, Approval)
    except ValidationError:
        return Approval()


def _texts(value: object) -> Iterator[str]:
    """Every text of a content: marks stand in addresses and buttons as well."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in cast("Mapping[str, object]", value).values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _texts(each)


def _media(fields: Mapping[str, Any]) -> Iterator[str]:
    for each in _texts(fields.get("media")):
        yield f"[File: {each}]"


def _buttons(fields: Mapping[str, Any]) -> Iterator[str]:
    actions = fields.get("actions")
    for each in cast("list[Any]", actions) if isinstance(actions, list) else ():
        if isinstance(each, dict):
            action = cast("dict[str, Any]", each)
            yield str(action.get("title") or action.get("type") or "Button")
