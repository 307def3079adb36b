"""What the guide says is so: its code runs, its lists are complete, its signatures are right."""

from __future__ import annotations

import ast
import hmac
import inspect
import io
import json
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from msgspec.structs import replace

import hub.plugin
from hub.cli import main
from hub.cli.new import TEMPLATE, renamed
from hub.config import convert_settings, load
from hub.conformance.command import suite_of
from hub.conformance.report import report_on, story
from hub.conformance.subject import find
from hub.flow.host.channel import FAULTS, LIMITS, REST
from hub.plugin import (
    API_VERSION,
    Accepted,
    Address,
    CallTask,
    Capabilities,
    Context,
    Delivery,
    Event,
    HookError,
    HttpResponse,
    Info,
    IngestResult,
    MediaRef,
    Message,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Secret,
    Speak,
    Temporary,
    Unverified,
    WirePart,
    errors,
)
from hub.plugin.errors import FAILURE_REASONS
from hub.plugin.hooks import HubSpec
from hub.plugin.kit.recorded import (
    NOW,
    Answer,
    Asked,
    Call,
    RecordedContext,
    RecordedSocket,
)
from tests.docs.guide import Snippet, named, snippets, table, text_of
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
CHANNEL = "src/hub_pigeon/channel.py"
PYTHON = snippets("python")
FIRST, HOOKS = PYTHON[:2]


def lines_of_code(source: str) -> int:
    """Lines with anything but comments on them."""
    passed_over = (
        *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
        *(tokenize.ENCODING, tokenize.ENDMARKER),
    )
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines: set[int] = set()
    for token in tokens:
        if token.type not in passed_over:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines)


@pytest.mark.feature("PLUG-06")
def test_the_smallest_channel_is_verified_conforms_and_has_forty_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lines_of_code(FIRST.text) <= 40
    monkeypatch.chdir(tmp_path)
    assert main(["plugin", "new", "pigeon"]) == 0
    folder = tmp_path / "hub-pigeon"
    assert (folder / CHANNEL).read_text() == FIRST.text, "the guide shows what is written"
    (folder / CHANNEL).write_text(FIRST.text)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder / "src")
    for name in [name for name in sys.modules if name.partition(".")[0] == "hub_pigeon"]:
        monkeypatch.delitem(sys.modules, name)
    suite = replace(suite_of(find("hub_pigeon:Pigeon"), None), mutations=20)
    assert suite.subject.info.can.verifies == "signature"
    results = suite.results()
    failed = [story(one, "hub_pigeon:Pigeon", None) for one in results if one.counts]
    assert report_on(suite, results).state == "conformant", "\n".join(failed)


