"""From a delivery to rows: the plugin reads it, the hub keeps it.

Once a delivery is verified nothing may lose it. What the plugin understands is stored with its
events in one transaction; what it does not is kept as it came, quarantined, and can be replayed.
The provider is answered only after the commit.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from hub.flow.host import Channel, ChannelResting, FailedChannel, now_ms
from hub.flow.writer import Unavailable, Writer
from hub.plugin import (
    ChannelNotice,
    Delivery,
    Health,
    IngestResult,
    Malformed,
    MediaRef,
    Message,
    OptIn,
    OptOut,
    Receipt,
    Reply,
    Temporary,
    Unverified,
    Verification,
)
from hub.plugin.types import Address, Event
from hub.rules import commands as c
from hub.rules.content import Content, one_line, storable
from hub.rules.sending import backoff
from hub.rules.states import Refusal
from hub.store.blobs import Blobs
from hub.store.ids import Ids, parse

log = structlog.get_logger()

INLINE_BODY = 64 * 1024
"""Bytes of a body that are kept in the row; larger ones go to the blob store."""
TRIES = 8
"""How often a delivery is read again by itself after a passing fault."""
_encode = msgspec.json.Encoder().encode


class UnverifiedFull(Exception):
    """As much as may be kept of what could not be verified is kept already."""


class Taken(Struct, frozen=True, kw_only=True):
    """What became of a delivery, and what its sender is answered."""

    state: str
    """``done``, ``ignored``, ``quarantined``, ``unverified``; ``refused``: nothing was kept."""
    status: int = 200
    reply: Reply | None = None
    reason: str | None = None


class Intake:
    """Takes deliveries in."""

    def __init__(
        self,
        writer: Writer,
        blobs: Blobs,
        ids: Ids,
        *,
        unverified_count: int = 1_000,
        unverified_bytes: int = 50_000_000,
    ) -> None:
        self._writer = writer
        self._blobs = blobs
        self._ids = ids
        self._largest_count = unverified_count
        self._largest_bytes = unverified_bytes
        self.unverified: dict[tuple[int, str], tuple[int, int]] = {}
        """What each channel keeps unverified: how many, and how many bytes."""
        self.counts: Counter[tuple[str, str]] = Counter()
        """Deliveries by channel and what became of them, for the metrics."""

    async def take(
        self,
        channel: Channel,
        delivery: Delivery,
        *,
        proof: Verification | None = None,
        delivery_id: int | None = None,
        attempts: int = 1,
    ) -> Taken:
        """Take in one delivery, or again one that was kept (``delivery_id``, with its proof).

        Raises ``Unavailable`` when nothing can be committed, ``UnverifiedFull``.
        """
        channel = channel.current
        id_ = delivery_id or self._ids.new()
        delivery = msgspec.structs.replace(delivery, id=str(id_))
        ingested = await channel.ingest(delivery, proof)
        trusted = (
            ingested.proof is not None
            or delivery.source not in {"http", "replay"}
            or channel.info.can.verifies == "none"
        )
        keep = _Keep(
            channel.organisation_id,
            channel.id,
            id_,
            delivery,
            ingested.proof,
            attempts,
            delivery_id is not None,
        )
        if ingested.result is not None and trusted:
            taken = await self._understood(channel, keep, ingested.result)
        else:
            error = ingested.error or PermissionError(
                "events without a proof of where they are from"
            )
            taken = await self._not_understood(keep, error, trusted=trusted)
        self.counts[channel.id, taken.state] += 1
        return taken

    async def keep_unread(
        self, failed: FailedChannel, organisation_id: int, delivery: Delivery
    ) -> Taken:
        """Keep what came for a channel that could not be loaded: it is verified when replayed."""
        id_ = self._ids.new()
        keep = _Keep(organisation_id, failed.id, id_, delivery, None, 0, again=False)
        taken = await self._keep_unverified(keep, "the channel could not be loaded")
        self.counts[failed.id, taken.state] += 1
        return taken

    # ------------------------------------------------------------------ understood

    async def _understood(self, channel: Channel, keep: _Keep, result: IngestResult) -> Taken:
        # A STOP stands in the thread, but asks for no response.
        asks = not any(isinstance(event, OptOut | OptIn) for event in result.events)
        try:
            commands = [
                command
                for event in result.events
                for command in self._commands(channel, keep, event, asks=asks)
            ]
        except Malformed as error:
            return await self._quarantine(keep, error.detail)
        except Exception as error:
            log.exception("intake.unreadable", channel=channel.id)
            return await self._quarantine(keep, f"could not be read: {type(error).__name__}")
        ignored = not result.events
        reason = (result.ignored or "no events") if ignored else None
        state = "ignored" if ignored else "done"
        kept = await self._kept(keep, state, reason)
        try:
            outcomes = await self._writer.record(kept, *commands)
        except Unavailable:
            raise
        except Exception as error:
            log.exception("intake.unstorable", channel=channel.id)
            return await self._quarantine(keep, f"could not be stored: {type(error).__name__}")
        for outcome in outcomes:
            if isinstance(outcome, Refusal):
                log.warning("intake.refused", channel=channel.id, reason=outcome.detail)
        for event in result.events:
            if isinstance(event, ChannelNotice) and event.state is not None:
                channel.say(Health(state=event.state, reason=event.text or None))
        return Taken(state=state, reply=result.reply, reason=reason)

    def _commands(
        self, channel: Channel, keep: _Keep, event: Event, *, asks: bool
    ) -> list[c.Command]:
        """An event as commands. Raises ``Malformed`` for what cannot be kept as an event."""
        tag = type(event).__struct_config__.tag
        if tag not in channel.info.emits:
            raise Malformed(f"the plugin does not say that it emits events of the kind {tag}")
        at = keep.received_at
        org = channel.organisation_id
        match event:
            case Message(echo=False):
                return [self._message(channel, keep, event, asks=asks)]
            case Receipt():
                return [self._receipt(channel, keep, event)]
            case OptOut() | OptIn():
                return [
                    c.ChangeConsent(
                        organisation_id=org,
                        at=at,
                        entry_id=self._ids.new(),
                        channel_id=channel.id,
                        address=_address(event.address),
                        own_address=event.own_address or "",
                        state="out" if isinstance(event, OptOut) else "in",
                        how=storable(event.how),
                    )
                ]
            case ChannelNotice():
                return []
            case _:
                raise Malformed(f"the hub does not take in events of the kind {tag} yet")

    def _message(
        self, channel: Channel, keep: _Keep, event: Message, *, asks: bool
    ) -> c.ReceiveMessage:
        if not event.sender:
            raise Malformed("a message without a sender")
        if not event.external_id:
            raise Malformed("a message without the provider's id")
        text = storable(event.text)
        content = Content(
            text=text,
            subject=None if event.subject is None else storable(event.subject),
            html=None if event.html is None else storable(event.html.html),
            facts={storable(key): storable(value) for key, value in event.facts.items()},
            reply_to=None if event.reply_to is None else storable(event.reply_to),
            automatic=event.automatic,
        )
        return c.ReceiveMessage(
            organisation_id=channel.organisation_id,
            at=keep.received_at,
            entry_id=self._ids.new(),
            channel_id=channel.id,
            grouping=channel.info.group,
            external_id=storable(event.external_id),
            sender=tuple(map(_address, event.sender)),
            sender_name=storable(event.sender_name) if event.sender_name else None,
            own_address=storable(event.own_address),
            content=content,
            preview=_preview(content, len(event.media)),
            media=tuple((self._ids.new(), _media(ref)) for ref in event.media),
            occurred_at=_milliseconds(event.occurred_at),
            asks=asks and not event.automatic,
            delivery_id=keep.id,
        )

    def _receipt(self, channel: Channel, keep: _Keep, event: Receipt) -> c.ReceiveReceipt:
        transmission_id = parse(event.transmission_id or "")
        if not event.external_id and transmission_id is None:
            raise Malformed("a receipt that names no message")
        return c.ReceiveReceipt(
            organisation_id=channel.organisation_id,
            at=keep.received_at,
            channel_id=channel.id,
            status=event.status,
            external_id=storable(event.external_id) if event.external_id else None,
            transmission_id=transmission_id,
            reason=event.reason,
            detail=None if event.detail is None else storable(event.detail)[:300],
            provider_code=None if event.provider_code is None else storable(event.provider_code),
            occurred_at=_milliseconds(event.occurred_at),
        )

    # ------------------------------------------------------------------ not understood

    async def _not_understood(self, keep: _Keep, error: Exception, *, trusted: bool) -> Taken:
        if isinstance(error, Unverified):
            if keep.again:  # it was kept unread, and turns out to be nobody's
                await self._writer.record(await self._kept(keep, "refused", error.detail))
            return Taken(state="refused", status=403, reason=error.detail)
        reason = str(error) or type(error).__name__
        # It mends itself: the provider is away, or the plugin is left alone for a while.
        passing = isinstance(error, ChannelResting) or (trusted and isinstance(error, Temporary))
        due_at = _again_at(keep) if passing else None
        if trusted:
            return await self._quarantine(keep, reason, due_at=due_at)
        if isinstance(error, Malformed) and not keep.again:
            return Taken(state="refused", status=400, reason=error.detail)
        return await self._keep_unverified(keep, reason, due_at=due_at)

    async def _quarantine(self, keep: _Keep, reason: str, *, due_at: int | None = None) -> Taken:
        await self._writer.record(await self._kept(keep, "quarantined", reason, due_at=due_at))
        log.warning("intake.quarantined", channel=keep.channel_id, reason=reason)
        return Taken(state="quarantined", reason=reason)

    async def _keep_unverified(
        self, keep: _Keep, reason: str, *, due_at: int | None = None
    ) -> Taken:
        key = (keep.organisation_id, keep.channel_id)
        count, size = self.unverified.get(key, (0, 0))
        if not keep.again:
            if count >= self._largest_count or size + len(keep.delivery.body) > self._largest_bytes:
                raise UnverifiedFull(keep.channel_id)
            self.unverified[key] = (count + 1, size + len(keep.delivery.body))
        await self._writer.record(await self._kept(keep, "unverified", reason, due_at=due_at))
        log.warning("intake.unverified", channel=keep.channel_id, reason=reason)
        return Taken(state="unverified", reason=reason)

    async def _kept(
        self, keep: _Keep, state: str, reason: str | None, *, due_at: int | None = None
    ) -> c.KeepDelivery:
        delivery = keep.delivery
        large = len(delivery.body) > INLINE_BODY
        proof = keep.proof
        return c.KeepDelivery(
            organisation_id=keep.organisation_id,
            at=keep.received_at,
            id=keep.id,
            channel_id=keep.channel_id,
            state=state,
            reason=None if reason is None else storable(reason)[:500],
            source=delivery.source,
            method=delivery.method,
            url=storable(delivery.url),
            headers=storable(_encode(delivery.headers).decode()),
            body=None if large else delivery.body,
            body_blob=await self._blob(delivery.body) if large else None,
            size=len(delivery.body),
            remote=delivery.remote,
            proof=None if proof is None else _encode((proof.method, proof.detail)).decode(),
            attempts=keep.attempts,
            due_at=due_at,
        )

    async def _blob(self, body: bytes) -> str:
        try:
            return await self._blobs.put(body)
        except OSError as error:
            raise Unavailable(f"the file store cannot be written to: {error.strerror}") from error


class _Keep(Struct, frozen=True):
    """A delivery on its way in, with what has to be kept of it whatever happens."""

    organisation_id: int
    channel_id: str
    id: int
    delivery: Delivery
    proof: Verification | None
    attempts: int
    again: bool
    """Whether it was kept before."""

    @property
    def received_at(self) -> int:
        """Milliseconds, when it came."""
        return int(self.delivery.received_at.timestamp() * 1000)


def _again_at(keep: _Keep) -> int | None:
    """When to read a delivery again without being asked; ``None`` when it was often enough."""
    if keep.attempts >= TRIES:
        return None
    return now_ms() + backoff(keep.attempts, random.SystemRandom())


def _address(address: Address) -> c.AddressOf:
    value = storable(address.value)
    if not value.strip():
        raise Malformed("an empty address")
    return c.AddressOf(
        scheme=storable(address.scheme),
        value=value,
        display=None if address.display is None else storable(address.display),
        verified=address.verified,
    )


def _media(ref: MediaRef) -> MediaRef:
    texts = {name: getattr(ref, name) for name in ("url", "provider_id", "name", "content_type")}
    cleaned = {name: storable(text) for name, text in texts.items() if text is not None}
    return msgspec.structs.replace(ref, **cleaned)


def _milliseconds(at: Any) -> int | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise Malformed("a time without a zone")
    return int(at.timestamp() * 1000)


def _preview(content: Content, files: int) -> str:
    line = one_line(content.subject or content.text)
    if line:
        return line
    if files:
        return "Attachment" if files == 1 else f"{files} attachments"
    return one_line(", ".join(f"{key}: {value}" for key, value in content.facts.items()))
