"""Every route of the API's document, asked by who may everything, with what no client would send:
it is refused as a problem that says what is wrong, and is never the hub's fault."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.hubs import Client
from tests.security.conftest import Premises
from tests.web import asking
from tests.web.asking import check_problem

DEEP = 10_000
SCHEMAS: dict[str, Any] = asking.DOCUMENT["components"]["schemas"]
KEPT = {("delete", "/api/v1/session")}
"""It would end the session that asks."""
OPERATIONS = [
    (method, path, operation)
    for path, methods in asking.DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if (method, path) not in KEPT
]
JSON = [
    one
    for one in OPERATIONS
    if "application/json" in one[2].get("requestBody", {}).get("content", {})
]
NO_JSON: dict[str, bytes] = {
    "empty": b"",
    "half": b'{"a": ',
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep and open": b"[" * 200_000,
    "no UTF-8": b'{"\xff\xfe": "\xc3\x28"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a mark": b"\xef\xbb\xbf{}",
    "NUL": b"\0" * 100,
    "not a number": b'{"a": NaN}',
    "text": b'"text"',
    "list": b"[]",
    "number": b"1",
    "enormous number": b"9" * 100_000,
    "null": b"null",
    "two": b"{} {}",
    "form": b"a=1&b=2",
    "markup": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
}
ODD: list[Any] = [
    None,
    True,
    -1,
    10**400,
    1e308,
    "",
    "\0",
    "\ud800",
    "x" * 300_000,
    "٣" * 20,
    "\u202e\u0000\uffff",
    [],
    [None] * 1000,
    {},
    {"a": {"b": [{}]}},
    "' OR 1=1 --",
    "../../etc/passwd",
    "{{7*7}}${7*7}",
]
PLACES = ["%00", "%ff%fe", "%ED%A0%80", "x" * 5000, "-1", "9" * 400, "%2e%2e%2f", "a%0d%0aX:%20y",
          "%F0%9F%99%82", "'", "{}", "1e5", "٣"]  # fmt: skip


def address(premises: Premises, path: str) -> str:
    """A path with ids of what is there."""
    return re.sub(r"\{(\w+)\}", lambda name: premises.ids.get(name[1], "42"), path)


def fields(operation: dict[str, Any]) -> dict[str, Any]:
    """The fields that a body may have."""
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    while "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
    return schema.get("properties", {})


def plausible(schema: dict[str, Any]) -> Any:
    """A value of the right type, so that what is odd is met behind it."""
    while "$ref" in schema or "oneOf" in schema:
        if "oneOf" in schema:
            schema = next(one for one in schema["oneOf"] if one.get("type") != "null")
        else:
            schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        return schema["enum"][0]
    needed = {name: plausible(schema["properties"][name]) for name in schema.get("required", ())}
    kinds = {"integer": 1, "number": 1.5, "boolean": True, "array": [], "object": needed}
    return kinds.get(schema.get("type", ""), "text")


@pytest.fixture(scope="module")
def admin(premises: Premises) -> Client:
    """Somebody of their own, who may everything."""
    return premises.house.add("Super User").client


def send(admin: Client, method: str, path: str, content: bytes, **more: Any) -> httpx2.Response:
    headers = {"Content-Type": "application/json", **more}
    return admin.http.request(method.upper(), path, content=content, headers=headers)


def check(answer: httpx2.Response) -> None:
    """It may be refused, and nothing worse."""
    assert answer.status_code < 500, (answer.request.method, answer.request.url, answer.text)
    if answer.status_code >= 400:
        check_problem(answer, answer.status_code)


@pytest.mark.parametrize("name", NO_JSON)
def test_what_is_no_object_is_refused_everywhere(
    premises: Premises, admin: Client, name: str
) -> None:
    for method, path, _ in JSON:
        answer = send(admin, method, address(premises, path), NO_JSON[name])
        check_problem(answer, 400 if answer.status_code != 429 else 429)


def test_a_field_that_nobody_knows_is_named(premises: Premises, admin: Client) -> None:
    for method, path, operation in JSON:
        known = {name: plausible(schema) for name, schema in fields(operation).items()}
        body = json.dumps({"no_such_field": 1, **known}).encode()
        problem = check_problem(send(admin, method, address(premises, path), body), 400)
        assert "no_such_field" in json.dumps(problem["errors"]), (method, path)


def named(node: Any) -> Iterator[str]:
    """The shapes that a part of the document speaks of."""
    if isinstance(node, list):
        for one in node:
            yield from named(one)
    elif isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        for one in node.values():
            yield from named(one)


def test_no_body_takes_fields_that_it_does_not_know() -> None:
    todo = {name for _, _, operation in JSON for name in named(operation["requestBody"])}
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        seen.add(name)
        todo |= set(named(SCHEMAS[name])) - seen
    lenient = [
        name
        for name in seen
        if SCHEMAS[name].get("type") == "object"
        and SCHEMAS[name].get("additionalProperties") is not False
    ]
    assert not lenient


def test_odd_values_in_every_field(premises: Premises, admin: Client) -> None:
    for method, path, operation in JSON:
        if path in {"/api/v1/session", "/api/v1/me/password", "/api/v1/session/second"}:
            continue  # tries are counted; tests of signing in have them
        known = {name: plausible(schema) for name, schema in fields(operation).items()}
        for name in known:
            for odd in ODD:
                body = json.dumps({**known, name: odd}).encode()
                check(send(admin, method, address(premises, path), body))


def test_what_is_too_large_is_refused_everywhere(premises: Premises, admin: Client) -> None:
    body = b'{"a": "' + b"x" * 2_100_000 + b'"}'
    for method, path, _ in JSON:
        check_problem(send(admin, method, address(premises, path), body), 413)


def test_what_is_of_another_kind_is_refused_everywhere(premises: Premises, admin: Client) -> None:
    for method, path, _ in JSON:
        for kind in ("text/plain", "application/xml", "multipart/form-data; boundary=x", "x" * 500):
            answer = send(admin, method, address(premises, path), b"{}", **{"Content-Type": kind})
            check_problem(answer, 415)


def test_odd_places_are_not_there(premises: Premises, admin: Client) -> None:
    for method, path, _ in OPERATIONS:
        names = [name for name in re.findall(r"\{(\w+)\}", path) if name != "org"]
        for name in names:
            for place in PLACES:
                where = address(premises, path.replace("{" + name + "}", place))
                check(admin.http.request(method.upper(), where))
        if "{org}" in path:
            for place in PLACES:
                where = address(premises, path.replace("{org}", place))
                answer = admin.http.request(method.upper(), where)
                check_problem(answer, 404)


def test_odd_questions_are_answered(premises: Premises, admin: Client) -> None:
    for method, path, operation in OPERATIONS:
        if method != "get":
            continue
        for parameter in operation.get("parameters", []):
            if parameter["in"] != "query" or parameter["name"] == "wait":
                continue
            for place in PLACES:
                name = parameter["name"]
                where = f"{address(premises, path)}?{name}={place}&{name}={place}"
                check(admin.http.get(where))
        check(admin.http.get(f"{address(premises, path)}?%ff=%00&=&&&%"))


HEADERS: list[tuple[str, bytes]] = [
    ("Idempotency-Key", b"x" * 10_000),
    ("Idempotency-Key", b"\xff\xfe"),
    ("X-CSRF-Token", b"\xff"),
    ("Cookie", b"hub_session=\xff; ;;=; \x22"),
    ("Authorization", b"Bearer \xff\xfe"),
    ("Authorization", b"Basic " + b"x" * 10_000),
    ("Accept", b"\xff/\xff;q=x"),
    ("Accept-Encoding", b"x" * 10_000),
    ("Range", b"bytes=9999999999999999999999-,-1,x"),
    ("If-None-Match", b'W/"\xff'),
    ("Content-Type", b"\xff"),
    ("Content-Type", b"application/json; charset=\x22utf-7"),
    ("Origin", b"http://[::::"),
    ("Referer", b"\xff"),
    ("Forwarded", b"for=\x22_"),
    ("X-Forwarded-For", b"\xff, ::1, ,,"),
    ("X-HTTP-Method-Override", b"DELETE"),
]


def test_odd_headers(premises: Premises, admin: Client) -> None:
    for method, path, _ in OPERATIONS:
        for name, value in HEADERS:
            if path.endswith("/session") and name == "Authorization":
                continue
            request = admin.http.build_request(method.upper(), address(premises, path))
            request.headers = httpx2.Headers(
                [
                    (one, held)
                    for one, held in request.headers.raw
                    if one.lower() != name.lower().encode()
                ]
                + [(name.encode(), value)]
            )
            answer = admin.http.send(request)
            assert answer.status_code < 500, (method, path, name, answer.text)
            if answer.status_code >= 400:
                check_problem(answer, answer.status_code)


def test_uploads_that_are_none(premises: Premises, admin: Client) -> None:
    path = admin.path("attachments")
    kind = "multipart/form-data; boundary=b"
    for body in (
        b"",
        b"--b--",
        b"--b\r\n",
        b"--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nx",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xff\0"\r\n\r\nx\r\n--b--',
        b"--b\r\nX: " + b"x" * 100_000 + b"\r\n\r\nx\r\n--b--",
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * 1000 + b"--b--",
        b"\0" * 10_000,
    ):
        check(send(admin, "POST", path, body, **{"Content-Type": kind}))
    for odd in ("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; "
                "boundary=" + "x" * 500, "application/json"):  # fmt: skip
        answer = send(admin, "POST", path, b"--b--", **{"Content-Type": odd})
        assert check_problem(answer, answer.status_code)["status"] in {400, 415}
