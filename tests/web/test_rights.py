"""The edge: sessions, sockets and what a change needs. Which right each route needs is walked in
``tests/people``."""

from __future__ import annotations

import contextlib
from typing import Any, cast

import httpx2
import pytest
from litestar.connection import ASGIConnection
from litestar.handlers import get
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from hub.edge.guards import Guard
from hub.edge.problems import ProblemError
from hub.edge.rates import Rates
from hub.rules.sign_in import BY_EMAIL
from tests.hubs import EMAIL, PASSWORD, Client, HubProcess
from tests.patience import PATIENCE
from tests.web import asking
from tests.web.asking import check_problem

OPERATIONS = list(asking.operations())


async def test_a_route_without_a_right_answers_nobody() -> None:
    @get("/bare")
    async def bare() -> None: ...

    guard = Guard(
        cast("Any", None), cast("Any", None), cast("Any", None), "http://localhost", Rates(0)
    )
    connection = ASGIConnection[Any, Any, Any, Any]({"type": "http"})  # type: ignore[typeddict-item]
    with pytest.raises(ProblemError) as refused:
        await guard(connection, bare)
    assert refused.value.problem.status == 500


def test_a_session_is_not_guessed(hub: HubProcess) -> None:
    with httpx2.Client(base_url=hub.base_url) as http:
        http.cookies.set("hub_session", "guessed")
        check_problem(http.get("/api/v1/me"), 401)


def test_what_belongs_to_another_organisation_is_not_there(ana: Client, stranger: Client) -> None:
    """By its true ids, asked for in the asker's own organisation."""
    sent = ana.post(
        "messages", {"channel_id": "simulator", "to": "+15550142050", "body": "ours alone"}
    )
    stranger.org = "branch"
    thread, entry = sent["thread_id"], sent["id"]
    for method, rest, body in (
        ("GET", f"threads/{thread}", None),
        ("PATCH", f"threads/{thread}", {"status": "closed"}),
        ("GET", f"threads/{thread}/entries", None),
        ("POST", f"threads/{thread}/read", {"up_to": entry}),
        ("POST", f"threads/{thread}/unread", None),
        ("POST", f"threads/{thread}/notes", {"body": "x"}),
        ("POST", f"threads/{thread}/messages",
         {"channel_id": "simulator", "contact_id": "1", "body": "x"}),
        ("POST", f"entries/{entry}/cancel", None),
        ("POST", f"entries/{entry}/retry", None),
        ("POST", f"entries/{entry}/resolve", {"outcome": "sent"}),
        ("POST", f"entries/{entry}/resolve", {"outcome": "resolved"}),
        ("POST", f"entries/{entry}/reassign", {"contact_id": None}),
        ("POST", f"entries/{entry}/follow-up", {"done": True}),
        ("GET", f"entries/{entry}", None),
        ("POST", f"threads/{thread}/calls", {"channel_id": "simulator", "contact_id": "1"}),
        ("POST", "channels/simulator/pause", None),
        ("POST", "channels/simulator/resume", None),
    ):  # fmt: skip
        problem = check_problem(stranger.call(method, rest, body), 404)
        assert "ours alone" not in str(problem)
    assert stranger.threads() == []
    assert stranger.get("channels") == []


def test_a_change_needs_the_sessions_token(hub: HubProcess, ana: Client, viewer: Client) -> None:
    changes = [one for one in OPERATIONS if one.method != "get"]
    right = ana.http.headers["X-CSRF-Token"]
    with httpx2.Client(base_url=hub.base_url, cookies=dict(ana.http.cookies)) as http:
        foreign = viewer.http.headers["X-CSRF-Token"]
        for wrong in (None, b"", b"guessed", foreign.encode(), right[:-1].encode(), b"\xe9"):
            http.headers = httpx2.Headers() if wrong is None else {b"X-CSRF-Token": wrong}
            for operation in changes:
                if (operation.method, operation.path) not in asking.PUBLIC:
                    assert check_problem(operation.ask(http), 403)["code"] == "csrf"
        assert http.get("/api/v1/me").status_code == 200, "reading does not"


# ---------------------------------------------------------------------- signing in


def sign_in(hub: HubProcess, email: str, password: str) -> httpx2.Response:
    wanted = {"email": email, "password": password}
    return httpx2.post(f"{hub.base_url}/api/v1/session", json=wanted)


