"""Originals: what tells of an earlier message names it as the hub knows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.conformance.cases import IngestCase, SendCase
from hub.conformance.check import Failed, NeedsCase, check
from hub.conformance.checks.instances import Provider
from hub.conformance.payload import Payload, renamed, vary
from hub.conformance.stage import Instance, Outcome, Stage
from hub.plugin.kit.recorded import Answering, nobody

NAMES = {"edited": "external_id", "deleted": "external_id", "reaction": "to"}
"""The field in which an event names the message that it is about."""
FLAGS = {"edited": "edits", "deleted": "deletes", "reaction": "reactions"}


def _originals(stage: Stage) -> dict[str, IngestCase | SendCase]:
    """The case that tells of a message, by the id under which the hub knows the message."""
    found: dict[str, IngestCase | SendCase] = {}
    for case in stage.cases.send:
        told: dict[str, Any] = case.expect.get("accepted", {})
        found |= dict.fromkeys([*told.get("parts", ()), told.get("external_id", "")], case)
    for told_of in stage.cases.ingest:
        for event in told_of.events:
            if event.get("type") == "message":
                found[event.get("external_id", "")] = told_of
    found.pop("", None)
    return found


def _ids(outcome: Outcome) -> list[str]:
    """Under which the hub knows what an ``ingest`` or a ``send`` was about."""
    if outcome.events:
        return [str(event.get("external_id")) for event in outcome.events]
    accepted = outcome.value
    return [*getattr(accepted, "parts", ()), str(getattr(accepted, "external_id", ""))]


async def _told_after(
    stage: Stage, original: IngestCase | SendCase, later: IngestCase, name: str
) -> tuple[Outcome, Outcome]:
    """A message, and what is told of it afterwards, on one instance. Where the provider's id of it
    stands in both deliveries it is another one than was recorded."""
    if isinstance(original, SendCase):
        answering: Answering = Provider(original, renaming=False) if original.exchanges else nobody
        async with stage.running(answering=answering, case=original) as one:
            return await one.send(stage.message(original)), await one.ingest(stage.delivery(later))
    deliveries = stage.delivery(original), stage.delivery(later)
    if not original.signed and not later.signed:
        number = stage.random.randrange(1000, 9000)
        made = [renamed(Payload.of(case.delivery), name, number) for case in (original, later)]
        others = [each for each in made if each is not None]
        if len(others) == 2 and others[0][0] == others[1][0]:
            deliveries = tuple(stage.signed(each[1].make()) for each in others)  # type: ignore[assignment]
    async with stage.running() as one:
        return await one.ingest(deliveries[0]), await one.ingest(deliveries[1])


@check("ING-15", "A reply names what it answers", why="Or it hangs on nothing.", on="threading")
async def replies_name_what_they_answer(stage: Stage) -> None:
    """By the id that the hub has of it; and what goes out names it to the provider, with what came
    before where the channel's messages carry that."""
    originals, tried = _originals(stage), 0
    for case in stage.with_events():
        for at, event in enumerate(case.events):
            name = event.get("reply_to")
            if not name or name not in originals:
                continue
            tried += 1
            original = originals[name]
            first, then = await _told_after(stage, original, case, name)
            got = then.events[at].get("reply_to") if len(then.events) > at else str(then)
            if got not in _ids(first):
                raise Failed(
                    "other_message",
                    done=f"ingested {case.name} after {original.name}, which it answers",
                    expected=f"reply_to to be one of {_ids(first)}",
                    got=str(got),
                )
    if not tried:
        raise NeedsCase("no reply_to in ingest/ is the external_id of another case, or of a send")
    for sent in stage.cases.send:
        if "accepted" in sent.expect:
            await _carried(stage, sent, frozenset(originals))


async def _carried(stage: Stage, case: SendCase, known: frozenset[str]) -> None:
    """Of what it answers, and what came before, the messages that were told of here. A recorded
    connection takes what was recorded; anybody else is given another id."""
    message = stage.message(case)
    names = [name for name in message.earlier if name in known]
    answered = message.reply_to if message.reply_to in known else None
    if answered and not case.conversations:
        answered = vary(answered, stage.random.randrange(1000, 9000), places=2)
        message = stage.message(case, reply_to=answered)
    names += [answered] if answered else []
    if not names:
        return
    answering = Provider(case, renaming=False) if case.exchanges else nobody
    async with stage.running(answering=answering, case=case) as one:
        heard = _listening(one)
        outcome = await one.send(message)
        said = [*_written(one, outcome), *heard]
    for name in names:
        if not any(_last(name) in each for each in said):
            raise Failed(
                "left_out",
                done=f"sent {case.name}, an answer to {name}",
                expected="the provider to be told what it answers",
                got=f"{outcome}, without it",
            )


def _last(name: str) -> str:
    """Of an id that is put together of several, the one of the message."""
    return name.rpartition("/")[2]


def _written(one: Instance, outcome: Outcome) -> Iterator[str]:
    """What the provider was told, by requests or by what is kept for it."""
    for call in outcome.calls:
        yield call.text()
        yield from (value for _, value in call.form())
    yield from (entry.value for entry in one.ctx.memory.entries.values())
    yield from (each.body.decode("utf-8", "replace") for each in one.ctx.emitted)


def _listening(one: Instance) -> list[str]:
    """What the plugin says on connections from now on."""
    said: list[str] = []
    connect = one.ctx.connect

    async def connected(*args: Any, **more: Any) -> Any:
        reader, writer = await connect(*args, **more)
        transport: Any = writer.transport
        write = transport.write

        def heard(data: bytes) -> None:
            said.append(bytes(data).decode("utf-8", "replace"))
            write(data)

        transport.write = heard
        return reader, writer

    one.ctx.connect = connected  # type: ignore[method-assign]
    return said


@check("IDM-07", "A change names the original", why="Or it is a message more.", on="changes")
async def changes_name_the_original(stage: Stage) -> None:
    """An edit, a deletion, a reaction: by the id that the hub has of the message, and as no message
    of its own."""
    originals = _originals(stage)
    wanted = {tag for tag, flag in FLAGS.items() if getattr(stage.can, flag)}
    for case in stage.with_events():
        for at, event in enumerate(case.events):
            tag = str(event.get("type"))
            name = event.get(NAMES.get(tag, ""))
            if not name or name not in originals:
                continue
            wanted.discard(tag)
            original = originals[name]
            first, then = await _told_after(stage, original, case, name)
            told = then.events[at] if len(then.events) > at else {}
            if told.get("type") != tag or told.get(NAMES[tag]) not in _ids(first):
                raise Failed(
                    "other_message",
                    done=f"ingested {case.name} after {original.name}, which it is about",
                    expected=f"{tag}, with {NAMES[tag]} one of {_ids(first)}",
                    got=str(then),
                )
    if wanted:
        tags = ", ".join(sorted(wanted))
        raise NeedsCase(f"ingest/ has no {tags} of a message that another case tells of")
