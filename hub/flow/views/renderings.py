"""What a channel's ``render`` gives for a message, surface by surface: for who writes channels."""

from __future__ import annotations

from typing import Any, Literal, cast, get_args

import msgspec

from hub.flow.host import Channel, PluginFault
from hub.flow.views import shapes
from hub.plugin import Attachment, HookError, Item, Message, Rendered, Surface
from hub.plugin.types import SafeHtml
from hub.rules import redaction
from hub.rules.content import storable
from hub.rules.files import UNKNOWN

LONGEST_TEXT = 10_000
"""Characters of one text that are shown."""


def renderings(channel: Channel, message: Message) -> list[shapes.Rendering]:
    """How a message that was understood looks wherever it is shown; below what is being written and
    at the provider as if the organisation sent the same. What goes wrong is told in place and
    counts against nobody."""
    return [_rendering(channel, message, surface) for surface in get_args(Surface)]


def _rendering(channel: Channel, message: Message, surface: Surface) -> shapes.Rendering:
    written = message.echo or surface in {"composer", "wire"}
    direction: Literal["in", "out"] = "out" if written else "in"
    fault, rendered = None, Rendered()
    try:
        rendered = channel.render(_item(message, direction), surface, dry_run=True)
    except HookError as error:
        fault = f"{type(error).__name__}: {error.detail}"
    except PluginFault as error:
        fault = str(error)
    facts = {**cast("dict[str, Any]", plain(rendered)), "fault": fault}
    told = cast("dict[str, Any]", redaction.anywhere(facts, channel.secrets, LONGEST_TEXT))
    return shapes.Rendering(surface=surface, direction=direction, **told)


def _item(message: Message, direction: Literal["in", "out"]) -> Item:
    """The message as the conversation would have it. Its files were not fetched: they have the
    names and types that the provider claims."""
    other = message.recipient if message.echo else next(iter(message.sender), None)
    return Item(
        direction=direction,
        text=storable(message.text),
        subject=None if message.subject is None else storable(message.subject),
        html=message.html,
        attachments=tuple(
            Attachment(
                id=str(place),
                name=storable(ref.name or ""),
                content_type=ref.content_type or UNKNOWN,
                size=ref.size or 0,
            )
            for place, ref in enumerate(message.media, 1)
        ),
        facts={storable(key): storable(value) for key, value in message.facts.items()},
        address=other,
        own_address=message.own_address,
    )


def plain(value: object) -> object:
    """Something that a plugin gave, as JSON has it."""
    return msgspec.to_builtins(value, enc_hook=_html)


def _html(value: object) -> object:
    if isinstance(value, SafeHtml):
        return value.html
    raise NotImplementedError(type(value).__name__)