def test_the_cookie_is_for_the_browser_alone(hub: HubProcess) -> None:
    cookie, known = sign_in(hub, EMAIL, PASSWORD).headers.get_list("set-cookie")
    assert known.startswith("hub_known=")
    assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in known.split(";")}
    name, *flags = [part.strip().lower() for part in cookie.split(";")]
    assert name.startswith("hub_session=")
    assert len(name) > 50
    assert {"httponly", "samesite=lax", "path=/"} <= set(flags)
    assert any(flag.startswith("max-age=") for flag in flags)
    assert "secure" not in flags, "this hub is reached without TLS"
    assert not any(flag.startswith("domain=") for flag in flags)


def test_signing_out_ends_the_session(hub: HubProcess) -> None:
    with contextlib.closing(hub.client()) as client:
        stolen = dict(client.http.cookies)
        assert client.http.delete("/api/v1/session").status_code == 204
        with httpx2.Client(base_url=hub.base_url, cookies=stolen) as http:
            check_problem(http.get("/api/v1/me"), 401)


def test_a_wrong_password_is_answered_as_an_unknown_user_is(hub: HubProcess) -> None:
    wrong = check_problem(sign_in(hub, "viewer@example.com", "not this one"), 401)
    assert wrong["code"] == "wrong_credentials"
    for email in ("unknown@example.com", "", "\x00", "a" * 100_000, "viewer@example.com\x00"):
        assert sign_in(hub, email, "not this one").json() == wrong


def test_failed_attempts_are_limited(hub: HubProcess) -> None:
    for _ in range(BY_EMAIL.most):
        check_problem(sign_in(hub, "target@example.com", "guess"), 401)
    answer = sign_in(hub, "Target@example.com ", "guess")
    problem = check_problem(answer, 429)
    assert 0 < int(answer.headers["retry-after"]) <= 15 * 60
    assert "Try again in 15 minutes" in problem["detail"]
    assert sign_in(hub, EMAIL, PASSWORD).status_code == 200, "others are not locked out by it"


# ---------------------------------------------------------------------- sockets


def socket_address(hub: HubProcess, org: str = "main") -> str:
    return f"{hub.base_url}/api/v1/organisations/{org}/stream".replace("http", "ws", 1)


def refused(hub: HubProcess, headers: dict[str, str], org: str = "main") -> bool:
    try:
        with connect(socket_address(hub, org), additional_headers=headers) as socket:
            socket.recv(timeout=PATIENCE)
    except InvalidStatus as error:
        return error.response.status_code in {401, 403, 404}
    return False


def cookie_of(client: Client) -> dict[str, str]:
    return {"Cookie": f"hub_session={client.http.cookies['hub_session']}"}


def test_a_socket_needs_a_session_a_right_and_the_own_origin(
    hub: HubProcess, ana: Client, nobody: Client, stranger: Client
) -> None:
    cookie = cookie_of(ana)
    assert refused(hub, {})
    assert refused(hub, {"Cookie": "hub_session=guessed"})
    assert refused(hub, cookie_of(nobody))
    assert refused(hub, cookie_of(stranger))
    assert refused(hub, cookie, org="no-such")
    for origin in ("https://evil.example", "null", "", f"{hub.base_url}.evil.example"):
        assert refused(hub, {**cookie, "Origin": origin}), origin
    assert not refused(hub, cookie)
    assert not refused(hub, {**cookie, "Origin": hub.base_url})


def test_a_socket_to_the_webhooks_is_refused(hub: HubProcess) -> None:
    with pytest.raises(InvalidStatus):
        connect(f"{hub.base_url}/hooks/main/simulator".replace("http", "ws", 1))


# ---------------------------------------------------------------------- plugins' own routes


def test_routes_of_plugins_are_held_to_the_rights_they_name(
    hub: HubProcess, ana: Client, viewer: Client, nobody: Client, stranger: Client
) -> None:
    page, manage = "/hooks/main/pages/page", "/hooks/main/pages/manage"
    check_problem(httpx2.get(f"{hub.base_url}{page}"), 401)
    assert httpx2.get(f"{hub.base_url}/hooks/main/pages/open").status_code == 200
    assert viewer.http.get(page).status_code == 200
    check_problem(nobody.http.get(page), 403)
    check_problem(stranger.http.get(page), 404)
    assert check_problem(viewer.http.post(manage), 403)["code"] == "channels.manage"
    assert ana.http.post(manage).status_code == 200
    with httpx2.Client(base_url=hub.base_url, cookies=dict(ana.http.cookies)) as http:
        assert check_problem(http.post(manage), 403)["code"] == "csrf"
