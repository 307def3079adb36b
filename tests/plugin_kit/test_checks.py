"""Load checks: each thing that can be wrong is found, and all are told at once."""

from __future__ import annotations

import asyncio
import importlib.metadata
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from hub.plugin import API_VERSION, Capabilities, Info, Secret, hookimpl
from hub.plugin.kit import checks
from hub.plugin.kit.checks import (
    HOOKS,
    LoadFailed,
    check_class,
    check_package,
    info_of,
    load,
)


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    token: Secret | None = None


def info(**changes: Any) -> Info:
    known: dict[str, Any] = {
        "name": "good-channel",
        "role": "channel",
        "api": API_VERSION,
        "settings": Settings,
        "label": "Good",
        "can": Capabilities(
            inbound=frozenset({"http"}), outbound=True, receipts=frozenset({"sent"})
        ),
        "emits": frozenset({"message", "receipt"}),
    }
    return Info(**(known | changes))


class Good:
    INFO = info()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @hookimpl
    async def ingest(self, ctx, delivery):
        return ("ingested", delivery)

    @hookimpl
    async def send(self, ctx, message):
        return ("sent", message)

    @hookimpl
    def render(self, item, surface):
        return (item, surface, self.settings)


def test_a_good_plugin_loads_and_answers() -> None:
    assert check_class(Good) == []
    settings = Settings()
    manager = load(Good, settings)
    (plugin,) = manager.get_plugins()
    assert isinstance(plugin, Good)
    hooks = manager.hook
    assert hooks.render(ctx=None, item=1, surface="wire") == (1, "wire", settings)
    assert asyncio.run(hooks.send(ctx=None, message=2)) == ("sent", 2)
    assert asyncio.run(hooks.ingest(ctx=None, delivery=3)) == ("ingested", 3)
    assert hooks.poll.get_hookimpls() == []


def test_each_channel_has_an_instance_and_a_manager_of_its_own() -> None:
    one, two = Settings(token=Secret("1")), Settings(token=Secret("2"))
    first, second = load(Good, one), load(Good, two)
    assert first.hook.render(ctx=None, item=1, surface="wire")[2] is one
    assert second.hook.render(ctx=None, item=1, surface="wire")[2] is two


def broken(**attributes: Any) -> list[str]:
    return [*check_class(type("Broken", (Good,), attributes))]


def problem(**attributes: Any) -> str:
    (only,) = broken(**attributes)
    return only


@pytest.mark.parametrize("required", ["ingest", "send", "render"])
def test_a_required_hook_is_missing(required: str) -> None:
    rest = {name: value for name, value in vars(Good).items() if name != required}
    (only,) = check_class(type("Less", (), rest))
    assert only.startswith(f"{required} is missing")


def test_a_channel_that_only_sends_has_no_ingest() -> None:
    can = Capabilities(outbound=True)
    rest = {name: value for name, value in vars(Good).items() if name != "ingest"}
    rest["INFO"] = info(can=can, emits=frozenset())
    assert check_class(type("OneWay", (), rest)) == []
    assert "would never be called" in problem(INFO=info(can=can, emits=frozenset()))


def test_wrong_colour() -> None:
    def send(self, ctx, message): ...

    async def render(self, ctx, item, surface): ...

    assert problem(send=hookimpl(send)) == "send has to be async def"
    assert problem(render=hookimpl(render)) == "render has to be def, not async def"


def test_generators_are_no_hooks() -> None:
    def render(self, ctx, item, surface):
        yield

    async def send(self, ctx, message):
        yield

    assert "yields" in problem(render=hookimpl(render))
    assert "yields" in problem(send=hookimpl(send))


def test_arguments_that_pluggy_would_not_pass() -> None:
    async def keyword_only(self, ctx, *, message): ...
    async def default(self, ctx, message=None): ...
    async def more(self, ctx, message, **rest): ...
    async def many(self, ctx, *message): ...
    async def unknown(self, ctx, mesage): ...
    async def fewer(self): ...

    assert "keyword-only" in problem(send=hookimpl(keyword_only))
    assert "has a default" in problem(send=hookimpl(default))
    assert "name the arguments" in problem(send=hookimpl(more))
    assert "name the arguments" in problem(send=hookimpl(many))
    assert problem(send=hookimpl(unknown)) == "send has no argument 'mesage'; it has: ctx, message"
    assert broken(send=hookimpl(fewer)) == []


def test_static_and_class_methods() -> None:
    class Odd:
        INFO = Good.INFO
        ingest = Good.ingest

        def __init__(self, settings): ...

        @staticmethod
        @hookimpl
        async def send(ctx, message):
            return message

        @classmethod
        @hookimpl
        def render(cls, ctx, item, surface):
            return cls

    assert check_class(Odd) == []
    manager = load(Odd, Settings())
    assert manager.hook.render(ctx=None, item=1, surface="wire") is Odd
    assert asyncio.run(manager.hook.send(ctx=None, message=4)) == 4


