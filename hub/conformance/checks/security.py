"""Security: the plugin keeps to its ways, and its secrets to itself."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from typing import Any, cast

from hub.conformance.check import Failed, NeedsCase, NotApplicable, check
from hub.conformance.checks.render import SURFACES, items
from hub.conformance.checks.send import always, attempt
from hub.conformance.guard import MARKER
from hub.conformance.matching import as_expected
from hub.conformance.payload import Payload
from hub.conformance.stage import PATIENCE, Instance, Outcome, Stage, plain
from hub.plugin import (
    FetchedMedia,
    MediaRef,
    Route,
    RouteHandler,
    RouteReply,
    RouteRequest,
    SocketHandler,
)
from hub.plugin.kit.recorded import Answer, RecordedSocket, Script, Unscripted
from hub.plugin.kit.secrets import as_written

PRIVATE = (
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:8000/",
    "http://10.0.0.7/",
    "http://[::1]/",
    "https://elsewhere.example/file.png",
    "file:///etc/passwd",
)
OWNERS = {
    "channel_id": "another",
    "channel": "another",
    "organisation": "another",
    "organisation_id": "2",
    "thread_id": "1",
    "contact_id": "1",
}
LONGEST_DETAIL = 300
ECHO = "ZqEcho of what the provider said " * 40
CANARIES = (
    f"{MARKER}()",
    f"__import__('{MARKER}')",
    base64.b64encode(f"c{MARKER}\nrun\n.".encode()).decode(),
    f"!!python/object/apply:{MARKER}.run []",
)


async def _everything(stage: Stage, one: Instance) -> dict[str, Any]:
    """Every hook with what the cases have; all that came of it, by what was done."""
    told: dict[str, Any] = {}
    for case in stage.cases.ingest:
        delivery = stage.signed(case.delivery, one.settings)
        outcome = await one.ingest(delivery)
        told[f"ingesting {case.name}"] = _said(outcome)
    for case in (*stage.cases.send, *stage.cases.reconcile):
        one.before(case, Script(case.exchanges))
        hook = "reconcile" if case in stage.cases.reconcile else "send"
        outcome = await one.call(hook, message=stage.message(case))
        told[f"the {hook} of {case.name}"] = _said(outcome)
    told["rendering"] = [
        plain(one.render(item, surface).value) for item in items(stage) for surface in SURFACES
    ]
    if one.has("fetch_media"):
        one.ctx.network.answering = always(Answer(status=200, body=b"x"))
        told["fetch_media"] = _said(await one.fetch_media(MediaRef(provider_id="f-1")))
    if one.has("health"):
        one.ctx.network.answering = always(Answer(status=401, body=b"{}"))
        told["health"] = _said(await one.call("health"))
    return told


def _said(outcome: Outcome) -> list[Any]:
    """What the plugin says. That a request was not recorded is said by the suite, with its address,
    which is where some providers want the token."""
    return [] if isinstance(outcome.fault, Unscripted) else [str(outcome), plain(outcome.value)]


@check("SEC-01", "The network is reached by ctx alone", why="There it is limited and watched.")
async def network_by_ctx_alone(stage: Stage) -> None:
    """No socket of its own in any hook."""
    async with stage.running() as one:
        await _everything(stage, one)
    hooks = [each for each in stage.guard.of("network", "process") if each.during != "construction"]
    if hooks:
        raise Failed(
            "own_socket",
            done=f"called {hooks[0].during or 'its hooks'}",
            expected="no network but ctx.http and ctx.connect, no process",
            got=hooks[0].what,
        )


@check("SEC-02", "A file's address is not followed anywhere", why="Anybody can write one.",
       on="media_in")  # fmt: skip
async def files_come_from_where_they_may(stage: Stage) -> None:
    """Private and foreign addresses: refused, or asked without credentials."""
    async with stage.running(answering=always(Answer(status=200, body=b"x"))) as one:
        if not one.has("fetch_media"):
            raise NotApplicable("it leaves fetching to the hub")
        for url in PRIVATE:
            outcome = await one.fetch_media(MediaRef(url=url))
            done = f"fetched {url}"
            for call in outcome.calls:
                if "authorization" in call.headers or any(s in call.text() for s in one.secrets()):
                    raise Failed(
                        "credentials_sent", done=done, expected="no credentials", got=call.url
                    )
            if not outcome.declared or (
                isinstance(outcome.value, FetchedMedia) and not outcome.calls
            ):
                raise Failed("fetched", done=done, expected="an error of the API", got=str(outcome))


@check("SEC-03", "Secrets are told to nobody", why="Logs and pages are read by many.")
async def secrets_are_kept(stage: Stage) -> None:
    """Not in logs, errors, events, renderings, kv, or what is answered."""
    async with stage.running() as one:
        told = await _everything(stage, one)
        places = {
            "a log line": one.ctx.lines.lines,
            "a stored value": [entry.value for entry in one.ctx.memory.entries.values()],
            **{f"what came of {what}": said for what, said in told.items()},
        }
        secrets = as_written(one.secrets())
    for place, said in places.items():
        text = str(said)
        if any(secret in text for secret in secrets):
            raise Failed(
                "leaked",
                done="called every hook with every case",
                expected="no secret of the settings",
                got=f"one in {place}",
            )


@check("SEC-04", "A provider's words are shortened", why="They may hold anything.", on="outbound")
async def words_are_shortened(stage: Stage) -> None:
    """An error's detail is one line of at most 300 characters."""
    case = stage.over_http()
    for status in (400, 500):
        body = f'{{"error": "odd", "code": 1, "message": "{ECHO}", "detail": "{ECHO}"}}'.encode()
        headers = {"Content-Type": "application/json"}
        answer = Answer(status=status, headers=headers, body=body)
        outcome = await attempt(stage, case, always(answer))
        detail = getattr(outcome.error, "detail", "")
        if len(detail) > LONGEST_DETAIL or len(detail.splitlines()) > 1:
            raise Failed(
                "echoed",
                done=f"sent {case.name}, answered {status} with a long message",
                expected=f"a detail of one line, at most {LONGEST_DETAIL} characters",
                got=f"{len(detail)} characters: {detail[:100]!r}",
            )


