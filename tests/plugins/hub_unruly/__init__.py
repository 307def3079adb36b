"""Channels that do everything wrong, when they are told to: by the body of a delivery, by the text
of a message, or by a file in their folder. Installed, for the loader, like any third party's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct

from hub.plugin import (
    Accepted,
    Address,
    Capabilities,
    ChannelNotice,
    ComposeFacts,
    ComposeRules,
    Context,
    CredentialsInvalid,
    Delivery,
    Draft,
    FetchedMedia,
    Finding,
    Health,
    HookError,
    Info,
    IngestResult,
    Item,
    Malformed,
    MediaRef,
    Message,
    OptOut,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Receipt,
    Reconciled,
    Rendered,
    Reply,
    Route,
    RouteReply,
    RouteRequest,
    Secret,
    Surface,
    TemplateInfo,
    Temporary,
    Text,
    Unsupported,
    WirePart,
    hookimpl,
)
from hub.plugin.types import Event


class Settings(Struct, forbid_unknown_fields=True):
    token: Secret
    folder: str = ""
    own: str = "+15550100001"


INFO = Info(
    name="unruly",
    role="channel",
    api="1.0",
    settings=Settings,
    can=Capabilities(
        inbound=frozenset({"http"}),
        outbound=True,
        verifies="token",
        receipts=frozenset({"queued", "sent", "delivered", "read", "failed"}),
        reconciles=True,
        media_in=True,
        edits=True,
        deletes=True,
        reactions=True,
        threading=True,
        calls=True,
    ),
    emits=frozenset(
        {
            "message",
            "receipt",
            "channel_notice",
            "edited",
            "deleted",
            "reaction",
            "opened",
            "clicked",
            "contact_changed",
            "call_started",
            "call_turn",
            "call_ended",
            "recording",
            "transcript",
            "voicemail",
            "call_outcome",
        }
    ),
    label="Unruly",
    address_scheme="phone",
)


class Uncalled(HookError):
    """Forgets its base's constructor, as subclasses do."""

    def __init__(self) -> None:
        pass


