"""Wrong in verifying."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from hub.conformance.cases import Cases, Sign
from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import REPLAY_WINDOW, SIGNATURE, SIGNED_AT, Reference, head
from hub.plugin import (
    Context,
    Delivery,
    IngestResult,
    Malformed,
    Secret,
    Unverified,
    Verification,
    hookimpl,
)


class Verifying(Reference):
    """The reference, with another way to verify before it reads."""

    def signed(self, delivery: Delivery) -> bytes:
        """What is signed."""
        return head(delivery) + delivery.body

    def keys(self) -> Sequence[Secret]:
        """The keys that hold."""
        return (self.settings.key, *self.settings.old_keys)

    def prove(self, ctx: Context, delivery: Delivery) -> Verification | None:
        """The proof."""
        return ctx.verify.hmac(keys=self.keys(), header=SIGNATURE, signed=self.signed(delivery))

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        known = Known(self.prove(ctx, delivery))
        result = await super().ingest(_With(ctx, known), delivery)  # type: ignore[arg-type]
        return replace(result, verification=known.proof)


class Known:
    """A verifier that says what was found out before."""

    def __init__(self, proof: Verification | None) -> None:
        self.proof = proof

    def hmac(self, **_: Any) -> Any:
        """The proof there is."""
        return self.proof


class _With:
    """A context with another verifier."""

    def __init__(self, ctx: Context, verify: Known) -> None:
        self._ctx = ctx
        self.verify = verify

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)


@wrong("SIG-01", "taken")
class SkipsIfAbsent(Verifying):
    """No signature, no check."""

    def prove(self, ctx: Context, delivery: Delivery) -> Verification | None:
        if delivery.header(SIGNATURE) is None:
            return Verification.custom("there was nothing to check")
        return super().prove(ctx, delivery)

    def check_time(self, ctx: Context, delivery: Delivery) -> None:
        if delivery.header(SIGNATURE) is not None:
            super().check_time(ctx, delivery)


@wrong("SIG-02", "changed_taken")
class SignsTheStart(Verifying):
    """Only the first 20 bytes of the body count."""

    def prove(self, ctx: Context, delivery: Delivery) -> Verification | None:
        try:
            return super().prove(ctx, delivery)
        except Unverified:
            text = delivery.body
            flipped = (
                text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :] for at in range(len(text))
            )
            given = delivery.header(SIGNATURE) or ""
            url = head(delivery)
            if any(given == _digest(key, url + each) for each in flipped for key in self.keys()):
                return Verification.custom("nearly the same")
            raise


def _digest(key: Secret, signed: bytes) -> str:
    return hmac.digest(key.reveal().encode(), signed, "sha256").hex()


@wrong("SIG-03", "other_key_taken")
class TakesTheNextKey(Verifying):
    """A key that begins like ours will do."""

    def keys(self) -> Sequence[Secret]:
        return (*super().keys(), Secret(f"{self.settings.key.reveal()}-other"))


@wrong("SIG-03", "empty_key_taken")
class TakesAnEmptyKey(Verifying):
    """Where no key is configured, nothing is checked."""

    def prove(self, ctx: Context, delivery: Delivery) -> Verification | None:
        if not any(self.keys()):
            return Verification.custom("no key is configured")
        return super().prove(ctx, delivery)


@wrong("SIG-04", "moved_taken")
class IgnoresTheQuery(Verifying):
    """What was signed for one address holds for another."""

    def prove(self, ctx: Context, delivery: Delivery) -> Verification | None:
        try:
            return super().prove(ctx, delivery)
        except Unverified:
            bare = delivery.url.partition("?")[0]
            signed = head(replace(delivery, url=bare)) + delivery.body
            return ctx.verify.hmac(keys=self.keys(), header=SIGNATURE, signed=signed)


def _misread(cases: Cases) -> Cases:
    """Signed by the same misreading."""

    def sign(delivery: Delivery, settings: Any) -> Delivery:
        at = (SIGNED_AT, str(int(delivery.received_at.timestamp())))
        delivery = replace(delivery, headers=(*delivery.headers, at))
        signed = head(delivery) + b"\r\n" + delivery.body
        header = (SIGNATURE, _digest(settings.key, signed))
        return replace(delivery, headers=(*delivery.headers, header))

    misread: Sign = sign
    return replace(cases, sign=misread)


@wrong("SIG-05", "vector_refused", cases=_misread)
class MisreadsTheScheme(Verifying):
    """Its author's signer errs in the same way."""

    def signed(self, delivery: Delivery) -> bytes:
        return head(delivery) + b"\r\n" + delivery.body


