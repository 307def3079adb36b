"""The cases of this package: what Twilio sends and answers, and what the hub makes of it."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

import msgspec
import pytest
from hub_sms_twilio import TwilioSms
from hub_sms_twilio.settings import Settings

from hub.plugin import Delivery, HookError, Item, Outbound, Secret, Surface
from tests.plugin_kit.provider import Request, running
from tests.small_context import SmallContext

CASES = Path(__file__).resolve().parent.parent / "cases"
PUBLIC = "https://hub.example"
HOOK = f"{PUBLIC}/hooks/main/sms-twilio"
CONFORMANCE = tomllib.loads((CASES / "conformance.toml").read_text())


def settings_of(given: dict[str, Any]) -> Settings:
    return msgspec.convert(
        given, Settings, dec_hook=lambda kind, value: Secret(value) if kind is Secret else value
    )


SETTINGS = settings_of(CONFORMANCE["settings"]["valid"])


def cases(kind: str) -> list[Any]:
    folders = sorted(path for path in (CASES / kind).iterdir() if path.is_dir())
    assert folders
    return [pytest.param(path, id=path.name) for path in folders]


def signed(delivery: Delivery) -> Delivery:
    spec = importlib.util.spec_from_file_location("sign", CASES / "sign.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.sign(delivery, SETTINGS)


def request_of(folder: Path) -> Delivery:
    head, _, body = (folder / "request.http").read_bytes().partition(b"\n\n")
    first, *lines = head.decode().split("\n")
    method, path, _ = first.split(" ")
    headers = tuple((name, value) for name, _, value in (line.partition(": ") for line in lines))
    return Delivery(
        method=method,
        url=PUBLIC + path,
        headers=headers,
        body=body,
        received_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


def expected(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "expect.json").read_text())


def assert_part_of(wanted: Any, given: Any) -> None:
    """Everything that the case names is there, and lists are of the same length."""
    if isinstance(wanted, dict):
        for name, value in wanted.items():
            assert_part_of(value, given[name])
    elif isinstance(wanted, list):
        assert len(wanted) == len(given)
        for one, other in zip(wanted, given, strict=True):
            assert_part_of(one, other)
    else:
        assert wanted == given


async def outcome(call: Awaitable[Any]) -> dict[str, Any]:
    """What a hook returned or raised, as a case writes it."""
    try:
        return msgspec.to_builtins(await call, enc_hook=vars_of_slots)
    except HookError as error:
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in type(error).__name__)[1:]
        return {"error": name, **vars(error)}


def vars_of_slots(value: Any) -> Any:
    return {name: getattr(value, name) for name in value.__slots__}


@pytest.mark.parametrize("folder", [*cases("ingest"), *cases("vectors")])
async def test_ingest(folder: Path) -> None:
    delivery = request_of(folder)
    if folder.parent.name == "ingest":
        delivery = signed(delivery)
    wanted = expected(folder)
    ctx = SmallContext(public=HOOK).at(delivery)
    given = await outcome(TwilioSms(SETTINGS).ingest(ctx, delivery))
    if "error" not in wanted:
        wanted = {"events": [], "ignored": None} | wanted
    assert_part_of(wanted, given)


@pytest.mark.parametrize("folder", cases("send"))
async def test_send(folder: Path) -> None:
    lines = (folder / "exchange.jsonl").read_text().splitlines()
    exchanges = [json.loads(line) for line in lines]
    seen: list[Request] = []

    async def scripted(request: Request) -> None:
        answer = exchanges[len(seen)]["response"]
        seen.append(request)
        await request.answer(answer["status"], answer["body"].encode(), answer["headers"])

    message = msgspec.json.decode((folder / "message.json").read_bytes(), type=Outbound)
    wanted = expected(folder)
    async with running(scripted) as twilio:
        ctx = SmallContext(
            public=HOOK, routes={"api.twilio.com": twilio.url}, files=f"{PUBLIC}/media"
        )
        given = await outcome(TwilioSms(SETTINGS).send(ctx, message))
        await ctx.aclose()
    assert_part_of(wanted.get("accepted", wanted), given)
    assert len(seen) == len(exchanges)
    for request, exchange in zip(seen, exchanges, strict=True):
        asked = exchange["request"]
        assert request.method == asked["method"]
        assert f"https://{request.headers['host']}{request.target}" == asked["url"]
        assert [list(pair) for pair in parse_qsl(request.body.decode())] == asked["form"]


@pytest.mark.parametrize("folder", cases("render"))
def test_render(folder: Path) -> None:
    item = msgspec.json.decode((folder / "item.json").read_bytes(), type=Item, dec_hook=_no_html)
    for surface, wanted in expected(folder).items():
        rendered = TwilioSms(SETTINGS).render(item, cast("Surface", surface))
        assert_part_of(wanted, msgspec.to_builtins(rendered))


def _no_html(kind: type, _: Any) -> Any:
    raise NotImplementedError(kind)


@pytest.mark.parametrize(
    "invalid", CONFORMANCE["settings"]["invalid"], ids=lambda invalid: invalid["key"]
)
def test_settings_that_are_refused(invalid: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match=invalid["key"]):
        settings_of(CONFORMANCE["settings"]["valid"] | invalid["change"])