@check("SEC-05", "Routes say whom they are for", why="A route is open to the world.", on="routes")
async def routes_say_whom_for(stage: Stage) -> None:
    """Each states ``auth``; what is posted to a public one without a proof is refused."""
    async with stage.running() as one:
        outcome = one.pure("routes")
        found: tuple[Any, ...] = outcome.value or ()
        if not found or not all(isinstance(route, Route) for route in found):
            got = str(outcome)
            raise Failed("no_routes", done="asked for its routes", expected="Routes", got=got)
        for route in found:
            done = f"asked {route.method} {route.path} without any proof"
            if route.auth not in {"member", "public"}:
                raise Failed("no_auth", done=done, expected="member or public", got=route.auth)
            if route.auth == "member" or route.method == "GET":
                continue
            if route.method == "WS":
                await _takes_no_stranger(stage, one, route, done)
                continue
            request = RouteRequest(
                method=route.method, path=route.path, query={}, headers={}, body=b"{}"
            )
            reply: object = None
            with suppress(Exception):  # a refusal, of whatever kind
                handler = cast("RouteHandler", route.handler)
                reply = await handler(one.ctx.at(_nothing(stage)), request)
            if isinstance(reply, RouteReply) and reply.status < 400:
                raise Failed(
                    "open_route",
                    done=done,
                    expected="Unverified, or a status of 400 or more",
                    got=str(reply.status),
                )


