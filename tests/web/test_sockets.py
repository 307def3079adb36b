"""WebSockets at plugins' own routes: who may open one, what goes over it, and how it ends."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from tests.host.unruly import PLUGINS
from tests.hubs import Client, HubProcess, wait_for
from tests.patience import PATIENCE
from tests.web.conftest import MEMBERS, add_members

TOKEN = "tok-of-the-line-never-shown"
OTHER = "tok-of-the-branch"
CONFIG = """\
[hub]
public_url = "http://hub.example"

[[organisations]]
slug = "main"

[[organisations]]
slug = "branch"

[[channels]]
id = "line"
organisation = "main"
plugin = "line"
[channels.settings]
token = "{token}"
folder = "{folder}"
greeting = "hello"

[[channels]]
id = "line"
organisation = "branch"
plugin = "line"
[channels.settings]
token = "{other}"
folder = "{folder}"
greeting = "branch"

[[channels]]
id = "simulator"
organisation = "main"
plugin = "simulator"
"""
ENVIRON = {"PYTHONPATH": str(PLUGINS)}
LARGEST = 1_000_000


def config(folder: Path) -> str:
    return CONFIG.format(token=TOKEN, other=OTHER, folder=folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plugin writes down what happened to it."""
    return tmp_path_factory.mktemp("line")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[HubProcess]:
    place = tmp_path_factory.mktemp("hub")
    with HubProcess(place, config=config(folder), environ=ENVIRON) as hub:
        add_members(hub, MEMBERS)
        yield hub


def address(hub: HubProcess, path: str = "talk", organisation: str = "main") -> str:
    return f"ws://127.0.0.1:{hub.port}/hooks/{organisation}/line/{path}"


@contextmanager
def talk(
    hub: HubProcess, name: str = "", *, token: str = TOKEN, organisation: str = "main"
) -> Iterator[ClientConnection]:
    """A socket that has been greeted."""
    url = address(hub, f"talk?name={name}", organisation)
    with connect(url, additional_headers={"X-Token": token}, max_size=None) as opened:
        assert opened.recv(timeout=PATIENCE) in {"hello", "branch", "again"}
        yield opened


def signed(url: str) -> str:
    """An address, as Twilio signs it."""
    made = hmac.digest(TOKEN.encode(), url.encode(), "sha1")
    return base64.b64encode(made).decode()


def asked(opened: ClientConnection, said: str | bytes) -> Any:
    opened.send(said)
    return opened.recv(timeout=PATIENCE)


def closed(opened: ClientConnection) -> tuple[int, str]:
    """How the hub has ended it."""
    with pytest.raises(ConnectionClosed) as error:
        _read_to_the_end(opened)
    assert error.value.rcvd is not None, "cut off, not closed"
    return error.value.rcvd.code, error.value.rcvd.reason


def _read_to_the_end(opened: ClientConnection) -> None:
    while True:
        opened.recv(timeout=PATIENCE)


def refused(url: str, **headers: str) -> tuple[int, dict[str, Any]]:
    with pytest.raises(InvalidStatus) as error, connect(url, additional_headers=headers):
        pass
    response = error.value.response
    return response.status_code, json.loads(response.body)


def noted(folder: Path, name: str) -> list[str]:
    path = folder / name
    return path.read_text().splitlines() if path.exists() else []


# ---------------------------------------------------------------------- what goes over it


def test_texts_and_bytes_go_both_ways(hub: HubProcess) -> None:
    with talk(hub) as opened:
        assert asked(opened, "grüß dich 🙂\x00") == "grüß dich 🙂\x00"
        assert asked(opened, b"\x00\x01\xff") == b"\xff\x01\x00"
        assert asked(opened, "") == ""
        large = "x" * LARGEST
        assert asked(opened, large) == large
        opened.send(iter(["in ", "three ", "frames"]))
        assert opened.recv(timeout=PATIENCE) == "in three frames"
        many = [f"number {number}" for number in range(500)]
        for each in many:
            opened.send(each)
        assert [opened.recv(timeout=PATIENCE) for _ in many] == many


def test_what_is_emitted_is_stored_when_emit_returns(hub: HubProcess) -> None:
    with talk(hub) as opened, contextlib.closing(hub.client()) as client:
        assert asked(opened, "store from-a-socket") == "stored"
        (thread,) = [one for one in client.threads() if one["contact"]["display"] == "zoe"]
        assert [one["text"] for one in client.entries(thread["id"])] == ["from-a-socket"]