class Unruly:
    INFO = INFO

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = Path(settings.folder)

    def _told(self, word: str) -> bool:
        return bool(self.settings.folder) and (self.folder / word).exists()

    def _note(self, word: str, line: str = "") -> None:
        with (self.folder / word).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    @hookimpl
    async def startup(self, ctx: Context) -> None:
        if self._told("startup-raises"):
            raise RuntimeError(f"cannot start with {self.settings.token.reveal()}")
        if self._told("startup-refused"):
            raise CredentialsInvalid(f"{self.settings.token.reveal()} is not a valid token")

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        match delivery.header("x-before"):
            case "malformed":
                raise Malformed("no head nor tail")
            case "raise":
                raise RuntimeError("broke before it had verified")
            case "forget":
                return IngestResult(events=(self._message({"id": "forged", "from": "+1555"}),))
            case _:
                pass
        if self._told("deaf"):
            raise RuntimeError("cannot verify for now")
        ctx.verify.token(keys=[self.settings.token], header="X-Token")
        if self._told("broken"):
            raise RuntimeError("broken for now")
        told = json.loads(delivery.body)
        return await self._ingest(ctx, delivery, told)

    async def _ingest(  # noqa: C901, PLR0911, PLR0912 — a list of what may be told
        self, ctx: Context, delivery: Delivery, told: dict[str, Any]
    ) -> IngestResult:
        token = self.settings.token.reveal()
        match told.get("do"):
            case "raise":
                raise RuntimeError("a bug")
            case "leak":
                ctx.log.warning(token, token=token, nested={"token": token})
                raise RuntimeError(f"the token {token} was refused")
            case "leak-ignored":
                return IngestResult(ignored=f"not for {token}")
            case "leak-malformed":
                raise Malformed(f"what {token} signed is odd")
            case "leak-notice":
                notice = ChannelNotice(text=f"renew {token}", state="needs_attention")
                return IngestResult(events=(notice,))
            case "leak-late":
                asyncio.get_running_loop().create_task(_fail(f"later, with {token}"))
                return IngestResult(ignored="later")
            case "malformed":
                raise Malformed("it says nothing")
            case "malformed-object":
                raise Malformed(cast("Any", ValueError("an exception for a detail")))
            case "temporary":
                if not self._told("mended"):
                    raise Temporary("the key server is away")
            case "uncalled":
                raise Uncalled
            case "exit":
                sys.exit(3)
            case "exit-task":
                asyncio.get_running_loop().create_task(_exit())
            case "cancel":
                raise asyncio.CancelledError
            case "cancel-self":
                cast("asyncio.Task[Any]", asyncio.current_task()).cancel()
                await asyncio.sleep(0)
            case "hang":
                await asyncio.Event().wait()
            case "swallow":
                await self._swallow(f"too late, with {token}")
            case "block":
                self._block()
            case "block-thread":
                asyncio.get_running_loop().create_task(ctx.run_blocking(self._block))
                while not self._told("blocked"):  # noqa: ASYNC110 — told by a file
                    await asyncio.sleep(0.01)
            case "nonsense":
                return NONSENSE[told["which"]](self)
            case "unclaimed":
                address = Address(scheme="phone", value="+15550100009")
                return IngestResult(events=(OptOut(address=address, how="said so"),))
            case "unknown":
                return IngestResult(events=(Draft(request_id="1", text="hello"),))
            case "events":
                return IngestResult(events=msgspec.convert(told["events"], tuple[Event, ...]))
            case "clock":
                text = ctx.clock.now().isoformat()
                return IngestResult(events=(self._message({**told, "text": text}),))
            case "remember":
                known = await ctx.kv.get("seen")
                await ctx.kv.put("seen", "yes")
                await ctx.emit(Delivery(body=b'{"do": "leak-ignored"}', source="poll",
                                        received_at=ctx.clock.now()))  # fmt: skip
                after = await ctx.kv.get("seen")
                text = f"{known and known.value}, then {after and after.value}"
                return IngestResult(events=(self._message({**told, "text": text}),))
            case "receipt":
                return IngestResult(events=(Receipt(status="delivered", **told["receipt"]),))
            case "notice":
                receipt = Receipt(status="failed", external_id=told["id"], reason="configuration")
                notice = ChannelNotice(text=told["text"], state=told["state"])
                return IngestResult(events=(receipt, notice))
            case _:
                pass
        return IngestResult(events=(self._message(told),))

    def _message(self, told: dict[str, Any]) -> Message:
        return Message(
            external_id=told["id"],
            sender=(Address(scheme=told.get("scheme", "phone"), value=told["from"]),),
            own_address=self.settings.own,
            text=told.get("text", ""),
            sender_name=told.get("name"),
            reply_to=told.get("reply_to"),
            facts=told.get("facts", {}),
            media=tuple(MediaRef(**one) for one in told.get("media", ())),
        )

    @hookimpl
    async def send(  # noqa: C901, PLR0912 — the same
        self, ctx: Context, message: Outbound
    ) -> Accepted:
        token = self.settings.token.reveal()
        text = message.wire[0].text
        self._note("asked", text)
        match text:
            case "raise":
                raise RuntimeError(f"a bug near {token}")
            case "leak":
                raise Permanent("other", f"{token} may not send", provider_code=f"E-{token}")
            case "nonsense":
                return cast("Any", "ok")
            case "nameless":
                return Accepted(external_id="")
            case "half":
                halfway = Permanent("policy", "the rest was refused")
                halfway.accepted = ("u-half-1",)
                raise halfway
            case "numbered":
                return Accepted(external_id=cast("Any", 17))
            case "later":
                if not self._told("mended"):
                    raise Temporary("busy", retry_after=cast("Any", "0.1"))
            case "refused":
                if not self._told("mended"):
                    raise CredentialsInvalid(f"{token} was revoked")
            case "block":
                self._block()
            case "hang":
                while not self._told("go"):  # noqa: ASYNC110 — told by a file
                    await asyncio.sleep(0.01)
            case "thread":
                await ctx.run_blocking(self._block)
            case _:
                pass
        if self._told("broken"):
            raise RuntimeError("broken for now")
        self._note("sent", text)
        self._note("ids", message.id)
        return Accepted(external_id=f"u-{message.id}", status="sent")

    async def _swallow(self, text: str) -> None:
        """Goes on after it was cancelled, and fails when nobody waits for it any more."""
        while not self._told("go"):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        raise RuntimeError(text)

    def _block(self) -> None:
        self._note("blocked")
        while not self._told("go"):
            time.sleep(0.01)  # what no loop survives

    @hookimpl
    async def reconcile(self, ctx: Context, message: Outbound) -> Reconciled:
        return Reconciled(outcome="unknown")

    @hookimpl
    async def health(self, ctx: Context) -> Health:
        if self._told("well"):
            return Health()
        if self._told("health-temporary"):
            raise Temporary("the provider is away")
        if self._told("health-refused"):
            raise CredentialsInvalid(f"{self.settings.token.reveal()} was revoked")
        return Health(state="needs_attention", reason=f"{self.settings.token.reveal()} expires")

    @hookimpl
    def own_addresses(self, ctx: Context) -> tuple[Address, ...]:
        if self._told("pure-raises"):
            raise RuntimeError(f"no address for {self.settings.token.reveal()}")
        return (Address(scheme="phone", value=self.settings.own),)

    @hookimpl
    def compose_rules(self, ctx: Context, facts: ComposeFacts) -> ComposeRules:
        if self._told("pure-raises"):
            sys.exit("gone")
        return ComposeRules()

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:
        if self._told("pure-raises"):
            raise asyncio.CancelledError
        if self._told("pure-nonsense"):
            return Rendered(blocks=cast("Any", ["<script>"]))
        return Rendered(
            blocks=(Text(text=f"{item.text} (unruly)" if surface == "timeline" else item.text),),
            preview=item.text,
            wire=tuple(WirePart(text=each) for each in item.text.split(" and ")),
        )


