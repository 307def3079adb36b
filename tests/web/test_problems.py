"""What is wrong is said as RFC 9457 has it: where, and what to do, and nothing of the program."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx2
import pytest

from hub.edge.paging import cursor_of
from tests.hubs import Client, HubProcess
from tests.web import asking
from tests.web.asking import check_problem


def test_what_cannot_be_understood_is_named(ana: Client) -> None:
    threads = ana.path("threads")
    problem = check_problem(ana.http.get(threads, params={"status": "lost"}), 400)
    assert [error["field"] for error in problem["errors"]] == ["status"]
    problem = check_problem(ana.http.get(threads, params={"limit": "many"}), 400)
    assert [error["field"] for error in problem["errors"]] == ["limit"]
    problem = check_problem(ana.http.get(threads, params={"cursor": "xyz"}), 400)
    assert [error["field"] for error in problem["errors"]] == ["cursor"]
    problem = check_problem(ana.call("POST", "messages", {"channel_id": "simulator"}), 400)
    assert problem["errors"]
    problem = check_problem(ana.call("POST", "messages", {"chanel_id": "simulator"}), 400)
    assert "chanel_id" in json.dumps(problem["errors"])


def test_a_body_that_is_not_there(ana: Client) -> None:
    problem = check_problem(ana.http.post(ana.path("members/invitations")), 400)
    assert problem["errors"] == [{"field": "", "message": "A body of JSON is missing."}]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"body": "\\ud800"}', b"[" * 100_000]
)
def test_a_body_that_is_no_such_thing(ana: Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = ana.http.post(ana.path("messages"), content=body, headers=headers)
    check_problem(answer, 400)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "image/png"])
def test_a_body_of_another_kind(ana: Client, kind: str) -> None:
    answer = ana.http.post(ana.path("messages"), content=b"{}", headers={"Content-Type": kind})
    problem = check_problem(answer, 415)
    assert "application/json" in problem["detail"]


def test_what_is_not_there(ana: Client, hub: HubProcess) -> None:
    check_problem(ana.http.get("/api/v1/nothing"), 404)
    check_problem(ana.http.get("/nothing"), 404)
    check_problem(ana.http.get(ana.path("threads/42")), 404)
    looked_at = {"Accept": "text/html,*/*;q=0.8"}
    check_problem(ana.http.get("/api/v1/nothing", headers=looked_at), 404)
    page = ana.http.get("/nothing", headers=looked_at)
    assert page.status_code == 404
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    looked = ana.http.head("/messages")
    assert (looked.status_code, looked.content) == (200, b"")
    check_problem(ana.http.get("/assets/..%2f..%2f__init__.py"), 404)
    check_problem(ana.http.get("/assets/nothing.js"), 404)
    for path in ("/hooks", "/hooks/", "/hooks/main", "/hooks/main/", "/hooks/main/nothing",
                 "/hooks/nothing/simulator", "/hooks/%00/%ff"):  # fmt: skip
        check_problem(httpx2.post(f"{hub.base_url}{path}"), 404)


def test_a_method_that_is_not_there(ana: Client) -> None:
    answer = ana.http.delete(ana.path("threads"))
    check_problem(answer, 405)
    assert "GET" in answer.headers["allow"]
    check_problem(ana.http.delete("/hooks/main/pages"), 405)


def test_what_is_too_large(ana: Client) -> None:
    body = json.dumps({"body": "x" * 2_100_000}).encode()
    headers = {"Content-Type": "application/json"}
    check_problem(ana.http.post(ana.path("messages"), content=body, headers=headers), 413)

    def unannounced() -> Iterator[bytes]:
        for _ in range(30):
            yield b"x" * 100_000

    answer = ana.http.post(ana.path("messages"), content=unannounced(), headers=headers)
    check_problem(answer, 413)


def test_a_rule_that_is_broken_has_a_code(ana: Client) -> None:
    wanted = {"channel_id": "simulator", "to": "not a number", "body": "x"}
    assert check_problem(ana.call("POST", "messages", wanted), 422)["code"] == "bad_address"
    wanted = {"channel_id": "nothing", "to": "+15550142001", "body": "x"}
    assert check_problem(ana.call("POST", "messages", wanted), 422)["code"] == "no_channel"


def test_a_conflict(ana: Client) -> None:
    wanted = {"channel_id": "simulator", "to": "+15550142060", "body": "x"}
    sent = ana.post("messages", wanted)
    problem = check_problem(ana.call("POST", f"entries/{sent['id']}/resolve",
                                     {"outcome": "sent"}), 409)  # fmt: skip
    assert problem["code"] == "not_unknown"


def test_numbers_at_their_ends(ana: Client) -> None:
    thread = ana.post("messages", {"channel_id": "simulator", "to": "+15550142061", "body": "x"})
    entries = ana.path(f"threads/{thread['thread_id']}/entries")
    ends = (-(1 << 63), -1, 0, (1 << 63) - 1)
    for cursor in (cursor_of(at, id_) for at in ends for id_ in ends):
        for name in ("before", "after", "around"):
            answer = ana.http.get(entries, params={name: cursor})
            assert answer.status_code in {200, 400}, answer.text
        answer = ana.http.get(ana.path("threads"), params={"cursor": cursor})
        assert answer.status_code in {200, 400}
    for since in ("-1", "9" * 30, "-" + "9" * 30):
        assert ana.http.get(ana.path("changes"), params={"since": since}).status_code == 200
    for limit in ("0", "-5", "9" * 30):
        answer = ana.http.get(ana.path("threads"), params={"limit": limit})
        assert answer.status_code in {200, 400}
    for wait in ("nan", "-inf", "-1"):
        parameters = {"since": "9" * 20, "wait": wait}
        answer = ana.http.get(ana.path("changes"), params=parameters)
        assert answer.status_code in {200, 400}


def test_the_document_is_the_committed_one(ana: Client) -> None:
    served = ana.http.get("/api/openapi.json")
    assert served.status_code == 200
    assert served.json() == asking.DOCUMENT
    docs = ana.http.get("/api/docs")
    assert docs.headers["content-type"].startswith("text/html")
    assert "<script" not in docs.text


def test_pages_may_run_no_script_but_our_own(hub: HubProcess) -> None:
    for path in ("/", "/messages", "/messages?conversation=1"):
        page = httpx2.get(f"{hub.base_url}{path}")
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["x-content-type-options"] == "nosniff"
