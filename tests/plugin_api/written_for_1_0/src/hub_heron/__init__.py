"""A channel written for the plugin API 1.0. NEVER CHANGE THIS FOLDER, not a line of it.

It stands for the plugins of others, who change nothing when the hub does. As long as the plugin API
is 1.x, it has to load, to conform and to run as it is. Where it does not, mend the hub.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec

from hub import plugin as hub
from hub.plugin import reading, rendering, sending

SCHEME = "heron:user"
WINDOW = 86_400.0
LONGEST = 2000
USER = re.compile(r"[a-z][a-z0-9-]{1,39}")
REASONS: dict[str, hub.FailureReason] = {
    "no_such_user": "bad_address",
    "stopped": "opted_out",
    "too_late": "window_closed",
}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+$")]
    key: hub.Secret
    old_keys: tuple[hub.Secret, ...] = ()
    desk: reading.Id


class File(msgspec.Struct, frozen=True):
    id: reading.Id
    name: str | None = None


class Came(msgspec.Struct, frozen=True):
    """What the provider posts; ``type`` says what of it counts."""

    type: str
    id: reading.Id | None = None
    sender: reading.Id | None = msgspec.field(default=None, name="from")
    text: str = ""
    at: datetime | None = None
    answers: reading.Id | None = None
    files: tuple[File, ...] = ()
    status: Literal["delivered", "read", "failed"] = "delivered"
    why: str | None = None


class Heron:
    INFO = hub.Info(
        name="heron",
        role="channel",
        api="1.0",
        label="Heron",
        settings=Settings,
        can=hub.Capabilities(
            inbound=frozenset({"http", "poll"}),
            outbound=True,
            verifies="signature",
            receipts=frozenset({"delivered", "read", "failed"}),
            media_in=True,
            media_out=hub.MediaLimits(max_bytes=1_000_000, max_count=3, types=("image/*",)),
            threading=True,
            reply_window=WINDOW,
            reactions=True,
            reconciles=True,
            calls=True,
            opt_out=True,
            routes=True,
        ),
        emits=frozenset(
            {"message", "receipt", "reaction", "opt_out", "opt_in", "call_started", "call_ended"}
        ),
        icon=hub.Icon(name="bird"),
        tone="teal",
        address_scheme=SCHEME,
        page="about",
        page_label="About",
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    # ---- in

    @hub.hookimpl
    async def ingest(self, ctx: hub.Context, delivery: hub.Delivery) -> hub.IngestResult:
        proof = None
        if delivery.source == "http":
            keys = (self.settings.key, *self.settings.old_keys)
            signed = delivery.url.encode() + b"\n" + delivery.body
            proof = ctx.verify.hmac(keys=keys, header="X-Heron-Signature", signed=signed)
            if (challenge := dict(delivery.query()).get("challenge")) is not None:
                reply = hub.Reply(body=challenge.encode())
                return hub.IngestResult(verification=proof, reply=reply)
        came = reading.read_json(delivery, Came)
        if came.type not in {"message", "receipt", "reaction", "stop", "start", "call", "ended"}:
            return hub.IngestResult(verification=proof, ignored=f"of the type {came.type[:40]}")
        answer = came.id if came.type == "call" else None
        return hub.IngestResult(verification=proof, events=(self.event(came),), answer=answer)

    def event(self, came: Came) -> hub.Event:
        if came.type in {"stop", "start"}:
            opted = hub.OptOut if came.type == "stop" else hub.OptIn
            who = self.user(came.sender)
            return opted(address=who, how=f"told {came.type}", occurred_at=timely(came))
        if came.id is None:
            raise hub.Malformed("it has no id")
        if came.type == "receipt":
            return hub.Receipt(
                external_id=came.id,
                status=came.status,
                reason=REASONS.get(came.why or "", "other") if came.status == "failed" else None,
                provider_code=came.why,
                occurred_at=timely(came),
            )
        if came.type == "ended":
            return hub.CallEnded(external_id=came.id, outcome="answered", occurred_at=timely(came))
        who = self.user(came.sender)
        if came.type == "call":
            return hub.CallStarted(
                external_id=came.id,
                direction="in",
                caller=(who,),
                own_address=self.settings.desk,
                occurred_at=timely(came),
            )
        if came.type == "reaction":
            if came.answers is None:
                raise hub.Malformed("a reaction to nothing")
            return hub.Reaction(
                external_id=came.id,
                to=came.answers,
                sender=(who,),
                emoji=came.text or None,
                occurred_at=timely(came),
            )
        return hub.Message(
            external_id=came.id,
            sender=(who,),
            own_address=self.settings.desk,
            text=came.text,
            media=tuple(hub.MediaRef(provider_id=one.id, name=one.name) for one in came.files),
            reply_to=came.answers,
            occurred_at=timely(came),
        )

    def user(self, name: str | None) -> hub.Address:
        if name is None or not USER.fullmatch(name.lower()):
            raise hub.Malformed("it is from nobody")
        return hub.Address(scheme=SCHEME, value=name.lower())

    @hub.hookimpl
    async def poll(self, ctx: hub.Context, cursor: str | None) -> hub.PollResult:
        answer = await self.ask(ctx, "GET", f"missed?after={cursor or 0}")
        if answer.status != 200:
            raise sending.refusal(ctx, answer)
        missed = msgspec.json.decode(answer.body, type=list[msgspec.Raw])
        now = ctx.clock.now()
        brought = tuple(
            hub.Delivery(source="poll", body=bytes(one), received_at=now) for one in missed
        )
        return hub.PollResult(
            deliveries=brought, cursor=answer.headers.get("x-next") or cursor, next_in=2.0
        )

    @hub.hookimpl
    async def answer(self, ctx: hub.Context, facts: hub.CallFacts) -> hub.Reply:
        if facts.in_hours and facts.on_duty:
            return hub.Reply(body=f"ring {facts.on_duty[0].value}".encode())
        return hub.Reply(body=b"say We call you back.")

    @hub.hookimpl
    async def fetch_media(self, ctx: hub.Context, ref: hub.MediaRef) -> hub.FetchedMedia:
        if ref.provider_id is None:
            raise hub.Permanent("policy", "this is no file of the provider's")
        answer = await self.ask(ctx, "GET", f"files/{ref.provider_id}")
        if answer.status != 200:
            raise hub.Temporary(f"there is no file yet (HTTP {answer.status})")
        return hub.FetchedMedia(body=answer.body)

    # ---- out

    @hub.hookimpl
    async def send(self, ctx: hub.Context, message: hub.Outbound) -> hub.Accepted:
        if message.kind not in {"message", "call"}:
            raise hub.Unsupported(f"the channel knows no {message.kind}")
        if ctx.clock.now() >= message.deadline:
            raise hub.Temporary("the deadline has passed")
        if not USER.fullmatch(message.address.value):
            raise hub.Permanent("bad_address", "this is no user")
        if any(len(part.text) > LONGEST for part in message.wire):
            raise hub.Permanent("too_large", "the text is too long")
        wanted: dict[str, Any] = {"key": message.id, "to": message.address.value}
        if message.kind == "call":
            first = message.member_address
            if first is None or not re.fullmatch(r"\+[0-9]{7,15}", first.value):
                raise hub.Permanent("bad_address", "there is no phone to ring first")
            answer = await self.ask(ctx, "POST", "calls", wanted | {"first": first.value})
        else:
            (part,) = message.wire
            files = [ctx.media.signed_url(one) for one in part.attachment_ids]
            wanted |= {"text": part.text, "files": files, "answers": message.reply_to}
            answer = await self.ask(ctx, "POST", "messages", wanted)
        if answer.status == 422 and (code := answer.text().strip()) in REASONS:
            raise hub.Permanent(REASONS[code], "the provider refused it", provider_code=code)
        return sending.accepted(ctx, answer, "id")

    @hub.hookimpl
    async def reconcile(self, ctx: hub.Context, message: hub.Outbound) -> hub.Reconciled:
        answer = await self.ask(ctx, "GET", f"sent/{message.id}")
        if answer.status == 404:
            return hub.Reconciled(outcome="absent")
        if answer.status != 200:
            return hub.Reconciled(outcome="unknown")
        found = sending.accepted(ctx, answer, "id")
        return hub.Reconciled(outcome="found", external_id=found.external_id)

    async def ask(
        self, ctx: hub.Context, method: str, path: str, wanted: Any = None
    ) -> hub.HttpResponse:
        return await ctx.http.request(
            method, f"{self.settings.url}/{path}", json=wanted, auth=("hub", self.settings.key)
        )

    # ---- how it looks, and the rest

    @hub.hookimpl
    def render(self, ctx: hub.Context, item: hub.Item, surface: hub.Surface) -> hub.Rendered:
        shown = rendering.plain_text(item, surface, self.INFO.can)
        if surface not in {"composer", "wire"} or len(item.text) <= LONGEST:
            return shown
        return msgspec.structs.replace(shown, warnings=(*shown.warnings, "That is too long"))

    @hub.hookimpl
    def compose_rules(self, ctx: hub.Context, facts: hub.ComposeFacts) -> hub.ComposeRules:
        last = facts.last_inbound_at
        until = None if last is None else last + timedelta(seconds=WINDOW)
        if until is None or until <= facts.now:
            why = "They have not written for a day. Herons answer only then."
            return hub.ComposeRules(may="closed", why=why)
        return hub.ComposeRules(may="free", until=until, max_length=LONGEST)

    @hub.hookimpl
    def normalise_address(self, ctx: hub.Context, text: str) -> hub.Address:
        name = text.strip().lower()
        if not USER.fullmatch(name):
            raise hub.BadAddress("a user has 2 to 40 letters, digits and hyphens")
        return hub.Address(scheme=SCHEME, value=name)

    @hub.hookimpl
    def own_addresses(self, ctx: hub.Context) -> tuple[hub.Address, ...]:
        return (hub.Address(scheme=SCHEME, value=self.settings.desk),)

    @hub.hookimpl
    async def health(self, ctx: hub.Context) -> hub.Health:
        answer = await self.ask(ctx, "GET", "account")
        if answer.status != 200:
            raise sending.refusal(ctx, answer)
        return hub.Health()

    @hub.hookimpl
    async def check(self, ctx: hub.Context) -> tuple[hub.Finding, ...]:
        answer = await self.ask(ctx, "GET", "account")
        if answer.status != 200:
            return (hub.Finding(about="credentials", state="wrong", advice="ask for a new key"),)
        return (hub.Finding(about="credentials", detail=f"of {self.settings.desk}"),)

    @hub.hookimpl
    def routes(self, ctx: hub.Context) -> tuple[hub.Route, ...]:
        return (hub.Route(method="GET", path="about", auth="member", handler=self.about),)

    async def about(self, ctx: hub.Context, request: hub.RouteRequest) -> hub.RouteReply:
        kept = await ctx.kv.get("asked")
        count = int(kept.value) + 1 if kept else 1
        await ctx.kv.put("asked", str(count))
        return hub.RouteReply.of({"by": request.member_name, "asked": count})

    @staticmethod
    @hub.hookimpl
    def migrate_settings(settings: dict[str, Any], from_api: str) -> dict[str, Any]:
        return {("url" if name == "host" else name): value for name, value in settings.items()}


def timely(came: Came) -> datetime | None:
    if came.at is not None and came.at.tzinfo is None:
        raise hub.Malformed("a time without a zone")
    return came.at
