"""``ctx.http`` against a real server: what an error means, and what never leaves the hub."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from hub.plugin import OutcomeUnknown, Permanent, Secret, Temporary
from hub.plugin.kit.http import PluginHttp
from tests.plugin_kit.provider import Provider, Request, running

LOCAL = ["127.0.0.1"]


async def to_localhost(host: str, port: int) -> Sequence[str]:
    return LOCAL


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running() as provider:
        yield provider


@pytest.fixture
async def http() -> AsyncIterator[PluginHttp]:
    async with PluginHttp(allowed_hosts=LOCAL) as http:
        yield http


async def test_a_request_as_it_is_sent(provider: Provider, http: PluginHttp) -> None:
    answer = await http.request(
        "post",
        provider.url + "/a b?x=1",
        params=[("y", "é"), ("y", "&")],
        headers={"X-Own": "1"},
        form=[("Body", "é +&"), ("MediaUrl", "1"), ("MediaUrl", "2")],
        auth=("user", Secret("pass")),
    )
    assert (answer.status, answer.body, answer.text()) == (200, b"hello", "hello")
    (request,) = provider.requests
    assert request.method == "POST"
    assert request.target == "/a%20b?x=1&y=%C3%A9&y=%26"
    assert request.body == b"Body=%C3%A9+%2B%26&MediaUrl=1&MediaUrl=2"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["authorization"] == "Basic dXNlcjpwYXNz"
    assert request.headers["x-own"] == "1"
    assert request.headers["user-agent"] == "channel-hub"


async def test_json_and_bytes(provider: Provider, http: PluginHttp) -> None:
    await http.request("PUT", provider.url, json={"é": [1]})
    await http.request("POST", provider.url, content=b"\x00", headers={"Content-Type": "x/y"})
    first, second = provider.requests
    assert json.loads(first.body) == {"é": [1]}
    assert first.headers["content-type"] == "application/json"
    assert (second.body, second.headers["content-type"]) == (b"\x00", "x/y")
    assert provider.connections == 1  # and the connection was used again


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/",
        "file:///etc/passwd",
        "/x",
        "http://",
        "https://u:p@x/",
        "https://x:99999999/",
        "\ud800",
    ],
)
async def test_what_is_no_address_of_the_web_is_refused(http: PluginHttp, url: str) -> None:
    with pytest.raises(Permanent) as refused:
        await http.request("GET", url)
    assert refused.value.reason == "policy"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
async def test_the_inside_is_out_of_reach(provider: Provider, host: str) -> None:
    async with PluginHttp() as http:
        with pytest.raises(Permanent) as refused:
            await http.request("GET", f"http://{host}:{provider.port}/")
        assert refused.value.reason == "policy"
        with pytest.raises(Permanent):
            await http.connect(host.strip("[]"), provider.port, tls=False)
    assert provider.connections == 0


async def test_a_public_name_that_leads_inside_is_refused(provider: Provider) -> None:
    async with PluginHttp(resolve=to_localhost) as http:
        with pytest.raises(Permanent):
            await http.request("GET", f"http://innocent.example:{provider.port}/")
    assert provider.connections == 0


async def test_a_redirect_inside_is_refused(provider: Provider) -> None:
    async def redirect(request: Request) -> None:
        await request.answer(302, headers={"Location": f"http://127.0.0.2:{provider.port}/"})

    provider.behave = redirect
    async with PluginHttp(allowed_hosts=LOCAL) as http:
        with pytest.raises(Permanent) as refused:
            await http.request("GET", provider.url, redirects=3)
    assert refused.value.reason == "policy"
    assert len(provider.requests) == 1


async def test_credentials_go_to_the_first_host_only(provider: Provider) -> None:
    async def redirect(request: Request) -> None:
        if request.target == "/a":
            await request.answer(302, headers={"Location": "/b"})
        elif request.target == "/b":
            there = f"http://second.example:{provider.port}/c"
            await request.answer(307, headers={"Location": there})
        elif request.target == "/c":
            back = f"http://first.example:{provider.port}/d"
            await request.answer(302, headers={"Location": back})
        else:
            await request.answer(body=b"media")

    provider.behave = redirect
    names = ["first.example", "second.example"]
    async with PluginHttp(allowed_hosts=names, resolve=to_localhost) as http:
        answer = await http.request(
            "GET",
            f"http://first.example:{provider.port}/a",
            headers={"X-Key": "k"},
            auth=("u", "p"),
            redirects=3,
        )
    assert answer.body == b"media"
    assert answer.url == f"http://first.example:{provider.port}/d"
    first, again, second, back_again = provider.requests
    for request in (first, again):
        assert request.headers["authorization"]
        assert request.headers["x-key"] == "k"
    assert second.headers["host"] == f"second.example:{provider.port}"
    for request in (second, back_again):
        assert "authorization" not in request.headers
        assert "x-key" not in request.headers


async def test_redirects_are_followed_only_when_asked_and_only_so_far(
    provider: Provider, http: PluginHttp
) -> None:
    async def redirect(request: Request) -> None:
        await request.answer(302, headers={"Location": "/again"})

    provider.behave = redirect
    assert (await http.request("GET", provider.url)).status == 302
    with pytest.raises(Permanent, match="more than 2 redirects"):
        await http.request("GET", provider.url, redirects=2)
    assert len(provider.requests) == 1 + 3


@pytest.mark.parametrize(
    ("status", "method", "second", "body"),
    [
        (301, "POST", "GET", b""),
        (302, "POST", "GET", b""),
        (303, "PUT", "GET", b""),
        (303, "HEAD", "HEAD", b""),
        (307, "POST", "POST", b"x"),
        (308, "PUT", "PUT", b"x"),
    ],
)
async def test_the_method_after_a_redirect(
    provider: Provider, http: PluginHttp, status: int, method: str, second: str, body: bytes
) -> None:
    async def redirect(request: Request) -> None:
        if request.target == "/":
            await request.answer(status, headers={"Location": "/there"})
        else:
            await request.answer()

    provider.behave = redirect
    content = None if method == "HEAD" else b"x"
    await http.request(method, provider.url + "/", content=content, redirects=1)
    assert provider.requests[1].method == second
    assert provider.requests[1].body == body


async def test_content_does_not_go_to_another_host(provider: Provider) -> None:
    async def redirect(request: Request) -> None:
        await request.answer(307, headers={"Location": f"http://localhost:{provider.port}/"})

    provider.behave = redirect
    async with PluginHttp(allowed_hosts=[*LOCAL, "localhost"]) as http:
        with pytest.raises(Permanent) as refused:
            await http.request("POST", provider.url, content=b"secret", redirects=1)
    assert refused.value.reason == "policy"
    assert len(provider.requests) == 1


async def test_too_much_is_cut_off(provider: Provider, http: PluginHttp) -> None:
    async def announced(request: Request) -> None:
        await request.answer(body=b"x" * 1001)

    async def endless(request: Request) -> None:
        request.writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            request.writer.write(b"x" * 10_000)
            await request.writer.drain()

    async def bomb(request: Request) -> None:
        small = gzip.compress(b"x" * 1_000_000)
        await request.answer(body=small, headers={"Content-Encoding": "gzip"})

    for behaviour in (announced, endless, bomb):
        provider.behave = behaviour
        with pytest.raises(Permanent) as refused:
            await http.request("GET", provider.url, max_bytes=1000)
        assert refused.value.reason == "too_large"
    provider.behave = announced
    assert len((await http.request("GET", provider.url, max_bytes=1001)).body) == 1001


async def test_what_never_left_is_temporary(http: PluginHttp) -> None:
    async with running() as gone:
        url = gone.url
    with pytest.raises(Temporary):
        await http.request("POST", url, content=b"x")
    with pytest.raises(Temporary):
        await http.request("POST", "http://name-that-is-not.invalid/", content=b"x")


async def test_a_tls_handshake_that_hangs_is_temporary() -> None:
    async with running() as silent, PluginHttp(allowed_hosts=LOCAL) as http:
        with pytest.raises(Temporary):
            await http.request("POST", f"https://127.0.0.1:{silent.port}/", timeout=0.1)
        assert silent.connections == 1


async def test_what_may_have_left_is_unknown(provider: Provider, http: PluginHttp) -> None:
    async def hang(request: Request) -> None:
        await asyncio.Event().wait()

    async def hang_up(request: Request) -> None:
        request.writer.close()

    async def break_off(request: Request) -> None:
        request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal")
        await request.writer.drain()
        request.writer.close()

    async def gibberish(request: Request) -> None:
        request.writer.write(b"\x00\xff\r\n\r\n")
        await request.writer.drain()

    async def not_gzip(request: Request) -> None:
        await request.answer(body=b"no", headers={"Content-Encoding": "gzip"})

    for behaviour in (hang, hang_up, break_off, gibberish, not_gzip):
        provider.behave = behaviour
        with pytest.raises(OutcomeUnknown):
            await http.request("POST", provider.url, content=b"x", timeout=0.5)
    assert len(provider.requests) == 5  # one attempt each


async def test_the_limit_is_for_the_whole_exchange(provider: Provider, http: PluginHttp) -> None:
    async def drip(request: Request) -> None:
        request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            request.writer.write(b"x")
            await request.writer.drain()
            await asyncio.sleep(0.02)

    provider.behave = drip
    began = asyncio.get_running_loop().time()
    with pytest.raises(OutcomeUnknown):
        await http.request("GET", provider.url, timeout=0.2)
    assert asyncio.get_running_loop().time() - began < 2


async def test_a_header_that_breaks_the_line_never_leaves(
    provider: Provider, http: PluginHttp
) -> None:
    with pytest.raises(Permanent):
        await http.request("GET", provider.url, headers={"X": "a\r\nHost: evil"})
    assert provider.requests == []


async def test_cancelling_leaves_it_usable(provider: Provider, http: PluginHttp) -> None:
    waits = asyncio.Event()

    async def hang(request: Request) -> None:
        waits.set()
        await asyncio.Event().wait()

    provider.behave = hang
    task = asyncio.create_task(http.request("GET", provider.url))
    await waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with running() as other:
        assert (await http.request("GET", other.url)).body == b"hello"


async def test_a_provider_can_be_stood_in_for(provider: Provider) -> None:
    async with PluginHttp(routes={"api.provider.example": provider.url}) as http:
        answer = await http.request("GET", "https://api.provider.example/v1?x=1", auth=("u", "p"))
        assert answer.url == "https://api.provider.example/v1?x=1"
        (request,) = provider.requests
        assert request.target == "/v1?x=1"
        assert request.headers["host"] == "api.provider.example"
        with pytest.raises(Permanent):  # the route lets nothing else in
            await http.request("GET", f"http://localhost:{provider.port}/")


async def test_a_line_protocol_under_the_same_rules() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, PluginHttp(allowed_hosts=["mail.example"], resolve=to_localhost) as http:
        reader, writer = await http.connect("mail.example", port, tls=False)
        assert await reader.readline() == b"220 ready\r\n"
        writer.close()
        with pytest.raises(Permanent):
            await http.connect("other.example", port, tls=False)
        with pytest.raises(Temporary):
            await http.connect("mail.example", port, tls=True, timeout=1)
    async with PluginHttp(allowed_hosts=LOCAL) as http:
        with pytest.raises(Temporary):
            await http.connect("127.0.0.1", port, tls=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for ``provider.example`` and its key, in one file."""
    if shutil.which("openssl") is None:
        message = "openssl is not installed"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = "-subj /CN=provider.example -addext subjectAltName=DNS:provider.example"
    files = ["-keyout", str(file), "-out", f"{file}.crt"]
    subprocess.run([*command.split(), *names.split(), *files], check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


async def test_the_certificate_is_for_the_name_not_the_address(certificate: Path) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    names: list[str] = []
    serving.sni_callback = lambda _socket, name, _context: names.append(name)
    trust = ssl.create_default_context(cafile=certificate)
    hosts = ["provider.example", "other.example"]
    async with (
        running(tls=serving) as provider,
        PluginHttp(allowed_hosts=hosts, resolve=to_localhost, trust=trust) as http,
    ):
        good = await http.request("GET", f"https://provider.example:{provider.port}/")
        assert good.body == b"hello"
        reader, writer = await http.connect("provider.example", provider.port)
        assert names == ["provider.example", "provider.example"]
        writer.close()
        with pytest.raises(Temporary):
            await http.request("POST", f"https://other.example:{provider.port}/", content=b"x")
        with pytest.raises(Temporary):
            await http.connect("other.example", provider.port)
        assert len(provider.requests) == 1
        del reader


async def test_a_line_protocol_goes_on_encrypted(certificate: Path) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    trust = ssl.create_default_context(cafile=certificate)
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.write(b"ready\r\n")
        if heard[-1] == b"inject\r\n":
            writer.write(b"and more\r\n")
        if heard[-1] == b"refuse\r\n":
            await writer.drain()
            writer.write(b"no\r\n" * 10)
        else:
            with contextlib.suppress(OSError):
                await writer.start_tls(serving)
                heard.append(await reader.readline())
                writer.write(b"x" * 300_000 + b"\r\n")
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def begin(http: PluginHttp, host: str, word: bytes) -> asyncio.StreamReader:
        reader, writer = await http.connect(host, port, tls=False)
        writer.write(word + b"\r\n")
        assert await reader.readline() == b"ready\r\n"
        await http.start_tls(reader, writer, host, timeout=5)
        writer.write(b"secret\r\n")
        return reader

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hosts = ["provider.example", "other.example"]
    async with server, PluginHttp(allowed_hosts=hosts, resolve=to_localhost, trust=trust) as http:
        reader = await begin(http, "provider.example", b"go on")
        assert len(await reader.read()) == 300_002
        assert heard == [b"go on\r\n", b"secret\r\n"]
        for host, word in (
            ("other.example", b"go on"),
            ("provider.example", b"inject"),
            ("provider.example", b"refuse"),
        ):
            with pytest.raises(Temporary, match=r"TLS"):
                await begin(http, host, word)
        assert heard.count(b"secret\r\n") == 1
