"""From a delivery to rows: the plugin reads it, the hub keeps it.

Once a delivery is verified nothing may lose it. What the plugin understands is stored with its
events in one transaction; what it does not is kept as it came, quarantined, and can be replayed.
The provider is answered only after the commit.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow import automatic, news
from hub.flow.answers import Answers, NoAnswer
from hub.flow.host import Channel, ChannelResting, FailedChannel, Ingested, now_ms
from hub.flow.keywords import Said, answered, answers_itself, chosen, grouped, meaning
from hub.flow.settings import Known, OrganisationSettings
from hub.flow.writer import Transaction, Unavailable, Writer
from hub.plugin import (
    CallEnded,
    CallOutcome,
    CallStarted,
    CallTurn,
    ChannelNotice,
    Clicked,
    ContactChanged,
    Deleted,
    Delivery,
    Edited,
    FetchRef,
    Health,
    IngestResult,
    Malformed,
    Message,
    Opened,
    OptIn,
    OptOut,
    Reaction,
    Receipt,
    Recording,
    Reply,
    TemplateChanged,
    Temporary,
    Transcript,
    Unverified,
    Verification,
    Voicemail,
)
from hub.plugin.kit.verify import Missing
from hub.rules import commands as c
from hub.rules.content import Content, one_line, storable
from hub.rules.sending import backoff
from hub.rules.states import Refusal
from hub.store import fetches
from hub.store.blobs import Blobs
from hub.store.ids import Ids, parse

log = structlog.get_logger()

INLINE_BODY = 64 * 1024
"""Bytes of a body that are kept in the row; larger ones go to the blob store."""
MOST_IN_COPY = 100
"""People in copy of a message that comes in, as far as they are kept."""
TRIES = 8
"""How often a delivery is read again by itself after a passing fault."""
ANSWER_WITHIN = 15 * 60 * 1000
"""Milliseconds for which the hub answers a word; what is read later is only kept."""
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


class DryRun(Struct, frozen=True, kw_only=True):
    """What would become of a delivery if it were taken in now."""

    state: str
    """As in ``Taken``."""
    reason: str | None
    proof: Verification | None
    result: IngestResult | None
    """What ``ingest`` gave, also where the hub cannot keep it."""


class Intake:
    """Takes deliveries in."""

    def __init__(
        self,
        writer: Writer,
        blobs: Blobs,
        ids: Ids,
        answers: Answers,
        settings: OrganisationSettings,
        *,
        unverified_count: int = 1_000,
        unverified_bytes: int = 50_000_000,
    ) -> None:
        self._writer = writer
        self._blobs = blobs
        self._ids = ids
        self._answers = answers
        self._settings = settings
        self.named: Callable[[], None] = lambda: None
        """Called when there is something new to fetch."""
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
        keep, ingested, trusted = await self._read(
            channel, delivery, proof, delivery_id, attempts=attempts
        )
        result = ingested.result
        if result is not None and trusted:
            taken = await self._store(channel, await self._understood(channel, keep, result))
            if result.answer is not None and delivery_id is None and delivery.source == "http":
                taken = await self._answered(channel, result.answer, result, taken)
        else:
            taken = await self._not_understood(keep, _why(ingested), trusted=trusted)
        self.counts[channel.id, taken.state] += 1
        return taken

    async def take_together(
        self,
        channel: Channel,
        deliveries: Sequence[Delivery],
        source: Literal["poll", "fetch"],
        along: Callable[[Connection], bool],
    ) -> bool:
        """Take in, in order, what a hook of the channel has brought, in one transaction with what
        ``along`` writes: either all of it is stored or nothing. ``False``: nothing is, because
        ``along`` says that it is not wanted any more. Raises ``Unavailable``."""
        channel = channel.current
        ready: list[_Ready] = []
        for one in deliveries:
            came = msgspec.structs.replace(one, source=source, received_at=datetime.now(UTC))
            keep, ingested, _ = await self._read(channel, came, None, None, attempts=1)
            if ingested.result is not None:
                ready.append(await self._understood(channel, keep, ingested.result))
            elif isinstance(ingested.error, Unverified):
                self.counts[channel.id, "refused"] += 1
                log.warning("intake.turned_away", channel=channel.id, source=source)
            else:
                error = _why(ingested)
                due_at = _again_at(keep) if _passing(error) else None
                ready.append(await self._set_aside(keep, _said(error), due_at=due_at))

        def work(transaction: Transaction) -> list[Any] | None:
            if not along(transaction.connection):
                return None
            return [self._write(transaction, one) for one in ready]

        try:
            outcomes = await self._writer.transact(work)
        except Unavailable:
            raise
        except Exception:
            # One of them is at fault. By itself it is quarantined, and the others are stored.
            log.exception("intake.unstorable", channel=channel.id, source=source)
            for one in ready:
                await self._store(channel, one)
            return await self._writer.execute(along)
        if outcomes is None:
            return False
        for one, own in zip(ready, outcomes, strict=True):
            self._stored(channel, one, own)
            self.counts[channel.id, one.taken.state] += 1
        return True

    async def dry_run(
        self, channel: Channel, delivery: Delivery, *, proof: Verification | None, delivery_id: int
    ) -> DryRun:
        """What would come of a kept delivery now. Nothing is stored, counted or told to anybody.

        What only the rows can tell, such as that a message is there already, it does not know."""
        channel = channel.current
        keep, ingested, trusted = await self._read(
            channel, delivery, proof, delivery_id, attempts=1, dry_run=True
        )
        result, state, reason = ingested.result, "done", None
        if result is None or not trusted:
            error = _why(ingested)
            refused = isinstance(error, Unverified)
            state = "refused" if refused else "quarantined" if trusted else "unverified"
            reason = _said(error)
        else:
            known = await self._settings.of(channel.organisation_id)
            try:
                self._all_commands(channel, keep, result, known)
            except Malformed as error:
                state, reason = "quarantined", error.detail
            else:
                if not (result.events or result.fetch):
                    state, reason = "ignored", _why_ignored(result)
        return DryRun(state=state, reason=reason, proof=ingested.proof, result=result)

    async def _read(
        self,
        channel: Channel,
        delivery: Delivery,
        proof: Verification | None,
        delivery_id: int | None,
        *,
        attempts: int,
        dry_run: bool = False,
    ) -> tuple[_Keep, Ingested, bool]:
        """What the plugin makes of it, and whether it may be believed."""
        id_ = delivery_id or self._ids.new()
        delivery = msgspec.structs.replace(delivery, id=str(id_))
        ingested = await channel.ingest(delivery, proof, dry_run=dry_run)
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
        return keep, ingested, trusted

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

    async def _understood(self, channel: Channel, keep: _Keep, result: IngestResult) -> _Ready:
        known = await self._settings.of(channel.organisation_id)
        try:
            commands = self._all_commands(channel, keep, result, known)
        except Malformed as error:
            return await self._set_aside(keep, error.detail)
        ignored = not (result.events or result.fetch)
        reason = _why_ignored(result) if ignored else None
        state = "ignored" if ignored else "done"
        kept = await self._kept(keep, state, reason)
        taken = Taken(state=state, reply=result.reply, reason=reason)
        return _Ready(keep, taken, [kept, *commands], result)

    async def _store(self, channel: Channel, ready: _Ready) -> Taken:
        """Write what one delivery came to. Raises ``Unavailable``."""
        try:
            if ready.fetch:
                outcomes = await self._writer.transact(
                    lambda transaction: self._write(transaction, ready)
                )
            else:
                outcomes = await self._writer.record(*ready.commands)
        except Unavailable:
            raise
        except Exception as error:
            if ready.result is None:
                raise
            log.exception("intake.unstorable", channel=channel.id)
            why = f"could not be stored: {type(error).__name__}"
            return await self._store(channel, await self._set_aside(ready.keep, why))
        self._stored(channel, ready, outcomes)
        return ready.taken

    def _write(self, transaction: Transaction, ready: _Ready) -> list[Any]:
        outcomes = transaction.record(ready.commands)
        if ready.fetch:
            fetches.add(transaction.connection, [self._wanted(ready, one) for one in ready.fetch])
        return outcomes

    def _wanted(self, ready: _Ready, ref: FetchRef) -> fetches.NewFetch:
        keep = ready.keep
        return fetches.NewFetch(
            id=self._ids.new(),
            organisation_id=keep.organisation_id,
            channel_id=keep.channel_id,
            ref_id=storable(ref.id),
            data=storable(_encode(ref.data).decode()),
            delivery_id=keep.id,
            due_at=now_ms(),
        )

    def _stored(self, channel: Channel, ready: _Ready, outcomes: Sequence[Any]) -> None:
        """What follows from a delivery that is committed."""
        for outcome in outcomes:
            if isinstance(outcome, Refusal):
                log.warning("intake.refused", channel=channel.id, reason=outcome.detail)
        if ready.fetch:
            self.named()
        if ready.result is None:
            log.warning("intake.quarantined", channel=channel.id, reason=ready.taken.reason)
            return
        for event in ready.result.events:
            if isinstance(event, ChannelNotice) and event.state is not None:
                channel.say(Health(state=event.state, reason=event.text or None))
            elif isinstance(event, TemplateChanged):
                channel.forget_templates()

    async def _answered(
        self, channel: Channel, question: str, result: IngestResult, taken: Taken
    ) -> Taken:
        """What the provider waits for, now that everything is stored."""
        if taken.state not in {"done", "ignored"}:
            return taken
        try:
            reply = await self._answers.to(channel, storable(question), result)
        except NoAnswer as error:
            if taken.reply is not None:
                return taken
            return msgspec.structs.replace(
                taken, status=503, reason=f"The plugin has no answer: {error}"
            )
        return msgspec.structs.replace(taken, reply=reply)

    def _all_commands(
        self, channel: Channel, keep: _Keep, result: IngestResult, known: Known
    ) -> list[c.Command]:
        """What a plugin understood, as commands. Raises ``Malformed`` for what cannot be kept."""
        if result.fetch and not channel.has("fetch"):
            raise Malformed("the plugin names what is to be fetched, but has no hook fetch")
        if result.answer is not None and not channel.has("answer"):
            raise Malformed("the plugin says that an answer is awaited, but has no hook answer")
        try:
            commands: list[c.Command] = []
            for said in grouped(result.events):
                commands += self._commands(channel, keep, said, known)
        except Malformed:
            raise
        except Exception as error:
            log.exception("intake.unreadable", channel=channel.id)
            raise Malformed(f"could not be read: {type(error).__name__}") from error
        return commands

    def _commands(self, channel: Channel, keep: _Keep, said: Said, known: Known) -> list[c.Command]:
        """An event as commands. Raises ``Malformed`` for what cannot be kept as an event."""
        event = said.event
        for one in (event, *said.choices):
            tag = type(one).__struct_config__.tag
            if tag not in channel.info.emits:
                raise Malformed(f"the plugin does not say that it emits events of the kind {tag}")
        at = keep.received_at
        org = channel.organisation_id
        match event:
            case Message():
                return self._message_and_choices(channel, keep, event, said.choices, known)
            case Receipt():
                return [self._receipt(channel, keep, event)]
            case CallStarted():
                return [self._call(channel, keep, event, assigns=_assigns(channel, known))]
            case (
                Edited()
                | Deleted()
                | Reaction()
                | Opened()
                | Clicked()
                | CallTurn()
                | CallEnded()
                | Recording()
                | Transcript()
                | Voicemail()
                | CallOutcome()
            ):
                return [self._news(channel, keep, event)]
            case OptOut() | OptIn():
                return [self._choice(channel, keep, event)]
            case ContactChanged():
                return [
                    c.ChangeIdentity(
                        organisation_id=org,
                        at=at,
                        channel_id=channel.id,
                        old=news.address(event.old),
                        new=news.address(event.new),
                    )
                ]
            case ChannelNotice() | TemplateChanged():
                return []  # what follows from them is no row: see _stored
            case _:
                kind = type(event).__struct_config__.tag
                raise Malformed(f"the hub does not take in events of the kind {kind} yet")

    def _message_and_choices(
        self,
        channel: Channel,
        keep: _Keep,
        event: Message,
        choices: Sequence[OptOut | OptIn],
        known: Known,
    ) -> list[c.Command]:
        """A message, and what it says of its sender's consent. A STOP stands in the thread, but
        asks for no response."""
        meant = None if choices else meaning(channel, event, known)
        muted = bool(choices) or meant in {"stop", "start"}
        assigns = _assigns(channel, known)
        message = self._message(channel, keep, event, asks=not muted, assigns=assigns)
        said_in = (message.external_id, message.entry_id)
        if not choices and meant is None:
            return [message]
        said = _Word(channel, event, message.own_address, said_in, keep.received_at)
        fresh = now_ms() - keep.received_at <= ANSWER_WITHIN
        if meant == "help":
            help_ = self._answer(said, known, "help", by_hub=fresh and not answered(channel, event))
            return [message] if help_ is None else [message, help_]
        commands: list[c.Command] = [message]
        if meant is not None:
            choices = tuple(chosen(event, meant))
        for place, choice in enumerate(choices):
            # The hub answers once, however many addresses the sender has.
            ours = fresh and place == 0 and answers_itself(channel, of_provider=meant is None)
            word = "stop" if isinstance(choice, OptOut) else "start"
            commands.append(
                msgspec.structs.replace(
                    self._choice(channel, keep, choice),
                    said_in=said_in,
                    if_out=meant == "yes",
                    answer=self._answer(said, known, word, by_hub=ours),
                )
            )
        return commands

    def _answer(
        self, said: _Word, known: Known, word: automatic.ANSWERS, *, by_hub: bool
    ) -> c.SendMessage | None:
        if not by_hub:
            return None
        return automatic.answer(
            said.channel,
            known,
            self._ids,
            word=word,
            to=said.event.sender[0],
            own_address=said.own_address,
            at=said.at,
            said_in=said.said_in,
        )

    def _choice(self, channel: Channel, keep: _Keep, event: OptOut | OptIn) -> c.ChangeConsent:
        return c.ChangeConsent(
            organisation_id=channel.organisation_id,
            at=keep.received_at,
            entry_id=self._ids.new(),
            channel_id=channel.id,
            address=news.address(event.address),
            own_address=event.own_address or "",
            state="out" if isinstance(event, OptOut) else "in",
            how=storable(event.how) or "said so",
        )

    def _message(
        self, channel: Channel, keep: _Keep, event: Message, *, asks: bool, assigns: bool
    ) -> c.ReceiveMessage:
        if event.echo and event.recipient is None:
            raise Malformed("a message that went out elsewhere, without a recipient")
        if not (event.echo or event.sender):
            raise Malformed("a message without a sender")
        if not event.external_id:
            raise Malformed("a message without the provider's id")
        contact = (event.recipient,) if event.echo and event.recipient else event.sender
        name = storable(event.sender_name) if event.sender_name else None
        text = storable(event.text)
        content = Content(
            text=text,
            subject=None if event.subject is None else storable(event.subject),
            html=None if event.html is None else storable(event.html.html),
            facts={storable(key): storable(value) for key, value in event.facts.items()},
            reply_to=None if event.reply_to is None else storable(event.reply_to),
            automatic=event.automatic,
            author=name if event.echo else None,
            cc=[storable(one.value) for one in event.cc[:MOST_IN_COPY]],
        )
        return c.ReceiveMessage(
            organisation_id=channel.organisation_id,
            at=keep.received_at,
            entry_id=self._ids.new(),
            channel_id=channel.id,
            grouping=channel.info.group,
            external_id=storable(event.external_id),
            sender=tuple(map(news.address, contact)),
            sender_name=name,
            own_address=storable(event.own_address),
            content=content,
            preview=_preview(content, len(event.media)),
            media=tuple((self._ids.new(), news.media(ref, keep.delivery)) for ref in event.media),
            occurred_at=news.milliseconds(event.occurred_at),
            asks=asks and not event.automatic,
            echo=event.echo,
            threads=channel.info.can.threading,
            assigns=assigns and not event.echo,
            delivery_id=keep.id,
            fingerprint=None if event.fingerprint is None else storable(event.fingerprint),
        )

    def _call(
        self, channel: Channel, keep: _Keep, event: CallStarted, *, assigns: bool
    ) -> c.ReceiveCall:
        if not event.external_id:
            raise Malformed("a call without the provider's id")
        return c.ReceiveCall(
            organisation_id=channel.organisation_id,
            at=keep.received_at,
            entry_id=self._ids.new(),
            channel_id=channel.id,
            external_id=storable(event.external_id),
            direction=event.direction,
            caller=tuple(map(news.address, event.caller)),
            caller_name=storable(event.caller_name) if event.caller_name else None,
            own_address=storable(event.own_address),
            occurred_at=news.milliseconds(event.occurred_at),
            assigns=assigns and event.direction == "in",
            delivery_id=keep.id,
        )

    def _news(self, channel: Channel, keep: _Keep, event: news.Telling) -> c.ReceiveNews:
        tells = news.of_event(event, keep.delivery, self._ids)
        return c.ReceiveNews(
            organisation_id=channel.organisation_id,
            at=keep.received_at,
            channel_id=channel.id,
            external_id=tells.external_id,
            key=tells.key,
            news=tells.news,
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
            occurred_at=news.milliseconds(event.occurred_at),
            threads=channel.info.can.threading,
        )

    # ------------------------------------------------------------------ not understood

    async def _not_understood(self, keep: _Keep, error: Exception, *, trusted: bool) -> Taken:
        if isinstance(error, Unverified):
            if keep.again:  # it was kept unread, and turns out to be nobody's
                await self._writer.record(await self._kept(keep, "refused", error.detail))
            return Taken(state="refused", status=403, reason=error.detail)
        reason = _said(error)
        passing = _passing(error) if trusted else isinstance(error, ChannelResting | Missing)
        due_at = _again_at(keep) if passing else None
        if trusted:
            return await self._quarantine(keep, reason, due_at=due_at)
        if isinstance(error, Malformed) and not keep.again:
            return Taken(state="refused", status=400, reason=error.detail)
        return await self._keep_unverified(keep, reason, due_at=due_at)

    async def _quarantine(self, keep: _Keep, reason: str, *, due_at: int | None = None) -> Taken:
        ready = await self._set_aside(keep, reason, due_at=due_at)
        await self._writer.record(*ready.commands)
        log.warning("intake.quarantined", channel=keep.channel_id, reason=reason)
        return ready.taken

    async def _set_aside(self, keep: _Keep, reason: str, *, due_at: int | None = None) -> _Ready:
        kept = await self._kept(keep, "quarantined", reason, due_at=due_at)
        return _Ready(keep, Taken(state="quarantined", reason=reason), [kept], None)

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


class _Word(Struct, frozen=True):
    """A message that the hub answers by itself."""

    channel: Channel
    event: Message
    own_address: str
    said_in: tuple[str, int]
    at: int


class _Ready(Struct, frozen=True):
    """A delivery that was read: what is to be written of it, and what its sender is told then.
    Without a ``result`` it is quarantined."""

    keep: _Keep
    taken: Taken
    commands: list[c.Command]
    result: IngestResult | None

    @property
    def fetch(self) -> tuple[FetchRef, ...]:
        """What it only names."""
        return () if self.result is None else self.result.fetch


def _why(ingested: Ingested) -> Exception:
    """Why a delivery was not understood, or may not be believed."""
    return ingested.error or PermissionError("events without a proof of where they are from")


def _assigns(channel: Channel, known: Known) -> bool:
    """Whether conversations of the channel are assigned by themselves. What is right in the moment
    is read again where it is decided; while nobody wants it, nothing is read."""
    return known.settings.assignment.of(channel.id).mode != "off"


def _why_ignored(result: IngestResult) -> str:
    return result.ignored or "no events"


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _passing(error: Exception) -> bool:
    """Whether it mends itself: the provider is away, or the plugin is left alone for a while."""
    return isinstance(error, ChannelResting | Temporary)


def _again_at(keep: _Keep) -> int | None:
    """When to read a delivery again without being asked; ``None`` when it was often enough."""
    if keep.attempts >= TRIES:
        return None
    return now_ms() + backoff(keep.attempts, random.SystemRandom())


def _preview(content: Content, files: int) -> str:
    line = one_line(content.subject or content.text)
    if line:
        return line
    if files:
        return "Attachment" if files == 1 else f"{files} attachments"
    return one_line(", ".join(f"{key}: {value}" for key, value in content.facts.items()))