NONSENSE: dict[str, Callable[[Unruly], Any]] = {
    "none": lambda _: None,
    "text": lambda _: "done",
    "coroutine": lambda _: _fail("never awaited by anybody").close(),
    "events-none": lambda _: IngestResult(events=cast("Any", None)),
    "events-of-none": lambda _: IngestResult(events=cast("Any", (None,))),
    "id-number": lambda _: IngestResult(events=(Message(external_id=cast("Any", 5)),)),
    "html-text": lambda _: IngestResult(
        events=(Message(external_id="1", html=cast("Any", "<script>")),)
    ),
    "proof": lambda _: IngestResult(verification=cast("Any", True)),
    "no-sender": lambda _: IngestResult(events=(Message(external_id="1"),)),
    "no-id": lambda one: IngestResult(events=(one._message({"id": "", "from": "+15550100002"}),)),
    "no-address": lambda one: IngestResult(events=(one._message({"id": "1", "from": "\x00"}),)),
    "no-zone": lambda one: IngestResult(
        events=(
            Message(
                external_id="1",
                sender=(Address(scheme="phone", value="+15550100002"),),
                occurred_at=datetime.now(UTC).replace(tzinfo=None),
            ),
        )
    ),
    "receipt-of-nothing": lambda _: IngestResult(
        events=(Receipt(status="sent", transmission_id="٣"),)
    ),
    "receipt-out-of-range": lambda _: IngestResult(
        events=(Receipt(status="sent", transmission_id="9" * 40),)
    ),
    "reply-status": lambda _: IngestResult(ignored="x", reply=Reply(status=99)),
    "reply-header": lambda _: IngestResult(ignored="x", reply=Reply(content_type="a\r\nb: c")),
    "reply-text": lambda _: IngestResult(ignored="x", reply=Reply(body=cast("Any", "text"))),
    "status": lambda _: IngestResult(
        events=(Receipt(status=cast("Any", "perhaps"), external_id="1"),)
    ),
}