def test_a_receive_that_is_cancelled_loses_nothing(hub: HubProcess) -> None:
    with talk(hub) as opened:
        for number in range(50):
            opened.send("twice")
            opened.send(f"{number}")
            assert opened.recv(timeout=PATIENCE) == "cancelled"
            assert opened.recv(timeout=PATIENCE) == f"{number}"


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("large", "ValueError"),
        ("surrogate", "UnicodeEncodeError"),
        ("number", "TypeError"),
        ("code", "ValueError"),
        ("reason", "ValueError"),
    ],
)
def test_what_cannot_be_said_is_told_to_the_plugin(hub: HubProcess, what: str, error: str) -> None:
    with talk(hub) as opened:
        assert asked(opened, f"odd {what}") == error
        assert asked(opened, "still there") == "still there"


# ---------------------------------------------------------------------- who may open one


def test_a_public_one_is_for_who_can_prove_it(hub: HubProcess) -> None:
    assert refused(address(hub))[0] == 403
    assert refused(address(hub), **{"X-Token": "guessed"})[0] == 403
    assert refused(address(hub, organisation="branch"), **{"X-Token": TOKEN})[0] == 403
    status, problem = refused(address(hub), **{"X-Token": ""})
    assert (status, problem["code"]) == (403, "unverified")


def test_a_signature_is_of_the_public_address(hub: HubProcess) -> None:
    right = signed("ws://hub.example/hooks/main/line/signed?call=1%2F2")
    url = address(hub, "signed?call=1%2F2")
    headers = {"X-Twilio-Signature": right, "X-Forwarded-Proto": "http"}
    with connect(url, additional_headers=headers) as opened:
        assert opened.recv(timeout=PATIENCE) == "twilio"
        assert closed(opened) == (1000, "")
    for wrong in (
        "http://hub.example/hooks/main/line/signed?call=1%2F2",
        "ws://hub.example/hooks/main/line/signed?call=1/2",
        address(hub, "signed?call=1%2F2"),
    ):
        assert refused(url, **{"X-Twilio-Signature": signed(wrong)})[0] == 403


def test_a_public_route_of_requests_can_verify_too(hub: HubProcess) -> None:
    url = f"{hub.base_url}/hooks/main/line/signed"
    signature = hmac.digest(TOKEN.encode(), b"hello", "sha256").hex()
    answer = httpx2.post(url, content=b"hello", headers={"X-Signature": signature})
    assert (answer.status_code, answer.json()) == (200, {"proof": "hmac"})
    assert httpx2.post(url, content=b"hallo", headers={"X-Signature": signature}).status_code == 403


def test_one_for_members_asks_for_session_origin_and_right(hub: HubProcess) -> None:
    url = address(hub, "desk")
    assert refused(url)[0] == 401
    with contextlib.closing(hub.client()) as client:
        cookie = cookie_of(client)
        own, foreign = "http://hub.example", "http://elsewhere.example"
        assert refused(url, Cookie=cookie, Origin=foreign)[0] == 403
        with connect(url, additional_headers={"Cookie": cookie, "Origin": own}) as opened:
            member_id, name = json.loads(opened.recv(timeout=PATIENCE))
            assert (bool(member_id), name) == (True, client.me["name"])
    with contextlib.closing(hub.client("viewer@example.com")) as viewer:
        status, problem = refused(url, Cookie=cookie_of(viewer))
        assert (status, problem["code"]) == (403, "channels.manage")
    with contextlib.closing(hub.client("stranger@example.com")) as stranger:
        assert refused(url, Cookie=cookie_of(stranger))[0] == 404
        branch = address(hub, "desk", organisation="branch")
        with connect(branch, additional_headers={"Cookie": cookie_of(stranger)}) as opened:
            assert json.loads(opened.recv(timeout=PATIENCE))[1] == "stranger@example.com"


def test_who_signs_out_is_shown_out(hub: HubProcess) -> None:
    with contextlib.closing(hub.client()) as client:
        headers = {"Cookie": cookie_of(client)}
        with connect(address(hub, "desk"), additional_headers=headers) as opened:
            opened.recv(timeout=PATIENCE)
            assert client.http.delete("/api/v1/session").is_success
            assert closed(opened) == (1008, "The right to it was withdrawn.")


