"""The OpenAPI document at ``/api/openapi.json``, and ``/api/docs``: the same for people, made
without any script."""

from __future__ import annotations

import copy
from html import escape
from typing import Any, cast

import msgspec
from litestar.connection import Request
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin

from hub.edge.problems import PROBLEM
from hub.flow.views import shapes
from hub.web.uploads import UPLOAD_SCHEMA

_ALSO = (shapes.Problem, shapes.Hello, shapes.CountsMessage, shapes.JobChanged)
"""What no route answers with by itself: errors, and what the stream sends."""
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """What Litestar makes, with problem answers, the stream's shapes, and without the marks that
    a field left out leaves behind."""
    whole: dict[str, Any] = _without_unset(copy.deepcopy(document))
    _, components = msgspec.json.schema_components(
        _ALSO, ref_template="#/components/schemas/{name}"
    )
    components["Upload"] = UPLOAD_SCHEMA
    whole["components"]["schemas"] = {**components, **whole["components"]["schemas"]}
    problem = {
        "description": "A problem, said in words",
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for methods in whole["paths"].values():
        for method, operation in methods.items():
            if method in _METHODS:
                operation["responses"].pop("400", None)
                operation["responses"]["default"] = problem
    return whole


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

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The document as JSON."""
        document = complete(openapi_schema)
        return super().render(request, document)  # pyright: ignore[reportUnknownMemberType]


_STYLE = (
    "body{font:15px/1.5 ui-sans-serif,system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
    "padding:0 1rem;color:#222}h2{margin-top:2rem}"
    "section{border-top:1px solid #ddd;padding:.5rem 0}"
    "code{font-size:.95em}b{display:inline-block;min-width:4rem}"
)


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