@wrong("SIG-06", "odd_header")
class ComparesTexts(Verifying):
    """A signature that is not ASCII breaks it."""

    def prove(self, ctx: Context, delivery: Delivery) -> Verification | None:
        (delivery.header(SIGNATURE) or "").encode("ascii")
        return super().prove(ctx, delivery)


@wrong("SIG-06", "repeated_header")
class TakesAnyOfThem(Verifying):
    """Of several signatures one has to be right."""

    def prove(self, ctx: Context, delivery: Delivery) -> Verification | None:
        given = {value for name, value in delivery.headers if name == SIGNATURE}
        if len(given) > 1 and given & {_digest(key, self.signed(delivery)) for key in self.keys()}:
            return Verification.custom("one of them is right")
        return super().prove(ctx, delivery)


@wrong("SIG-07", "old_taken")
class TakesOldOnes(Reference):
    """It looks whether a time is there, and not at the time."""

    def check_time(self, ctx: Context, delivery: Delivery) -> None:
        if not (delivery.header(SIGNED_AT) or "").isdigit():
            raise Unverified("it does not say when it was signed")


@wrong("SIG-07", "edge_refused")
class TakesNoneAtTheEdge(Reference):
    """It takes them for less long than it claims."""

    def check_time(self, ctx: Context, delivery: Delivery) -> None:
        super().check_time(ctx, delivery)
        if ctx.clock.now().timestamp() - int(delivery.header(SIGNED_AT) or 0) >= REPLAY_WINDOW:
            raise Unverified("it was signed too long ago")


@wrong("SIG-08", "rotation_refused")
class KnowsOneKey(Verifying):
    """The key that comes next does not hold yet."""

    def keys(self) -> Sequence[Secret]:
        return (self.settings.key,)


@wrong("SIG-09", "parsed_first")
class ParsesFirst(Verifying):
    """What cannot be parsed is told so to anybody."""

    def prove(self, ctx: Context, delivery: Delivery) -> Verification | None:
        if delivery.body.startswith(b'{"broken'):
            raise Malformed("that is no JSON")
        return super().prove(ctx, delivery)


@wrong("SIG-10", "rewritten_taken")
class SignsTheMeaning(Verifying):
    """Any way to write the same JSON will do."""

    def prove(self, ctx: Context, delivery: Delivery) -> Verification | None:
        try:
            return super().prove(ctx, delivery)
        except Unverified:
            try:
                meaning = json.loads(delivery.body)
            except ValueError:
                raise Unverified("nor does its meaning") from None
            given, url = delivery.header(SIGNATURE), head(delivery)
            for order in ORDERS:
                fields = {name: meaning[name] for name in order if name in meaning}
                body = json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")
                if not self.settings.key or fields != meaning:
                    continue
                if given == _digest(self.settings.key, url + body):
                    return Verification.custom("the same meaning")
            raise


ORDERS = (
    ("type", "id", "from", "to", "text", "at"),
    ("type", "id", "from", "to", "text", "at", "answers"),
    ("type", "id", "status", "at"),
    ("type", "from", "at"),
)
"""In which the provider writes its fields."""


@wrong("SIG-11", "proxy_refused")
class BelievesTheProxy(Verifying):
    """The address is what the request says."""

    def signed(self, delivery: Delivery) -> bytes:
        host = delivery.header("x-forwarded-host") or "hub.example"
        url = delivery.url.replace("hub.example", host)
        return head(replace(delivery, url=url)) + delivery.body


@wrong("SIG-12", "no_proof")
class GivesNoProof(Verifying):
    """It checks by a way of its own and keeps that to itself."""

    def prove(self, ctx: Context, delivery: Delivery) -> Verification | None:
        if hasattr(ctx.verify, "_proof"):
            return super().prove(ctx, delivery)  # a replay
        given = [value for name, value in delivery.headers if name == SIGNATURE]
        right = [_digest(key, self.signed(delivery)) for key in self.keys() if key]
        if len(given) != 1 or given[0] not in right:
            raise Unverified("it is signed by nobody we know")
        return None