async def _fail(text: str) -> None:
    raise RuntimeError(text)


async def _exit() -> None:
    sys.exit(4)


class Stillborn(Unruly):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if not self._told("born"):
            raise ValueError(f"no account has the token {settings.token.reveal()}")


class Quitter(Unruly):
    def __init__(self, settings: Settings) -> None:
        sys.exit(1)


class Older(Unruly):
    INFO = Info(
        name="unruly-older", role="channel", api="0.8", settings=Settings, can=INFO.can, label="Old"
    )


class Misspelt(Unruly):
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        return Accepted(external_id="1")


class Twice(Unruly):
    @hookimpl(specname="send")
    async def send_again(self, ctx: Context, message: Outbound) -> Accepted:
        return Accepted(external_id="2")


class KeywordOnly(Unruly):
    @hookimpl
    async def send(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, ctx: Context, *, message: Outbound
    ) -> Accepted:
        return Accepted(external_id="1")


class Hasty(Unruly):
    """Asynchronous where it must not be, and the other way round."""

    @hookimpl
    async def render(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, ctx: Context, item: Item, surface: Surface
    ) -> Rendered:
        return Rendered()

    @hookimpl
    def send(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, ctx: Context, message: Outbound
    ) -> Accepted:
        return Accepted(external_id="1")


class Migrant(Unruly):
    """Its settings had other names before."""

    @staticmethod
    @hookimpl
    def migrate_settings(settings: dict[str, Any], from_api: str) -> Any:
        match settings.pop("do", None):
            case "raise":
                raise ValueError(f"{from_api}: what is {settings['secret_token']}")
            case "exit":
                sys.exit(1)
            case "nonsense":
                return None
            case _:
                settings["token"] = settings.pop("secret_token")
                return settings


class Inspected(Unruly):
    """Looks at its provider's settings, and finds what it is told to."""

    INFO = msgspec.structs.replace(INFO, name="unruly-inspected")

    @hookimpl
    async def check(self, ctx: Context) -> tuple[Finding, ...]:
        token = self.settings.token.reveal()
        if self._told("check-refused"):
            raise CredentialsInvalid(f"{token} was revoked")
        if self._told("check-away"):
            raise Temporary("it does not answer")
        if self._told("check-raises"):
            raise RuntimeError(f"no idea with {token}")
        return (
            Finding(about="credentials"),
            Finding(
                about="webhook address",
                state="wrong",
                detail=f"it posts to https://old.example/?token={token}",
                advice=f"Set it to\n{ctx.public_url()}",
            ),
            Finding(about="sender +15550100001", state="unknown", detail="it cannot be looked at"),
        )


class Stuck(Unruly):
    @hookimpl
    def migrate_settings(self, settings: dict[str, Any], from_api: str) -> dict[str, Any]:
        return settings


class Ringing(Unruly):
    """A channel of calls. What becomes of the next ones is told by files."""

    INFO = msgspec.structs.replace(INFO, name="unruly-ringing", label="Voice call", group="calls")

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        rung = message.member_address
        who = [message.kind, "" if rung is None else rung.value, message.address.value]
        self._note("rung", " ".join([message.id, *who, message.own_address]))
        if self._told("busy"):
            raise Temporary("all lines are busy", retry_after=0.1)
        if self._told("refused"):
            raise Permanent("bad_address", "The number cannot be called.", provider_code="13224")
        if self._told("revoked"):
            raise CredentialsInvalid("the token was revoked")
        while self._told("slow"):  # noqa: ASYNC110 — told by a file
            await asyncio.sleep(0.01)
        if self._told("silent"):
            raise OutcomeUnknown("the connection was lost")
        return Accepted(external_id=f"call-{message.id}")

    @hookimpl
    async def reconcile(self, ctx: Context, message: Outbound) -> Reconciled:
        return Reconciled(outcome="absent" if self._told("absent") else "unknown")


