"""Signature: what does not come from who it claims is refused, whatever it looks like."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace

from hub.conformance.cases import IngestCase
from hub.conformance.check import Failed, NeedsCase, NotApplicable, check
from hub.conformance.matching import expect_case
from hub.conformance.settings import settings_of, with_other_secrets
from hub.conformance.stage import Instance, Outcome, Stage
from hub.plugin import Delivery, IngestResult
from hub.plugin.kit.recorded import RecordedContext
from hub.plugin.kit.secrets import secrets_in

POSITIONS = 12
ODD_HEADERS = {"non-ASCII": "ü" * 20, "empty": "", "huge": "a" * 100_000, "control": "\x00\x7f"}


def _cases(stage: Stage) -> list[IngestCase]:
    """One of each content type is enough."""
    found: dict[str, IngestCase] = {}
    for case in stage.posted():
        found.setdefault(f"{case.delivery.method} {case.delivery.header('content-type')}", case)
    return list(found.values())


class Seal(Struct, frozen=True):
    """What a signature consists of: headers, or fields of a JSON body."""

    headers: tuple[tuple[str, str], ...]
    fields: dict[str, Any]

    def on(self, delivery: Delivery) -> Delivery | None:
        """The same on another delivery; ``None`` where that has no place for it."""
        body = delivery.body
        if self.fields:
            told = _object(body)
            if told is None:
                return None
            body = json.dumps(told | self.fields).encode()
        return replace(delivery, headers=(*delivery.headers, *self.headers), body=body)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        told: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", told) if isinstance(told, dict) else None


def seal(delivery: Delivery, signed: Delivery) -> Seal:
    """What signing a delivery has added to it."""
    headers = tuple(header for header in signed.headers if header not in delivery.headers)
    fields: dict[str, Any] = {}
    if signed.body != delivery.body:
        before, after = _object(delivery.body) or {}, _object(signed.body) or {}
        fields = {name: value for name, value in after.items() if before.get(name) != value}
    return Seal(headers, fields)


def _signature(stage: Stage, delivery: Delivery) -> Seal | None:
    """What a delivery is signed with; ``None`` where it cannot be signed at all."""
    try:
        signed = stage.signed(delivery)
    except NeedsCase:
        raise
    except Exception:  # noqa: BLE001 — the author's code, on a delivery that means nothing
        return None
    return seal(delivery, signed)


def _moved(stage: Stage, ours: Seal, delivery: Delivery) -> Delivery | None:
    """Another delivery with the signature of the first; ``None``: it is the same for both."""
    return None if _signature(stage, delivery) == ours else ours.on(delivery)


async def _refused(one: Instance, delivery: Delivery, code: str, done: str) -> None:
    outcome = await one.ingest(delivery)
    if outcome.name != "unverified":
        raise Failed(code, done=done, expected="Unverified", got=str(outcome))


def _not_covered(what: str) -> NotApplicable:
    return NotApplicable(f"the signature does not cover {what}")


@check("SIG-01", "A delivery without a signature is refused", why="Anybody can post one.",
       on="verifies")  # fmt: skip
async def missing_is_refused(stage: Stage) -> None:
    """As the case stands, not signed."""
    for case in _cases(stage):
        ours = seal(case.delivery, stage.signed(case.delivery))
        if not ours.headers and not ours.fields:
            raise NotApplicable("sign.py adds neither a header nor a field")
        async with stage.running() as one:
            await _refused(one, case.delivery, "taken", f"ingested {case.name} without signature")


@check("SIG-02", "A changed byte is refused", why="A signature is of a content.", on="verifies")
async def changed_byte_is_refused(stage: Stage) -> None:
    """At several places of the body, wherever the signature would be another."""
    tried = 0
    for case in _cases(stage):
        ours, body = seal(case.delivery, stage.signed(case.delivery)), case.delivery.body
        async with stage.running() as one:
            for at in sorted(stage.random.sample(range(len(body)), min(POSITIONS, len(body)))):
                other = bytes([body[at] ^ 1])
                delivery = replace(case.delivery, body=body[:at] + other + body[at + 1 :])
                if (changed := _moved(stage, ours, delivery)) is None:
                    continue
                tried += 1
                await _refused(one, changed, "changed_taken", f"changed byte {at} of {case.name}")
    if not tried:
        raise _not_covered("the body")


@check("SIG-03", "Another key is refused", why="The key is what makes it a signature.",
       on="verifies")  # fmt: skip
async def other_key_is_refused(stage: Stage) -> None:
    """Another channel's key, an empty one, and an empty one in the settings."""
    settings = stage.settings()
    case = _cases(stage)[0]
    if stage.cases.forge is not None:
        async with stage.running() as one:
            forged = stage.cases.forge(case.delivery, settings)
            await _refused(one, forged, "other_key_taken", f"ingested {case.name}, forged")
        return
    empty = with_other_secrets(settings, "")
    if not [*secrets_in(settings)]:
        raise NeedsCase("no secret of the settings signs: sign.py needs forge(delivery, settings)")
    async with stage.running() as one:
        for name, others in (("another", with_other_secrets(settings, "-other")), ("no", empty)):
            try:
                signed = stage.signed(case.delivery, others)
            except ValueError:
                continue  # nobody can sign with an empty key there
            done = f"ingested {case.name} signed with {name} key"
            await _refused(one, signed, "other_key_taken", done)
    try:
        stage.make(empty, RecordedContext())
    except Failed:
        return  # it refuses to be without a key
    async with stage.running(empty) as one:
        try:
            signed = stage.signed(case.delivery, empty)
        except ValueError:
            return
        await _refused(one, signed, "empty_key_taken", "ingested with an empty key configured")


