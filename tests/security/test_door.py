"""What every request and every answer is held to, whatever is behind."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from hub.app import protocol
from hub.web import door
from tests.hubs import EMAIL, PASSWORD, HubProcess
from tests.patience import PATIENCE
from tests.security.conftest import Premises
from tests.web.asking import DOCUMENT, check_problem

SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def directives(answer: httpx2.Response) -> dict[str, set[str]]:
    """A content security policy by its directives."""
    parts = answer.headers["content-security-policy"].split(";")
    return {name: set(values) for name, *values in (part.split() for part in parts)}


@pytest.fixture
def anybody(premises: Premises) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=premises.hub.base_url, timeout=PATIENCE) as http:
        yield http


# ---------------------------------------------------------------------- answers


@pytest.mark.parametrize(
    "path",
    ["/", "/messages", "/api/v1/me", "/api/v1/session/ways", "/api/docs", "/api/openapi.json",
     "/healthz", "/no-such", "/api/v1/no-such", "/assets/no-such.js"],
)  # fmt: skip
def test_every_answer_says_what_a_browser_may_make_of_it(anybody: httpx2.Client, path: str) -> None:
    answer = anybody.get(path, headers={"Accept": "text/html"})
    assert SAFE.items() <= {name: answer.headers.get(name) for name in SAFE}.items()
    assert "camera=()" in answer.headers["permissions-policy"]
    policy = directives(answer)
    assert policy["frame-ancestors"] == {"'none'"}
    assert policy["base-uri"] == {"'none'"}
    assert policy["default-src"] <= {"'none'", "'self'"}
    assert "strict-transport-security" not in answer.headers, "this hub is reached without TLS"
    assert "server" not in answer.headers


def test_pages_run_no_script_that_is_not_a_file_of_their_own(anybody: httpx2.Client) -> None:
    page = anybody.get("/messages")
    policy = directives(page)
    assert policy["script-src"] == {"'self'"}
    assert policy["object-src"] == {"'none'"}
    assert policy["form-action"] == {"'self'"}
    assert policy["require-trusted-types-for"] == {"'script'"}
    assert all(host.endswith(f"//{anybody.base_url.netloc.decode()}")
               for host in policy["connect-src"] - {"'self'"})  # fmt: skip
    scripts = re.findall(r"<script([^>]*)>([^<]*)</script>", page.text)
    assert scripts
    assert all("src=" in attributes and not text for attributes, text in scripts)
    assert not re.search(r"\son\w+=|<style|javascript:", page.text)
    docs = anybody.get("/api/docs")
    assert directives(docs)["default-src"] == {"'none'"}
    assert "unsafe" not in docs.headers["content-security-policy"]


def test_a_host_that_is_none_is_not_answered(anybody: httpx2.Client) -> None:
    for host in ("x; script-src *", "a b", "x'unsafe-inline'", "x" * 300, "[::1]:70000", "a:b:c"):
        for method, path in (("GET", "/"), ("POST", "/api/v1/session"), ("POST", "/hooks/a/b")):
            check_problem(anybody.request(method, path, headers={"Host": host}), 400)
    for host in ("hub.example.com", "[::1]:8000", "HUB:80"):
        page = anybody.get("/", headers={"Host": host})
        assert directives(page)["connect-src"] == {"'self'", f"ws://{host}", f"wss://{host}"}


def test_two_hosts_are_none(premises: Premises) -> None:
    """A proxy may go by the one, and what is behind it by the other."""
    for other in (b"hub.example.com", b"other.example"):
        with closing(connect(premises.hub)) as connection:
            hosts = b"Host: hub.example.com\r\nHost: " + other
            connection.sendall(b"GET /api/v1/session/ways HTTP/1.1\r\n" + hosts + b"\r\n\r\n")
            assert read_all(connection).startswith(b"HTTP/1.1 400 ")


def test_an_origin_that_is_none_is_another_sites(anybody: httpx2.Client) -> None:
    for origin in ("http://[", "null", "\xff", "http://[::1]:x"):
        wanted = {"email": EMAIL, "password": PASSWORD}
        headers = {b"Origin": origin.encode("latin-1")}
        check_problem(anybody.post("/api/v1/session", json=wanted, headers=headers), 403)


def test_answers_with_data_are_not_kept(premises: Premises) -> None:
    ana, shown = premises.house.ana, 0
    for path, methods in DOCUMENT["paths"].items():
        if "get" not in methods or path.endswith("/attachments/{attachment_id}"):
            continue
        here = re.sub(r"\{(\w+)\}", lambda name: premises.ids.get(name[1], "42"), path)
        answer = ana.http.get(here, params={"since": "0"} if path.endswith("/changes") else {})
        assert answer.headers["cache-control"] == "no-store", path
        shown += answer.status_code == 200
    assert shown > 20, "most of them show something"
    file = ana.http.get(ana.path(f"attachments/{premises.ids['attachment_id']}"))
    assert file.headers["cache-control"].startswith("private")
    assert directives(file)["sandbox"] == set()
    assert file.headers["content-disposition"].startswith("attachment")


def test_what_a_plugin_shows_without_a_policy_gets_one(premises: Premises) -> None:
    http = premises.house.ana.http
    shown = http.get("/hooks/main/front/phone")
    assert directives(shown)["script-src"] == {"'self'"}, "its own one stays"
    data = http.get("/hooks/main/front/events", params={"number": "+12025559001"})
    assert directives(data)["default-src"] == {"'self'"}
    assert data.headers["cache-control"] == "no-store"


def test_no_other_origin_reads_anything(anybody: httpx2.Client) -> None:
    asked = {"Origin": "https://other.example", "Access-Control-Request-Method": "GET"}
    for method in ("GET", "OPTIONS", "POST"):
        for path in ("/", "/api/v1/me", "/api/v1/session", "/api/openapi.json"):
            answer = anybody.request(method, path, headers=asked)
            if method == "OPTIONS":
                check_problem(answer, 405)
            assert not [name for name in answer.headers if name.startswith("access-control")]


def test_trace_is_not_spoken(anybody: httpx2.Client) -> None:
    for path in ("/", "/api/v1/me", "/healthz", "/hooks/main/front"):
        answer = anybody.request("TRACE", path, headers={"X-Secret": "to be told back"})
        assert answer.status_code in {400, 404, 405}
        assert "to be told back" not in answer.text


# ---------------------------------------------------------------------- by TLS


def test_by_tls_cookies_are_bound_to_it_and_to_the_host(tmp_path: Path) -> None:
    with HubProcess(tmp_path, environ={"HUB_PUBLIC_URL": "https://hub.example.com"}) as hub:
        wanted = {"email": EMAIL, "password": PASSWORD}
        answer = httpx2.post(f"{hub.base_url}/api/v1/session", json=wanted)
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        session, known = answer.headers.get_list("set-cookie")
        assert session.startswith("__Host-hub_session=")
        assert known.startswith("__Secure-hub_known=")
        for cookie in (session, known):
            flags = {part.strip().lower() for part in cookie.split(";")}
            assert {"secure", "httponly"} <= flags
            assert not any(flag.startswith("domain") for flag in flags)
        assert "path=/;" in session.lower() + ";"
        token = session.partition("=")[2].partition(";")[0]
        ask = httpx2.Client(base_url=hub.base_url)
        with closing(ask):
            here = {"Cookie": f"__Host-hub_session={token}"}
            assert ask.get("/api/v1/me", headers=here).status_code == 200
            elsewhere = {"Cookie": f"hub_session={token}"}
            check_problem(ask.get("/api/v1/me", headers=elsewhere), 401)
            csrf = {"X-CSRF-Token": answer.json()["csrf_token"], **here}
            ended = ask.delete("/api/v1/session", headers=csrf)
            assert ended.status_code == 204
            gone = ended.headers["set-cookie"].lower()
            assert gone.startswith("__host-hub_session=")
            assert "secure" in gone
            assert "max-age=0" in gone
            assert ended.headers["clear-site-data"] == '"cache"'


# ---------------------------------------------------------------------- requests


def test_a_query_has_an_end(anybody: httpx2.Client) -> None:
    many = "&".join("a=1" for _ in range(door.MOST_PARAMETERS + 1))
    check_problem(anybody.get(f"/api/v1/me?{many}"), 400)
    check_problem(anybody.get(f"/hooks/main/front?{many}"), 400)
    long = "a=" + "x" * door.LONGEST_QUERY
    check_problem(anybody.get(f"/api/v1/me?{long}"), 414)


def read_all(connection: socket.socket) -> bytes:
    """Everything until the hub closes."""
    got = b""
    while chunk := connection.recv(65536):
        got += chunk
    return got


def connect(hub: HubProcess) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", hub.port), timeout=90)
    connection.settimeout(90)
    return connection


@pytest.mark.parametrize(
    "headers",
    [
        b"X: " + b"x" * (protocol.LONGEST_HEADERS + 1) + b"\r\n",
        b"".join(b"X-%d: y\r\n" % number for number in range(protocol.MOST_HEADERS + 1)),
        b"X: " + b"x" * 3_000_000,
    ],
    ids=["long", "many", "endless"],
)
def test_headers_have_an_end(premises: Premises, headers: bytes) -> None:
    with closing(connect(premises.hub)) as connection:
        try:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
        except OSError:
            return  # it has been sent away before it was finished
        try:
            answer = read_all(connection)
        except ConnectionResetError:
            return
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b"application/problem+json" in answer
    assert httpx2.get(f"{premises.hub.base_url}/healthz").status_code == 200


def test_what_is_no_http_is_answered_as_such(premises: Premises) -> None:
    with closing(connect(premises.hub)) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 400 ")


def test_who_says_nothing_is_not_waited_for(premises: Premises) -> None:
    """Neither before the first byte, nor within the headers, nor within a body."""
    began = time.monotonic()
    body = b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    hook = b"POST /hooks/main/front HTTP/1.1\r\nHost: x\r\n"
    said = {
        "nothing": b"",
        "headers": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slo",
        "body": body + b"Content-Length: 100\r\n\r\n{",
        "hook": hook + b"Content-Length: 100\r\n\r\n{",
    }
    open_ = {name: connect(premises.hub) for name in said}
    for name, connection in open_.items():
        connection.sendall(said[name])
    answers = {name: read_all(connection) for name, connection in open_.items()}
    for connection in open_.values():
        connection.close()
    assert time.monotonic() - began > door.IDLE - 1, "it was waited for at all"
    assert answers["nothing"] == answers["headers"] == b""
    assert answers["body"].startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answers["body"]


# ---------------------------------------------------------------------- proxies


def remote_seen(hub: HubProcess, forwarded: str) -> str:
    """From where the hub thinks that somebody signs in."""
    with httpx2.Client(base_url=hub.base_url) as http:
        http.headers["X-Forwarded-For"] = forwarded
        wanted = {"email": EMAIL, "password": PASSWORD}
        assert http.post("/api/v1/session", json=wanted).status_code == 200
        sessions = http.get("/api/v1/sessions").json()
        return next(one["remote"] for one in sessions if one["current"])


def test_a_forwarded_address_is_believed_from_named_proxies_alone(
    premises: Premises, tmp_path: Path
) -> None:
    assert remote_seen(premises.hub, "203.0.113.7") == "127.0.0.1"
    config = '[hub]\ntrusted_proxies = ["127.0.0.0/8", "10.0.0.0/8"]\n'
    with HubProcess(tmp_path, config=config) as hub:
        assert remote_seen(hub, "203.0.113.7") == "203.0.113.7"
        assert remote_seen(hub, "198.51.100.1, 203.0.113.7, 10.1.2.3") == "203.0.113.7", (
            "what stands before the last that is no proxy anybody may have written"
        )


def test_names_of_proxies_are_checked(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('[hub]\ntrusted_proxies = ["proxy"]\n', encoding="utf-8")
    hub = HubProcess(tmp_path, config='[hub]\ntrusted_proxies = ["10.0.0.0/8", "proxy"]\n')
    checked = hub.run("check")
    assert checked.returncode != 0
    assert "trusted_proxies" in checked.stdout + checked.stderr