def test_wrappers_are_refused() -> None:
    def render(self, ctx, item, surface):
        return (yield)

    for marked in (hookimpl(wrapper=True)(render), hookimpl(hookwrapper=True)(render)):
        assert any("wrapper" in each for each in broken(render=marked))


def test_an_override_without_the_mark_is_seen() -> None:
    async def send(self, ctx, message): ...

    found = broken(send=send)
    assert "send overrides a hook without @hookimpl, which drops it" in found


def test_a_hook_without_the_mark_is_seen() -> None:
    async def health(self, ctx): ...

    assert problem(health=health) == "health is not marked @hookimpl"


def test_two_implementations_of_one_hook() -> None:
    async def other(self, ctx, message): ...

    assert problem(other=hookimpl(specname="send")(other)) == (
        "send is implemented 2 times: other, send"
    )


def test_a_hook_that_does_not_exist() -> None:
    async def ingst(self, ctx, delivery): ...

    assert problem(ingst=hookimpl(ingst)).endswith("no such hook (did you mean ingest?)")


def test_equality_of_ones_own() -> None:
    assert "identity" in problem(__eq__=lambda self, other: True)
    assert "identity" in problem(__hash__=lambda self: 1)


def test_the_constructor_takes_the_settings() -> None:
    def nothing(self): ...

    def two(self, settings, more): ...

    assert "constructor" in problem(__init__=nothing)
    assert "constructor" in problem(__init__=two)


@pytest.mark.parametrize(
    ("hook", "capability"),
    [
        ("poll", {"inbound": frozenset({"http", "poll"})}),
        ("listen", {"inbound": frozenset({"http", "listen"})}),
        ("routes", {"routes": True}),
        ("reconcile", {"reconciles": True}),
        ("templates", {"templates": True}),
    ],
)
def test_an_optional_hook_and_its_capability_go_together(hook: str, capability: Any) -> None:
    spec = HOOKS[hook]
    hooked = {hook: hookimpl(type("Copy", (), {hook: spec}).__dict__[hook])}
    claims = {"inbound": frozenset({"http"}), "outbound": True, "receipts": frozenset({"sent"})}
    claimed = {"INFO": info(can=Capabilities(**(claims | capability)))}
    assert "would never be called" in problem(**hooked)
    assert problem(**claimed).startswith(f"{hook} is missing")
    assert broken(**hooked, **claimed) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"api": "0.9"}, "INFO.api is 0.9"),
        ({"api": "2.0"}, "INFO.api is 2.0"),
        ({"api": "new"}, "is not a version"),
        ({"api": 0.9}, "INFO.api: Expected `str`"),
        ({"name": "Good Channel"}, "INFO.name"),
        ({"label": " "}, "INFO.label is empty"),
        ({"role": "chanel"}, "INFO.role"),
        ({"group": "sms"}, "INFO.group"),
        ({"tone": "mauve"}, "INFO.tone"),
        ({"settings": dict}, "not a msgspec Struct"),
        ({"can": Capabilities(inbound=frozenset({"pigeon"}))}, "INFO.can"),  # type: ignore[arg-type]
        ({"can": None}, "INFO.can"),
        ({"emits": frozenset({"mesage"})}, "there is no such event"),
        ({"emits": frozenset({"draft"})}, "a channel does not emit it"),
        ({"emits": frozenset({"opt_out"})}, "does not claim can.opt_out"),
        ({"emits": ["edited"]}, "does not claim can.edits"),
    ],
)
def test_what_info_says(changes: dict[str, Any], words: str) -> None:
    assert words in problem(INFO=info(**changes))


def test_settings_that_swallow_mistakes() -> None:
    class Open(Struct):
        token: str

    assert "forbid_unknown_fields" in problem(INFO=info(settings=Open))


@pytest.mark.feature("PLUG-07")
@pytest.mark.parametrize(
    ("version", "hub", "words"),
    [
        ("0.8", API_VERSION, "has to be brought up to it (docs/plugin-guide.md, Versions)"),
        ("0.9", API_VERSION, "has to be brought up to it (docs/plugin-guide.md, Versions)"),
        ("1.0", "2.3", "has to be brought up to it (docs/plugin-guide.md, Versions)"),
        ("1.3", "1.2", "needs a newer hub"),
        ("1.10", "1.9", "needs a newer hub"),
        ("2.0", "1.9", "needs a newer hub"),
        ("9.9", API_VERSION, "needs a newer hub"),
    ],
)
def test_a_plugin_for_another_version_is_refused_in_clear_words(
    monkeypatch: pytest.MonkeyPatch, version: str, hub: str, words: str
) -> None:
    monkeypatch.setattr(checks, "API_VERSION", hub)
    with pytest.raises(LoadFailed) as failed:
        load(type("Other", (Good,), {"INFO": info(api=version)}), Settings())
    (told,) = failed.value.problems
    assert told == f"INFO.api is {version}, this hub has {hub}: the plugin {words}"


