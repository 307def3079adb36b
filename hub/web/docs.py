"""``/api/docs``: the API for people, made from the OpenAPI document without any script."""

from __future__ import annotations

from html import escape
from typing import Any

from litestar.connection import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

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
