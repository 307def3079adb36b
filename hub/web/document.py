"""The OpenAPI document at ``/api/openapi.json``, and ``/api/docs``: the same for people, made
without any script."""

from __future__ import annotations

import base64
import copy
import hashlib
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, cast

import msgspec
from litestar import Litestar
from litestar.connection import Request
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.routes import HTTPRoute

from hub.edge.guards import IN_PERSON, PUBLIC
from hub.edge.problems import PROBLEM, TITLES
from hub.flow.views import shapes
from hub.web.uploads import UPLOAD_SCHEMA

_ALSO = (shapes.Problem, shapes.Hello, shapes.CountsMessage, shapes.JobChanged)
"""What no route answers with by itself: errors, and what the stream sends."""


_ALWAYS = (400, 429, 500, 503)
"""What any route may answer: a request that cannot be read, too many of them, a fault, and no
database."""
_ASKED = (401, 403)
_CHANGE = (404, 409, 413, 415, 422)
_NAMED = (404, 422)


def also(*statuses: int) -> dict[str, Any]:
    """A route's declaration, in its ``opt``: problems that follow from nothing else it says."""
    return {"also": statuses}


def complete(app: Litestar) -> dict[str, Any]:
    """What Litestar makes, with every problem that a route may answer, the stream's shapes, and
    without the marks that a field left out leaves behind."""
    whole: dict[str, Any] = _without_unset(copy.deepcopy(app.openapi_schema.to_schema()))
    _, components = msgspec.json.schema_components(
        _ALSO, ref_template="#/components/schemas/{name}"
    )
    components["Upload"] = UPLOAD_SCHEMA
    made = whole["components"]["schemas"]
    for schema in made.values():
        schema.pop("default", None)  # of some field that has this type, whichever came first
    strict = _strict(app)
    for schema in made.values():
        if _shape(schema) in strict:
            schema["additionalProperties"] = False
    whole["components"]["schemas"] = {**components, **made}
    used: set[int] = set()
    for path, method, opt in _declared(app):
        operation = whole["paths"].get(path, {}).get(method)
        if operation is None:
            continue
        declared: tuple[str, ...] = opt.get("right", ())
        if declared == (PUBLIC,):
            operation["security"] = []
        elif IN_PERSON in declared:
            operation["security"] = [{"session": []}]
        problems = sorted({*_problems(method, path, operation, declared), *opt.get("also", ())})
        responses = {code: one for code, one in operation["responses"].items() if code < "400"}
        if "204" in responses:
            responses["204"].pop("content", None)
        operation["responses"] = responses | {
            str(code): {"$ref": f"#/components/responses/Problem{code}"} for code in problems
        }
        used.update(problems)
    whole["components"]["responses"] = {f"Problem{code}": _problem(code) for code in sorted(used)}
    return whole


def _shape(schema: dict[str, Any]) -> tuple[str, frozenset[str]]:
    return schema.get("title", ""), frozenset(schema.get("properties", ()))


def _strict(app: Litestar) -> set[tuple[str, frozenset[str]]]:
    """Bodies, and what is in them, that take no field they do not know."""
    fields = [
        handler.parsed_data_field
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler, *_ in route.route_handler_map.values()
    ]
    bodies = {field.annotation for field in fields if field is not None}
    _, found = msgspec.json.schema_components(bodies)
    return {_shape(one) for one in found.values() if one.get("additionalProperties") is False}


def _declared(app: Litestar) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and declarations of every route."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, *_) in route.route_handler_map.items():
                yield route.path_format, method.lower(), handler.opt


def _problems(
    method: str, path: str, operation: dict[str, Any], declared: tuple[str, ...]
) -> Iterable[int]:
    yield from _ALWAYS
    if declared != (PUBLIC,) or method != "get":
        yield from _ASKED  # where anybody may: what they show is not right, or another site's page
    if "{" in path:
        yield from _NAMED
    if method != "get":
        yield from _CHANGE
    parameters = operation.get("parameters", ())
    if any(one["name"] == "If-Match" for one in parameters):
        yield 412
    if any(one["in"] == "query" for one in parameters):
        yield 414


def _problem(code: int) -> dict[str, Any]:
    headers = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}}
    return {
        "description": TITLES[code],
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        **({"headers": headers} if code == 429 else {}),
    }


def _without_unset(node: Any) -> Any:
    """A field that may be left out is not required; its "unset" is no value of its own."""
    if isinstance(node, list):
        return [_without_unset(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    tidy = {key: _without_unset(value) for key, value in cast("dict[str, Any]", node).items()}
    if {} in tidy.get("oneOf", []):
        tidy["oneOf"] = [one for one in tidy["oneOf"] if one != {}]
        tidy.pop("default", None)
    return tidy


class CompleteJson(JsonRenderPlugin):
    """Serves the completed document."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._made: bytes | None = None

    def render(
        self,
        request: Request[Any, Any, Any],
        openapi_schema: dict[str, Any],  # noqa: ARG002 — the plugin's own form
    ) -> bytes:
        """The document as JSON: made once, as it is always the same."""
        if self._made is None:
            document = complete(request.app)
            self._made = super().render(request, document)  # pyright: ignore[reportUnknownMemberType]
        return self._made


_STYLE = (
    "body{font:15px/1.5 ui-sans-serif,system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
    "padding:0 1rem;color:#222}h2{margin-top:2rem}"
    "section{border-top:1px solid #ddd;padding:.5rem 0}"
    "code{font-size:.95em}b{display:inline-block;min-width:4rem}"
)
DOCS_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src "
    f"'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
"""For the page: nothing but its own style."""


class PlainDocs(OpenAPIRenderPlugin):
    """Renders the document as one plain page."""

    def render(
        self,
        request: Request[Any, Any, Any],  # noqa: ARG002 — the plugin's own form
        openapi_schema: dict[str, Any],
    ) -> bytes:
        """The page."""
        groups: dict[str, list[str]] = {}
        for path, methods in openapi_schema["paths"].items():
            for method, operation in methods.items():
                group = (operation.get("tags") or ["Other"])[0]
                groups.setdefault(group, []).append(_operation(method, path, operation))
        body = "".join(f"<h2>{escape(name)}</h2>{''.join(rows)}" for name, rows in groups.items())
        info = openapi_schema["info"]
        title = f"{escape(info['title'])} {escape(info['version'])}"
        page = (
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
            f"<style>{_STYLE}</style><h1>{title}</h1><p>The whole document: "
            f'<a href="/api/openapi.json">/api/openapi.json</a></p>{body}</html>'
        )
        return page.encode()

    def receive_router(self, router: Any) -> None:
        """Nothing more to serve."""


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = ", ".join(
        f"<code>{escape(one['name'])}</code>"
        for one in operation.get("parameters", [])
        if one["in"] != "path"
    )
    return (
        f"<section><b>{method.upper()}</b> <code>{escape(path)}</code>"
        f"<p>{escape(operation.get('summary') or '')}. "
        f"{escape(operation.get('description') or '')}</p>"
        + (f"<p>Parameters: {parameters}</p>" if parameters else "")
        + "</section>"
    )
