"""What channels ask their assistants while somebody waits: ``ctx.ask``.

An assistant has the same three verbs as a channel; who is outside is a model. It is put a request
by ``send``, and what the model said goes through its ``ingest``. It decides nothing: what comes of
it is events that only assistants have, each about the request it was given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count

import structlog
from msgspec.structs import replace

from hub.flow.channels import Channels
from hub.flow.host import Channel, ChannelResting, HookTimeout, LoopsExhausted, PluginFault
from hub.plugin import (
    Address,
    CallTask,
    CredentialsInvalid,
    Draft,
    Event,
    Handoff,
    Health,
    HookError,
    IngestResult,
    Outbound,
    Speak,
    Suggestion,
    Summary,
    Task,
    Temporary,
    Unsupported,
)

log = structlog.get_logger()

LIMITS = {"turn": 10.0, "summary": 30.0}
"""Seconds an assistant has for what it is asked."""
SCHEME = "assistant"
"""Of the address that a request goes to: the assistant's id."""
ANSWERS = (Speak, Handoff, Summary, Task, Draft, Suggestion)


class Assistance:
    """The assistants of a hub. ``named``: which one a channel asks, by the channel's key."""

    def __init__(self, assistants: Channels) -> None:
        self.named: Mapping[tuple[int, str], str] = {}
        self._assistants = assistants
        self._numbers = count(1)

    def ready(self, channel: tuple[int, str]) -> bool:
        """Whether a channel has an assistant that can be asked."""
        named = self.named.get(channel)
        return named is not None and self._assistants.get(channel[0], named) is not None

    async def ask(self, channel: tuple[int, str], task: CallTask) -> tuple[Event, ...]:
        """What the channel's assistant answers. Raises ``Unsupported`` when it has none, and
        ``Temporary`` when that cannot answer."""
        named = self.named.get(channel)
        if named is None:
            raise Unsupported("no assistant is named for this channel")
        assistant = self._assistants.get(channel[0], named)
        if assistant is None:
            raise Temporary(f'the assistant "{named}" is off')
        limit = LIMITS[task.wanted]
        now = datetime.now(UTC)
        request = Outbound(
            id=f"{channel[1]}-{now:%Y%m%d%H%M%S%f}-{next(self._numbers)}",
            address=Address(scheme=SCHEME, value=named),
            own_address="",
            deadline=now + timedelta(seconds=limit),
            kind="assist",
            task=task,
        )
        try:
            async with asyncio.timeout(limit):
                events = await _answered(assistant, request, limit)
        except Unsupported:
            raise
        except Temporary as error:
            raise Temporary(f'the assistant "{named}" cannot answer: {error.detail}') from error
        except (HookError, PluginFault, HookTimeout, ChannelResting, LoopsExhausted) as error:
            raise _failed(assistant, error) from error
        except TimeoutError as error:
            raise _failed(assistant, error) from error
        assistant.say(Health())
        return events


def _failed(assistant: Channel, error: Exception) -> Temporary:
    log.warning(
        "assistant.failed",
        assistant=assistant.id,
        organisation=assistant.organisation,
        error=f"{type(error).__name__}: {error}",
    )
    if isinstance(error, CredentialsInvalid):
        reason = error.detail or "The provider refuses the assistant's credentials."
        assistant.say(Health(state="needs_attention", reason=reason))
    return Temporary(f'the assistant "{assistant.id}" failed; it was logged')


async def _answered(assistant: Channel, request: Outbound, limit: float) -> tuple[Event, ...]:
    accepted = await assistant.send(request, limit)
    events: list[Event] = []
    for answer in accepted.answers:
        delivery = replace(answer, source="inline", received_at=datetime.now(UTC), id="")
        ingested = await assistant.ingest(delivery)
        if ingested.error is not None:
            raise ingested.error
        if isinstance(ingested.result, IngestResult):
            events += (_looked_at(assistant, request, event) for event in ingested.result.events)
    return tuple(events)


def _looked_at(assistant: Channel, request: Outbound, event: Event) -> Event:
    """The event, if an assistant may have it, and it is about what was asked."""
    tag = str(type(event).__struct_config__.tag)
    if not isinstance(event, ANSWERS) or tag not in assistant.info.emits:
        raise PluginFault(f"answered with {tag!r}, which it may not")
    if event.request_id != request.id:
        raise PluginFault(f"answered another request with {tag!r}")
    return event