@check("SIG-04", "Another address is refused", why="A post for one channel is none for the next.",
       on="verifies")  # fmt: skip
async def other_address_is_refused(stage: Stage) -> None:
    """Path, query and host, where they are signed."""
    tried = 0
    for case in _cases(stage):
        ours, url = seal(case.delivery, stage.signed(case.delivery)), case.delivery.url
        join = "&" if "?" in url else "?"
        others = (
            url.replace("/hooks/", "/hooks/other/", 1),
            f"{url}{join}added=1",
            url.replace("hub.example", "other.example", 1),
        )
        async with stage.running() as one:
            for other in others:
                moved = _moved(stage, ours, replace(case.delivery, url=other))
                if moved is None:
                    continue
                tried += 1
                await _refused(one, moved, "moved_taken", f"sent {case.name} to {other}")
    if not tried:
        raise _not_covered("the address")


@check("SIG-05", "The provider's own vectors are accepted", why="Signer and verifier by one "
       "author can share one misreading.", on="verifies")  # fmt: skip
async def vectors_are_accepted(stage: Stage) -> None:
    """Each of ``vectors/``, with the signature that it was recorded with."""
    if not stage.cases.vectors:
        raise NeedsCase("there is no vectors/: a request signed by the provider, or by its library")
    for case in stage.cases.vectors:
        async with stage.running() as one:
            outcome = await one.ingest(case.delivery)
        if outcome.name == "unverified":
            raise Failed(
                "vector_refused",
                done=f"ingested {case.name} with the provider's own signature",
                expected=str(case.expect)[:300],
                got=str(outcome),
            )
        expect_case(case, outcome, "vector_misread")


@check("SIG-06", "Strange headers are refused, not stumbled over", why="Attackers write headers.",
       on="verifies")  # fmt: skip
async def strange_headers_are_refused(stage: Stage) -> None:
    """Not ASCII, empty, huge, repeated."""
    case = _cases(stage)[0]
    signed = stage.signed(case.delivery)
    ours = seal(case.delivery, signed).headers
    if not ours:
        raise NotApplicable("sign.py adds no header")
    async with stage.running() as one:
        for name, value in ODD_HEADERS.items():
            odd = tuple((key, value) for key, _ in ours)
            delivery = replace(case.delivery, headers=(*case.delivery.headers, *odd))
            await _refused(one, delivery, "odd_header", f"sent a signature that is {name}")
        for key, value in ours:
            repeated = replace(signed, headers=((key, value[::-1]), *signed.headers))
            await _refused(one, repeated, "repeated_header", f"sent {key} twice")


@check("SIG-07", "An old signature is refused", why="What was overheard is posted again.",
       on="replay_window")  # fmt: skip
async def old_signatures_are_refused(stage: Stage) -> None:
    """By the clock: received ``replay_window`` seconds after it was signed it is taken, a second
    later it is not."""
    window = stage.can.replay_window or 0.0
    for case in _cases(stage):
        signed = stage.signed(case.delivery)
        async with stage.running() as one:
            edge = replace(signed, received_at=signed.received_at + timedelta(seconds=window))
            outcome = await one.ingest(edge)
            if outcome.name == "unverified":
                raise Failed(
                    "edge_refused",
                    done=f"ingested {case.name} {window:g} s after it was signed",
                    expected="events",
                    got=str(outcome),
                )
            late = replace(edge, received_at=edge.received_at + timedelta(seconds=1))
            done = f"ingested {case.name} {window + 1:g} s after it was signed"
            await _refused(one, late, "old_taken", done)