def signatures(tree: ast.AST) -> dict[str, str]:
    """Every function of a tree by its name, as it is written."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            colour = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
            returns = ast.unparse(node.returns) if node.returns else "?"
            found[node.name] = f"{colour} {node.name}({ast.unparse(node.args)}) -> {returns}"
    return found


@pytest.mark.feature("PLUG-06")
def test_each_hooks_signature_is_the_hubs() -> None:
    wanted = signatures(ast.parse(inspect.getsource(HubSpec)))
    given = signatures(ast.parse(HOOKS.text))
    assert given == wanted
    assert list(given) == list(wanted), "in the order of hooks.py"


def test_each_hook_is_explained() -> None:
    rows = [row[0] for row in table("Hooks")]
    assert set().union(*map(named, rows)) == set(signatures(ast.parse(HOOKS.text)))
    limits = {row[0].strip("`"): row[2] for row in table("Hooks")}
    for hook in ("ingest", "send", "fetch_media", "reconcile"):
        assert f"within {getattr(LIMITS, hook):g} s" in limits[hook]


def fields(struct: type[msgspec.Struct]) -> set[str]:
    return set(struct.__struct_fields__)


ERRORS = {
    name for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, HookError) and value is not HookError
}  # fmt: skip
TAGS = {str(event.__struct_config__.tag) for event in get_args(Event)}
EVENTS = {event.__name__ for event in get_args(Event)}
CTX = set(inspect.get_annotations(Context)) | {
    name for name, value in vars(Context).items()
    if inspect.isfunction(value) and not name.startswith("_")
}  # fmt: skip


@pytest.mark.parametrize(
    ("heading", "column", "wanted"),
    [
        ("INFO", 0, fields(Info)),
        ("Capabilities", 0, fields(Capabilities)),
        ("Errors", 0, ERRORS),
        ("Events", 0, TAGS),
        ("Events", 1, EVENTS),
        ("ctx", 0, CTX),
    ],
    ids=["INFO", "Capabilities", "Errors", "tags", "events", "ctx"],
)
def test_a_table_has_all_there_is_and_nothing_else(
    heading: str, column: int, wanted: set[str]
) -> None:
    assert set().union(*(named(row[column]) for row in table(heading))) == wanted


def test_numbers_and_reasons_are_the_hubs() -> None:
    assert named(text_of("Errors")) >= FAILURE_REASONS
    assert (FAULTS, REST) == (5, 30.0)
    assert "after five in a row the hook rests for half\na minute" in text_of("Errors")
    assert f"**{API_VERSION}**" in text_of("Writing a channel")
    assert f'`"{API_VERSION}"`' in text_of("INFO")


@pytest.mark.parametrize("snippet", PYTHON, ids=lambda one: f"line {one.line}")
def test_python_runs(snippet: Snippet) -> None:
    run(snippet)


def run(snippet: Snippet) -> dict[str, Any]:
    """A snippet as a module of its own; what it has defined."""
    given: dict[str, Any] = {"__name__": f"guide_{snippet.line}", "Any": Any}
    if snippet is HOOKS:
        given |= {name: getattr(hub.plugin, name) for name in hub.plugin.__all__}
    exec(compile(snippet.text, f"plugin-guide.md:{snippet.line}", "exec", dont_inherit=True), given)
    return given


def run_with(words: str) -> dict[str, Any]:
    """The one that has these words."""
    return run(next(one for one in PYTHON if words in one.text))


@pytest.mark.feature("PLUG-06")
def test_python_is_typed(tmp_path: Path) -> None:
    for number, snippet in enumerate(PYTHON):
        told = "from typing import Any\nfrom hub.plugin import *\n" if snippet is HOOKS else ""
        (tmp_path / f"snippet_{number}.py").write_text(told + snippet.text)
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "-p", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=5 * PATIENCE,
    )
    assert done.returncode == 0, done.stdout


async def test_the_verifying_snippet_answers_a_challenge_and_reads_a_message() -> None:
    given = run_with("class Greeter")
    greeter = given["Greeter"]([Secret("k" * 16)])

    async def read(path: str, body: bytes) -> IngestResult:
        url = f"https://hub.example/hooks/main/greeter{path}"
        signature = hmac.digest(b"k" * 16, url.encode() + b"\n" + body, "sha256").hex()
        headers = (("X-Signature", signature),)
        delivery = Delivery(url=url, headers=headers, body=body, received_at=NOW)
        return await greeter.ingest(RecordedContext().at(delivery), delivery)

    reply = (await read("?challenge=42", b"")).reply
    assert reply is not None
    assert reply.body == b"42"
    (message,) = (await read("", b'{"id": "1", "sender": "zoe"}')).events
    assert isinstance(message, Message)
    assert (message.external_id, message.sender[0].value) == ("1", "zoe")


def test_the_sending_snippet_tells_the_providers_codes_from_http() -> None:
    given = run_with("def taken")

    def taken(status: int, body: bytes) -> Accepted:
        answer = HttpResponse(status=status, headers={}, body=body, url="https://x.example")
        return given["taken"](RecordedContext(), answer)

    assert taken(201, b'{"id": 7}').external_id == "7"
    with pytest.raises(Permanent) as refused:
        taken(422, b"stopped")
    assert (refused.value.reason, refused.value.provider_code) == ("opted_out", "stopped")
    with pytest.raises(OutcomeUnknown):
        taken(201, b"<html>")


async def test_the_parts_snippet_sends_none_of_them_twice() -> None:
    sender = run_with("class Parts")["Parts"]()
    asked: list[str] = []

    async def provider(call: Call) -> Answer:
        asked.append(json.loads(call.body)["text"])
        busy = len(asked) == 2
        return Answer(status=429 if busy else 201, body=b'{"id": %d}' % len(asked))

    ctx = RecordedContext(answering=provider)
    message = Outbound(
        id="t-1",
        address=Address(scheme="pigeon:user", value="zoe"),
        own_address="",
        deadline=NOW,
        wire=(WirePart(text="one"), WirePart(text="two")),
    )
    with pytest.raises(Temporary):
        await sender.send(ctx, message)
    accepted = await sender.send(ctx, message)
    assert asked == ["one", "two", "two"]
    assert (accepted.external_id, accepted.parts) == ("1", ("1", "3"))
    assert ctx.memory.entries == {}


async def test_the_files_snippet_fetches_with_the_token() -> None:
    given = run_with("class Pictures")

    async def provider(call: Call) -> Answer:
        assert call.headers["authorization"].startswith("Basic ")
        return Answer(body=b"png")

    ctx = RecordedContext(answering=provider)
    pictures = given["Pictures"](Secret("t"))
    assert (await pictures.fetch_media(ctx, MediaRef(provider_id="f-1"))).body == b"png"
    with pytest.raises(Permanent):
        await pictures.fetch_media(ctx, MediaRef(url="https://elsewhere.example/"))
    assert len(ctx.network.calls) == 1


async def test_the_sockets_snippet_stores_what_is_said_by_who_has_the_key() -> None:
    calls = run_with("class Calls:")["Calls"](Secret("k" * 16))
    ctx = RecordedContext()
    words, about = calls.routes(ctx)
    knock = Delivery(method="GET", headers=(("X-Key", "k" * 16),), received_at=NOW)
    socket = RecordedSocket(["hello", b"there"])
    await words.handler(ctx.at(knock), socket)
    assert [one.body for one in ctx.emitted] == [b"hello", b"there"]
    assert socket.sent == ['{"stored": true}'] * 2
    stranger = RecordedSocket(["hello"])
    with pytest.raises(Unverified):
        await words.handler(ctx.at(Delivery(received_at=NOW)), stranger)
    assert not stranger.accepted
    told = (await about.handler(ctx, stranger.request)).body
    assert json.loads(told)["words"] == "wss://hub.example/hooks/main/under-test/words"


async def test_the_assistants_snippet_goes_on_without_one() -> None:
    given = run_with("def next_words")
    said = (("customer", "Are you open?"),)
    task = CallTask(external_id="call-1", turns=said)
    ctx = RecordedContext()
    ctx.assistant = [
        Asked(task=task, events=(Speak(request_id="r", text="We are."),)),
        Asked(task=task, error="it is busy"),
    ]
    words = [await given["next_words"](ctx, "call-1", said) for _ in range(3)]
    assert words == ["We are.", given["SORRY"], given["SORRY"]]


@pytest.mark.feature("PLUG-02", "PLUG-06")
def test_channels_in_toml_are_read_by_the_hub(tmp_path: Path) -> None:
    read: list[str] = []
    tutorial = run(FIRST)["Settings"]
    shown = run_with("old_tokens")["Settings"]
    for snippet in snippets("toml"):
        if "[[channels]]" not in snippet.text:
            continue
        path = tmp_path / "hub.toml"
        path.write_text(snippet.text)
        for name in ("pigeon.key", "old-token"):
            (tmp_path / name).write_text("a secret of some length")
        (channel,) = load(path, {"PIGEON_TOKEN": "a token of some length"}).channels
        kind = tutorial if channel.id == "pigeon" else shown
        settings = convert_settings(kind, channel.settings, channel.origin)
        assert isinstance(settings, kind), settings
        read.append(channel.id)
    assert read == ["pigeon", "texts"]


def test_the_packages_toml_is_what_is_written() -> None:
    written = tomllib.loads(renamed((TEMPLATE / "pyproject.toml").read_text(), "pigeon"))
    (shown,) = [one for one in snippets("toml") if "[project]" in one.text]
    project = tomllib.loads(shown.text)["project"]
    assert project == {name: written["project"][name] for name in project}


def test_every_snippet_is_run_by_a_test() -> None:
    """Shells and the patch are run by ``tests/authors/test_tutorial.py``."""
    assert {one.language for one in snippets()} == {"python", "toml", "sh", "diff"}


def test_links_within_the_page_lead_somewhere() -> None:
    text = text_of()
    headings = {
        "".join(c for c in line.lstrip("# ").lower().replace(" ", "-") if c.isalnum() or c == "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    links = {link.partition(")")[0] for link in text.split("](#")[1:]}
    assert links <= headings