def test_what_is_no_socket_is_not_found(hub: HubProcess) -> None:
    base = f"ws://127.0.0.1:{hub.port}"
    for path in (
        "/hooks/main/line/nowhere",
        "/hooks/main/line",
        "/hooks/main/line/",
        "/hooks/main/nobody/talk",
        "/hooks/nobody/line/talk",
        "/hooks/main/simulator/texts",
        "/hooks/",
    ):
        assert refused(base + path)[0] == 404, path
    asked_plainly = f"{hub.base_url}/hooks/main/line/talk"
    assert httpx2.request("WS", asked_plainly).status_code in {400, 405}
    assert httpx2.get(asked_plainly).status_code != 101


# ---------------------------------------------------------------------- how it ends


@pytest.mark.parametrize(
    ("how", "status"),
    [("return", 403), ("close", 403), ("malformed", 400), ("busy", 422), ("raise", 502)],
)
def test_who_is_not_let_in_is_told_why(hub: HubProcess, how: str, status: int) -> None:
    got, problem = refused(address(hub, f"refuse?how={how}"))
    assert got == status
    assert problem["detail"]
    assert TOKEN not in json.dumps(problem)


def test_the_end_of_the_handler_is_the_end(hub: HubProcess) -> None:
    for said, code, reason in (
        ("close", 4002, "goodbye"),
        ("raise", 1011, "The channel's plugin failed."),
        ("busy", 1013, "no line for [secret]"),
        ("leave", 1008, ""),
    ):
        with talk(hub) as opened:
            opened.send(said)
            got = closed(opened)
            assert (got[0], TOKEN in got[1]) == (code, False)
            assert got[1] == reason or said == "busy"
    assert TOKEN not in hub.output


def test_who_goes_is_noticed(hub: HubProcess, folder: Path) -> None:
    with talk(hub, "polite"):
        pass
    wait_for(lambda: "polite" in noted(folder, "over"))
    with talk(hub, "cut") as cut:
        cut.socket.shutdown(socket.SHUT_RDWR)
        wait_for(lambda: "cut" in noted(folder, "over"))
    with talk(hub, "reset") as reset:
        reset.send("flood")  # it is in the middle of saying something
        reset.recv(timeout=PATIENCE)
        reset.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        reset.socket.close()
    with talk(hub) as opened:
        assert asked(opened, "nothing else has ended") == "nothing else has ended"
    assert "ConnectionResetError" not in hub.output, "it is no fault of the plugin's"