@pytest.mark.feature("PLUG-07")
@pytest.mark.parametrize("version", ["1.0", "1.3", "1.9"])
def test_a_plugin_for_an_older_minor_version_is_taken(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(checks, "API_VERSION", "1.9")
    assert check_class(type("Older", (Good,), {"INFO": info(api=version)})) == []


def test_a_hook_that_came_later_is_not_taken_for_an_older_plugins_own_method(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def typing(self: object, who: str) -> str:
        return who

    async def later(self: object, ctx: object, facts: object) -> None: ...

    older = type("Older", (Good,), {"typing": typing, "INFO": info(api="1.0")})
    monkeypatch.setitem(checks.HOOKS, "typing", later)
    monkeypatch.setattr(checks, "API_VERSION", "1.0")
    assert check_class(older) == ["typing is not marked @hookimpl"]
    monkeypatch.setattr(checks, "API_VERSION", "1.1")
    assert check_class(older) == []
    load(older, Settings())


def test_a_class_without_info_or_no_class_at_all() -> None:
    assert "no INFO" in check_class(type("Nothing", (), {}))[0]
    assert check_class(Good(Settings())) != []
    assert check_class(None) == ["None is not a class"]


def test_an_extension_does_something() -> None:
    class Extension:
        INFO = info(role="extension", can=Capabilities(), emits=frozenset())

        def __init__(self, settings): ...

    assert "at least one of" in check_class(Extension)[0]
    Extension.on_change = hookimpl(HOOKS["on_change"])  # type: ignore[attr-defined]
    assert check_class(Extension) == []


def test_what_only_extensions_do_is_not_passed_over_in_silence() -> None:
    assert problem(before_send=hookimpl(HOOKS["before_send"])) == (
        "before_send is a hook of extensions: here it would never be called"
    )


def test_everything_is_told_at_once() -> None:
    async def render(self, ctx, item, surfaces): ...

    found = broken(
        INFO=info(api="7.0", label=""),
        render=hookimpl(render),
        send=lambda self: None,
        __init__=lambda self: None,
    )
    assert len(found) == 6
    with pytest.raises(LoadFailed) as failed:
        load(type("Broken", (Good,), {"INFO": info(api="7.0", label="")}), Settings())
    assert len(failed.value.problems) == 2


def test_a_constructor_that_raises() -> None:
    class Broken(Good):
        def __init__(self, settings):
            raise RuntimeError("no such number")

    with pytest.raises(LoadFailed, match="RuntimeError: no such number"):
        load(Broken, Settings())


def loaded_with(own: Any) -> Info:
    class Decided(Good):
        def __init__(self, settings: Settings) -> None:
            super().__init__(settings)
            self.info = own

    return info_of(load(Decided, Settings()))


def test_an_instance_may_claim_less_than_its_class() -> None:
    assert info_of(load(Good, Settings())) is Good.INFO
    assert loaded_with("something else of its author's") is Good.INFO
    for can in (Capabilities(), Capabilities(outbound=True), Good.INFO.can):
        assert loaded_with(info(can=can)).can == can


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (info(can=Capabilities(outbound=True, media_in=True)), "claims can.media_in = True"),
        (info(can=Capabilities(receipts=frozenset({"read"}))), "claims can.receipts"),
        (info(can=Capabilities(verifies="token")), "claims can.verifies = 'token'"),
        (info(label="Another", can=Capabilities()), "in more than can"),
        (info(emits=frozenset({"message"})), "in more than can"),
    ],
)
def test_an_instance_may_not_claim_more(own: Info, words: str) -> None:
    with pytest.raises(LoadFailed, match=words):
        loaded_with(own)


@pytest.mark.feature("PLUG-07")
@pytest.mark.parametrize(
    ("requires", "version", "words"),
    [
        (["channel-hub>=0.1,<0.2"], "0.1.5", None),
        (["channel-hub>=0.1,<2"], "1.7.0", None),
        (["channel-hub>=0.1,<2"], "2.0.0", "needs channel-hub <2,>=0.1, this is 2.0.0"),
        (["Channel_Hub>=0.1,<0.2", "nh3"], "0.1.0.dev3", "needs channel-hub"),
        (["channel-hub>=0.1,<0.2"], "0.1.1rc1", None),
        (["channel-hub>=0.1,<0.2"], "0.2.0", "needs channel-hub <0.2,>=0.1, this is 0.2.0"),
        (["channel-hub"], "0.1.0", "without a range"),
        (["nh3"], "0.1.0", "does not say"),
        ([], "0.1.0", "does not say"),
        (['channel-hub>=0.1; extra == "tests"'], "0.1.0", "does not say"),
        (["channel-hub>=9; python_version < '3'", "channel-hub>=0.1"], "0.1.0", None),
    ],
)
def test_the_range_in_the_packages_metadata(
    tmp_path: Path, requires: list[str], version: str, words: str | None
) -> None:
    folder = tmp_path / "acme-1.0.dist-info"
    folder.mkdir()
    lines = ["Metadata-Version: 2.1", "Name: acme", "Version: 1.0"]
    lines += [f"Requires-Dist: {each}" for each in requires]
    (folder / "METADATA").write_text("\n".join(lines) + "\n")
    found = check_package(importlib.metadata.Distribution.at(folder), version)
    assert (words in found[0]) if words else (found == [])