async def _takes_no_stranger(stage: Stage, one: Instance, route: Route, done: str) -> None:
    """A WebSocket that nobody has proven to be theirs is not accepted."""
    socket = RecordedSocket(["{}"])
    handler = cast("SocketHandler", route.handler)
    with suppress(Exception):  # a refusal, of whatever kind
        await asyncio.wait_for(handler(one.ctx.at(_nothing(stage)), socket), PATIENCE)
    if socket.accepted:
        raise Failed(
            "open_socket",
            done=done,
            expected="Unverified before anything is received or sent",
            got=f"it was accepted, and told {socket.sent}",
        )


def _nothing(stage: Stage) -> Any:
    """A delivery that nobody signed."""
    if not stage.cases.ingest:
        raise NeedsCase("there is no case in ingest/")
    return stage.cases.ingest[0].delivery


@check("SEC-06", "A file's name is a name", why="A path would be written to.", on="media_in")
async def names_are_names(stage: Stage) -> None:
    """``fetch_media`` gives base names, whatever the provider says."""
    refs = [
        MediaRef(**{name: ref.get(name) for name in ("url", "provider_id") if ref.get(name)})
        for case in stage.cases.ingest
        for event in case.events
        for ref in _files(event)
    ]
    if not refs:
        raise NeedsCase("no case in ingest/ expects media")
    for name in ("../../etc/passwd", "/etc/passwd", "..\\\\..\\\\boot.ini"):
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        async with stage.running(answering=always(Answer(headers=headers, body=b"x"))) as one:
            if not one.has("fetch_media"):
                raise NotApplicable("it leaves fetching to the hub")
            outcome = await one.fetch_media(refs[0])
        if isinstance(outcome.value, FetchedMedia):
            given = outcome.value.name or ""
            if "/" in given or "\\" in given:
                raise Failed(
                    "path",
                    done=f"fetched a file that its provider calls {name!r}",
                    expected="a base name",
                    got=repr(given),
                )
        elif not outcome.calls:
            raise NotApplicable("it fetches by no request of ctx.http")


def _files(event: dict[str, Any]) -> list[dict[str, Any]]:
    """The files of a message, or the sound of a call."""
    media: Any = event.get("media") or []
    return [media] if isinstance(media, dict) else media


@check("SEC-07", "A payload cannot choose whose it is", why="A customer writes payloads.",
       on="inbound")  # fmt: skip
async def payloads_own_nothing(stage: Stage) -> None:
    """Fields that name channels, organisations, threads change nothing."""
    tried = 0
    for case in stage.with_events():
        payload = Payload.of(case.delivery)
        if payload.kind == "other" or case.signed:
            continue
        tried += 1
        for name, value in OWNERS.items():
            payload = payload.add(name, value)
        async with stage.running() as one:
            before = await one.ingest(stage.delivery(case))
            after = await one.ingest(stage.signed(payload.make()))
        kept = as_expected(case, before) and not as_expected(case, after)
        if kept or "another" in str([{**e, "facts": None} for e in after.events]):
            raise Failed(
                "believed",
                done=f"added {', '.join(OWNERS)} to the case {case.name}",
                expected=str(before),
                got=str(after),
            )
    if not tried:
        raise NotApplicable("no case is JSON or a form")


@check("SEC-08", "Nothing of a payload is run", why="It would run in the hub.", on="inbound")
async def nothing_is_run(stage: Stage) -> None:
    """Values that would be code to ``eval``, ``pickle`` or a YAML reader."""
    tried = 0
    async with stage.running() as one:
        for case in stage.with_events():
            payload = Payload.of(case.delivery)
            for path, value in payload.leaves():
                if not isinstance(value, str) or payload.kind == "other" or path[0] == "query":
                    continue
                for canary in CANARIES:
                    tried += 1
                    await one.ingest(stage.signed(payload.put(path, canary).make()))
    if not tried:
        raise NotApplicable("no case is JSON or a form")
    if ran := stage.guard.of("code"):
        raise Failed(
            "ran",
            done="ingested the cases with code in place of each text",
            expected="that it stays text",
            got=ran[0].what,
        )