def frame(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    """As it goes over the line."""
    return Frame(opcode, data, fin=fin).serialize(mask=True, extensions=[])


HOSTILE = {
    "not UTF-8": (frame(Opcode.TEXT, b"\xff\xfe"), 1007),
    "too large": (frame(Opcode.TEXT, b"x" * (LARGEST + 1)), 1009),
    "too large together": (
        frame(Opcode.BINARY, b"x" * 600_000, fin=False) + frame(Opcode.CONT, b"x" * 600_000),
        1009,
    ),
    "of nothing": (frame(Opcode.CONT, b"of nothing"), 1002),
    "reserved": (b"\xc1\x80\0\0\0\0", 1002),
    "a long ping": (b"\x89\xfe\x00\x7e" + b"\0" * 130, 1002),
    "not masked": (b"\x81\x01x", 1002),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_hostile_frames_end_it_and_nothing_else(hub: HubProcess, folder: Path, how: str) -> None:
    sent, code = HOSTILE[how]
    name = how.replace(" ", "-")
    with talk(hub) as other, talk(hub, name) as opened:
        with contextlib.suppress(OSError):
            opened.socket.sendall(sent)
        assert closed(opened)[0] == code
        wait_for(lambda: name in noted(folder, "over"))
        assert asked(other, "still there") == "still there"


def test_what_is_said_before_it_is_let_in_waits(hub: HubProcess, folder: Path) -> None:
    lines = [
        "GET /hooks/main/line/patient HTTP/1.1",
        f"Host: 127.0.0.1:{hub.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "\r\n",
    ]
    with socket.create_connection(("127.0.0.1", hub.port)) as raw:
        raw.settimeout(10)
        raw.sendall("\r\n".join(lines).encode())
        wait_for(lambda: noted(folder, "knocked"))
        raw.sendall(frame(Opcode.TEXT, b"hasty") + frame(Opcode.TEXT, b"again"))
        (folder / "admit").touch()
        got = b""
        while b"again" not in got:
            got += raw.recv(4096)
        assert got.startswith(b"HTTP/1.1 101 ")
        assert b"hasty" in got
    with socket.create_connection(("127.0.0.1", hub.port)) as raw:
        (folder / "admit").unlink()
        raw.sendall("\r\n".join(lines).encode())
        wait_for(lambda: len(noted(folder, "knocked")) == 2)
    wait_for(lambda: noted(folder, "turned away"))


# ---------------------------------------------------------------------- bounds


def test_a_client_is_read_no_faster_than_the_plugin_listens(hub: HubProcess, folder: Path) -> None:
    with talk(hub) as opened:
        opened.send("deaf")
        opened.socket.settimeout(2)
        said = 0
        one = frame(Opcode.TEXT, b"x" * 100_000)
        with contextlib.suppress(TimeoutError):  # nobody takes it any more
            while said < 1000:
                opened.socket.sendall(one)
                said += 1
        assert said < 300
        opened.socket.shutdown(socket.SHUT_RDWR)
    (folder / "hear").touch()


def test_a_channel_holds_only_so_many(hub: HubProcess) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(talk(hub, token=OTHER, organisation="branch"))
        url = address(hub, organisation="branch")
        status, problem = refused(url, **{"X-Token": OTHER})
        assert (status, "200" in problem["detail"]) == (503, True)
        with talk(hub) as elsewhere:
            assert asked(elsewhere, "there is room here") == "there is room here"
    with talk(hub, token=OTHER, organisation="branch") as opened:
        assert asked(opened, "again") == "again"


def test_a_blocked_channel_holds_up_no_other(hub: HubProcess, folder: Path) -> None:
    with talk(hub) as stuck, talk(hub, token=OTHER, organisation="branch") as opened:
        stuck.send("block")
        wait_for(lambda: noted(folder, "blocked"))
        for number in range(20):
            assert asked(opened, f"{number}") == f"{number}"
        assert httpx2.get(f"{hub.base_url}/healthz", timeout=PATIENCE).status_code == 200
        assert closed(stuck)[0] == 1011, "its thread was given up"
    with talk(hub) as opened:
        assert asked(opened, "with a new thread") == "with a new thread"
    (folder / "go").touch()


# ---------------------------------------------------------------------- reload, and the end


def test_a_reload_ends_those_of_what_has_changed(tmp_path: Path) -> None:
    folder = tmp_path / "line"
    folder.mkdir()
    place = tmp_path / "hub"
    before = config(folder).replace("http://hub", "https://hub")
    with (
        HubProcess(place, config=before, environ=ENVIRON) as hub,
        talk(hub, "changed") as changed,
        talk(hub, "unruly") as unruly,
        talk(hub, "same", token=OTHER, organisation="branch") as same,
    ):
        unruly.send("ignore-the-end")
        wait_for(lambda: noted(folder, "staying"))
        (place / "hub.toml").write_text(before.replace('"hello"', '"again"'))
        told = hub.run("reload")
        assert (told.returncode, told.stderr) == (0, "")
        assert closed(changed)[0] == 1012
        assert closed(unruly)[0] == 1012
        wait_for(lambda: "changed" in noted(folder, "over"))
        wait_for(lambda: "unruly" in noted(folder, "cancelled"))
        assert asked(same, "untouched") == "untouched"
        with connect(address(hub), additional_headers={"X-Token": TOKEN}) as anew:
            assert anew.recv(timeout=PATIENCE) == "again"
            anew.send("ignore-the-end")
            wait_for(lambda: len(noted(folder, "staying")) == 2)
            assert hub.stop() == 0
            assert closed(anew)[0] == 1012
        assert closed(same)[0] == 1012
        assert "timeout" not in hub.output, "nobody had to be cut off"
        assert "Traceback" not in hub.output


def test_behind_tls_the_public_address_is_one_with_tls(tmp_path: Path) -> None:
    secure = config(tmp_path).replace("http://hub", "https://hub")
    with HubProcess(tmp_path / "hub", config=secure, environ=ENVIRON) as hub:
        right = {"X-Twilio-Signature": signed("wss://hub.example/hooks/main/line/signed")}
        with connect(address(hub, "signed"), additional_headers=right) as opened:
            assert opened.recv(timeout=PATIENCE) == "twilio"
        wrong = signed("ws://hub.example/hooks/main/line/signed")
        assert refused(address(hub, "signed"), **{"X-Twilio-Signature": wrong})[0] == 403


def cookie_of(client: Client) -> str:
    return "; ".join(f"{name}={value}" for name, value in client.http.cookies.items())