class Writing(Unruly):
    """With all that a message may have besides its words. The provider is its folder."""

    INFO = msgspec.structs.replace(
        INFO,
        name="unruly-writing",
        label="Letters",
        can=msgspec.structs.replace(
            INFO.can,
            subject=True,
            copies=True,
            templates=True,
            reply_window=86_400.0,
            opt_out=True,
        ),
        emits=INFO.emits | {"template_changed", "opt_out", "opt_in"},
    )

    @hookimpl
    async def templates(self, ctx: Context) -> tuple[TemplateInfo, ...]:
        self._note("listed")
        while self._told("listing"):  # noqa: ASYNC110 — told by a file
            await asyncio.sleep(0.01)
        if self._told("list-away"):
            raise Temporary("the list is away")
        found = json.loads((self.folder / "templates.json").read_text(encoding="utf-8"))
        return tuple(TemplateInfo(**each) for each in found)

    @hookimpl
    def compose_rules(self, ctx: Context, facts: ComposeFacts) -> ComposeRules:
        if self._told("window"):
            may = cast("Any", (self.folder / "window").read_text(encoding="utf-8"))
            if may == "answers":  # to who has written
                may = "closed" if facts.last_inbound_at is None else "free"
            return ComposeRules(may=may, why="They wrote too long ago.")
        until = facts.last_inbound_at and facts.last_inbound_at + timedelta(days=1)
        return ComposeRules(until=until)

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:
        text, warnings = item.text, ()
        if item.template is not None:
            text = item.template.template.body
            for name, value in item.template.values.items():
                text = text.replace(f"<{name}>", value)
            warnings = ("Costs more",)
        if text == "unsupported":
            raise Unsupported("no such words")
        return Rendered(
            blocks=(Text(text=text),),
            preview=text,
            warnings=warnings,
            wire=(WirePart(text=text, subject=item.subject),) if surface == "wire" else (),
        )

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        self._note("outbound", msgspec.json.encode(message).decode())
        while self._told("slow"):  # noqa: ASYNC110 — told by a file
            await asyncio.sleep(0.01)
        if self._told("window-late"):
            raise Permanent("window_closed", "The window has closed.", provider_code="470")
        if self._told("template-gone"):
            raise Permanent("other", "There is no such template any more.", provider_code="132001")
        return Accepted(external_id=f"u-{message.id}", status="sent")

    @hookimpl
    async def fetch_media(self, ctx: Context, ref: MediaRef) -> FetchedMedia:
        self._note("fetched")
        if self._told("lost") or ref.delivery is None:
            raise Temporary("the provider has lost it")
        files = json.loads(ref.delivery.body)["files"]
        return FetchedMedia(body=f"{ref.delivery.id} {files[ref.part or 0]}".encode())


class Pages(Unruly):
    """With routes, or without when it is told that they cannot be had."""

    INFO = Info(
        name="unruly-pages",
        role="channel",
        api="1.0",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"http"}),
            outbound=True,
            verifies="token",
            reconciles=True,
            routes=True,
        ),
        emits=frozenset({"message"}),
        label="Pages",
        address_scheme="unruly-pages",
    )

    @hookimpl
    def routes(self, ctx: Context) -> tuple[Route, ...]:
        if self._told("no-routes"):
            raise RuntimeError("no routes today")
        return (
            Route(method="GET", path="page", auth="member", handler=self.page),
            Route(method="GET", path="open", auth="public", handler=self.page),
            Route(
                method="POST",
                path="manage",
                auth="member",
                handler=self.page,
                capability="channels.manage",
            ),
        )

    async def page(self, ctx: Context, request: RouteRequest) -> RouteReply:
        match request.query.get("do"):
            case "raise":
                raise RuntimeError(f"with {self.settings.token.reveal()}")
            case "exit":
                sys.exit(1)
            case "nonsense":
                return cast("Any", {"status": 200})
            case "header":
                return RouteReply(headers={"X-Evil": "a\r\nSet-Cookie: b"})
            case "status":
                return RouteReply(status=99999)
            case "malformed":
                request.json()
            case _:
                pass
        return RouteReply.of(
            {"member": request.member_name, "cookie": request.headers.get("cookie")}
        )