@check("SIG-08", "Two secrets hold while one is being replaced", why="Or a rotation loses mail.",
       on="verifies")  # fmt: skip
async def rotation_holds(stage: Stage) -> None:
    """``[settings.rotating]`` takes what the old and the new secret signed."""
    given = stage.cases.conformance.settings
    if given.rotating is None or given.rotated is None:
        raise NotApplicable("conformance.toml has no [settings.rotating] and [settings.rotated]")
    old, kind, valid = stage.settings(), stage.info.settings, given.valid
    rotating = settings_of(kind, {**valid, **given.rotating})
    signers = {
        "the old": old,
        "the new": settings_of(kind, {**valid, **given.rotated}),
    }
    case = _cases(stage)[0]
    async with stage.running(rotating) as one:
        for name, settings in signers.items():
            outcome = await one.ingest(stage.signed(case.delivery, settings))
            if outcome.name == "unverified":
                raise Failed(
                    "rotation_refused",
                    done=f"ingested {case.name} signed with {name} secret during a rotation",
                    expected="events",
                    got=str(outcome),
                )
        third = (
            stage.signed(case.delivery, with_other_secrets(old, "-third"))
            if stage.cases.forge is None
            else stage.cases.forge(case.delivery, old)
        )
        await _refused(one, third, "third_taken", "signed with a third secret during a rotation")


@check("SIG-09", "It is verified before it is parsed", why="A parser is where attacks go.",
       on="verifies")  # fmt: skip
async def verified_first(stage: Stage) -> None:
    """A bad signature on a bad body is ``Unverified``, not ``Malformed``."""
    case = _cases(stage)[0]
    ours = seal(case.delivery, stage.signed(case.delivery)).headers
    odd = tuple((key, value[::-1]) for key, value in ours)
    broken = replace(case.delivery, body=b'{"broken', headers=(*case.delivery.headers, *odd))
    async with stage.running() as one:
        await _refused(one, broken, "parsed_first", "ingested a broken body with a bad signature")


@check("SIG-10", "The bytes are signed, not what they mean", why="Two parsers read two things.",
       on="verifies")  # fmt: skip
async def bytes_are_signed(stage: Stage) -> None:
    """The same JSON written in another way, under the old signature."""
    for case in _cases(stage):
        ours = seal(case.delivery, stage.signed(case.delivery))
        try:
            body = json.dumps(json.loads(case.delivery.body), indent=3, sort_keys=True).encode()
        except ValueError:
            continue
        delivery = _moved(stage, ours, replace(case.delivery, body=body))
        if delivery is None:
            continue
        async with stage.running() as one:
            await _refused(one, delivery, "rewritten_taken", f"wrote {case.name} in other bytes")
        return
    raise NotApplicable("no case is JSON whose bytes are signed")


@check("SIG-11", "A proxy's headers change nothing", why="Behind one, Host is not the address.",
       on="verifies")  # fmt: skip
async def proxies_change_nothing(stage: Stage) -> None:
    """``Host`` and ``X-Forwarded-…`` with internal names."""
    inside = (
        ("Host", "10.0.0.7:8000"),
        ("X-Forwarded-Host", "internal.example"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-For", "10.0.0.9"),
        ("Forwarded", "host=internal.example;proto=http"),
    )
    for case in _cases(stage):
        signed = stage.signed(case.delivery)
        async with stage.running() as one:
            outcome = await one.ingest(replace(signed, headers=(*inside, *signed.headers)))
        if outcome.name == "unverified":
            raise Failed(
                "proxy_refused",
                done=f"ingested {case.name} with the headers of a proxy",
                expected="events",
                got=str(outcome),
            )


@check("SIG-12", "Events come with a proof", why="The hub believes no event without one.",
       on="verifies")  # fmt: skip
async def events_come_with_a_proof(stage: Stage) -> None:
    """Made by ``ctx.verify``, or by ``Verification.custom``."""
    async with stage.running() as one:
        for case in stage.posted():
            outcome: Outcome = await one.ingest(stage.delivery(case))
            told = isinstance(outcome.value, IngestResult) and outcome.value.events
            if told and outcome.proof is None:
                raise Failed(
                    "no_proof",
                    done=f"ingested the case {case.name}",
                    expected="IngestResult(verification=…)",
                    got="events without a proof",
                )
