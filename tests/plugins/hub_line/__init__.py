"""A channel that is spoken to over WebSockets, and does with them what it is told."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any, ClassVar, cast

import msgspec
from msgspec import Struct

from hub.plugin import (
    API_VERSION,
    Address,
    CallTask,
    Capabilities,
    Context,
    Delivery,
    HookError,
    Info,
    IngestResult,
    Item,
    Malformed,
    Message,
    Rendered,
    Route,
    RouteReply,
    RouteRequest,
    Secret,
    Socket,
    Surface,
    Temporary,
    hookimpl,
)


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """``folder``: where it writes down what happened to it."""

    token: Secret
    folder: str
    greeting: str = "hello"


class Line:
    """See above."""

    INFO: ClassVar[Info] = Info(
        name="line",
        role="channel",
        api=API_VERSION,
        settings=Settings,
        can=Capabilities(inbound=frozenset({"listen"}), routes=True),
        emits=frozenset({"message"}),
        label="Line",
        address_scheme="line:user",
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = Path(settings.folder)

    def note(self, name: str, text: str = "") -> None:
        """For the test to read."""
        with (self.folder / name).open("a") as file:
            file.write(f"{text}\n")

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        told = delivery.json()
        sender = (Address(scheme="line:user", value=told["from"]),)
        said = Message(external_id=told["id"], sender=sender, text=told["text"])
        return IngestResult(events=(said,))

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:
        return Rendered(preview=item.text)

    @hookimpl
    def routes(self, ctx: Context) -> tuple[Route, ...]:
        return (
            Route(method="WS", path="talk", auth="public", handler=self.talk),
            Route(method="WS", path="refuse", auth="public", handler=self.refuse),
            Route(method="WS", path="patient", auth="public", handler=self.patient),
            Route(method="WS", path="signed", auth="public", handler=self.signed),
            Route(method="WS", path="desk", auth="member", handler=self.desk,
                  capability="channels.manage"),
            Route(method="POST", path="signed", auth="public", handler=self.posted),
        )  # fmt: skip

    async def refuse(self, ctx: Context, socket: Socket) -> None:
        """It ends before it has accepted, in one of the ways there are."""
        match socket.request.query.get("how"):
            case "raise":
                raise RuntimeError(f"the token is {self.settings.token.reveal()}")
            case "malformed":
                raise Malformed("that is no call")
            case "busy":
                raise Temporary("all lines are busy")
            case "close":
                await socket.close(4001, "not today")
            case "wait":
                await asyncio.Event().wait()
            case _:
                return

    async def patient(self, ctx: Context, socket: Socket) -> None:
        """Lets nobody in until it is told to."""
        self.note("knocked")
        try:
            while not (self.folder / "admit").exists():  # noqa: ASYNC110 — told by a file
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.note("turned away")
            raise
        while (said := await socket.receive()) is not None:
            await socket.send(said)

    async def signed(self, ctx: Context, socket: Socket) -> None:
        """Signed by its address."""
        proof = ctx.verify.twilio(tokens=[self.settings.token])
        await socket.send(proof.method)

    async def posted(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """The same, of a request."""
        proof = ctx.verify.hmac(keys=[self.settings.token], header="X-Signature")
        return RouteReply.of({"proof": proof.method})

    async def desk(self, ctx: Context, socket: Socket) -> None:
        """Says who is there."""
        await socket.send(json.dumps([socket.request.member_id, socket.request.member_name]))
        while await socket.receive() is not None:
            pass

    async def talk(self, ctx: Context, socket: Socket) -> None:
        """Until it is over, what the other side says is done."""
        ctx.verify.token(keys=[self.settings.token], header="X-Token")
        await socket.send(self.settings.greeting)
        try:
            while (said := await socket.receive()) is not None:
                await self.do(ctx, socket, said)
            self.note("over", socket.request.query.get("name", ""))
        except asyncio.CancelledError:
            self.note("cancelled", socket.request.query.get("name", ""))
            raise

    async def do(  # noqa: C901, PLR0912 — a list of what may be told
        self, ctx: Context, socket: Socket, said: str | bytes
    ) -> None:
        """One thing that was said."""
        if isinstance(said, bytes):
            await socket.send(said[::-1])
            return
        word, _, rest = said.partition(" ")
        match word:
            case "store":
                body = json.dumps({"id": rest, "from": "zoe", "text": rest}).encode()
                await ctx.emit(Delivery(body=body, source="listen", received_at=ctx.clock.now()))
                await socket.send("stored")
            case "block":
                self.block()
            case "deaf":
                while not (self.folder / "hear").exists():  # noqa: ASYNC110 — told by a file
                    await asyncio.sleep(0.01)
                await socket.send("heard")
            case "flood":
                while True:
                    await socket.send("x" * 100_000)
            case "ask":
                await socket.send(
                    await asked(
                        ctx,
                        CallTask(
                            external_id="call-1", turns=(("assistant", "hello"), ("customer", rest))
                        ),
                    )
                )
            case "summarise":
                task = CallTask(external_id="call-1", turns=(), wanted="summary")
                await socket.send(await asked(ctx, task))
            case "twice":
                waiting = asyncio.create_task(socket.receive())
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait({waiting})
                await socket.send("cancelled")
                if not waiting.cancelled():  # it was as quick
                    await socket.send(str(waiting.result()))
            case "raise":
                raise RuntimeError(f"near {self.settings.token.reveal()}")
            case "busy":
                raise Temporary(f"no line for {self.settings.token.reveal()}")
            case "close":
                await socket.close(4002, "goodbye")
            case "leave":
                raise _Over
            case "odd":
                await odd(socket, rest)
            case "ignore-the-end":
                await self.stay()
            case _:
                await socket.send(said)

    def block(self) -> None:
        """What no loop survives."""
        self.note("blocked")
        while not (self.folder / "go").exists():
            time.sleep(0.01)

    async def stay(self) -> None:
        """Does not end when it should."""
        self.note("staying")
        await asyncio.Event().wait()


async def asked(ctx: Context, task: CallTask) -> str:
    """What the assistant says, or why it does not."""
    try:
        events = await ctx.ask(task)
    except HookError as error:
        return f"{type(error).__name__}: {error.detail}"
    return json.dumps(msgspec.to_builtins(events))


class _Over(Malformed):
    pass


async def odd(socket: Socket, what: str) -> None:
    """Says what cannot be said."""
    wrong: dict[str, Any] = {
        "large": lambda: socket.send("ü" * 500_001),
        "surrogate": lambda: socket.send("\ud800"),
        "number": lambda: socket.send(cast("Any", 7)),
        "code": lambda: socket.close(1006),
        "reason": lambda: socket.close(1000, "x" * 124),
    }
    try:
        await wrong[what]()
    except (ValueError, TypeError) as error:
        await socket.send(type(error).__name__)
