"""The core's HTTP and WebSocket edge."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, Response, Router
from litestar.datastructures import State
from litestar.enums import RequestEncodingType
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import BodyKwarg
from litestar.types import ASGIApp, Receive, Scope, Send

import hub
from hub.edge.guards import PUBLIC, Guard, right
from hub.edge.problems import ProblemError, answer
from hub.web import (
    deliveries,
    files,
    health,
    jobs,
    messages,
    organisation,
    pages,
    session,
    stream,
    threads,
)
from hub.web.document import CompleteJson, PlainDocs, complete
from hub.web.parts import Parts
from hub.web.webhooks import HOOKS, Webhooks

_ROUTES = [
    session.router,
    threads.router,
    messages.router,
    organisation.router,
    deliveries.router,
    files.router,
    *files.offered,
    jobs.router,
    stream.router,
    health.alive,
    health.ready,
    health.metrics,
    pages.app,
    pages.asset,
    pages.root_file,
]
LARGEST_REQUEST = 2_000_000
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def create_web(parts: Parts, guard: Guard, webhooks: Webhooks) -> ASGIApp:
    """The ASGI application. Webhooks pass Litestar by: what it does for a request costs as much as
    all that the hub itself does before it stores one."""
    api = create_api(parts, guard)

    async def web(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(HOOKS):
            await webhooks(scope, receive, send)
        else:
            await api(scope, receive, send)

    return web


def create_api(parts: Parts, guard: Guard) -> Litestar:
    """Everything but the webhooks."""
    return Litestar(
        route_handlers=_ROUTES,
        guards=[guard],
        before_request=_check_kind,
        exception_handlers={Exception: _problem},
        after_request=_headers,
        openapi_config=_openapi(),
        request_max_body_size=LARGEST_REQUEST,
        state=State({"parts": parts}),
        logging_config=None,
    )


def describe() -> dict[str, Any]:
    """The OpenAPI document, without a hub."""
    app = Litestar(route_handlers=_ROUTES, openapi_config=_openapi(), logging_config=None)
    return complete(app.openapi_schema.to_schema())


async def _check_kind(request: Request[Any, Any, Any]) -> None:
    """A body is of the kind that its route reads; one that does not say what it is is tried."""
    field = request.route_handler.parsed_data_field
    if field is None or not isinstance(field.kwarg_definition, BodyKwarg):
        return
    wanted = RequestEncodingType(field.kwarg_definition.media_type).value
    given = request.content_type[0]
    if given and given != wanted:
        raise ProblemError(415, f"This takes {wanted}, not {given[:80]}.")


def _problem(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """What is not answered by a route passes by ``after_request``."""
    return _headers(answer(request, error))


def _headers(response: Response[Any]) -> Response[Any]:
    for name, value in _SAFE.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Channel Hub",
        version=hub.__version__,
        openapi_router=Router(
            "/api", route_handlers=[], include_in_schema=False, opt=right(PUBLIC)
        ),
        render_plugins=[
            CompleteJson(path="/openapi.json"),
            PlainDocs(path="/docs", media_type="text/html"),  # pyright: ignore[reportArgumentType]
        ],
        components=Components(
            security_schemes={
                "session": SecurityScheme(
                    type="apiKey", name="hub_session", security_scheme_in="cookie"
                )
            }
        ),
        security=[{"session": []}],
        operation_id_creator=lambda handler, _method, _path: handler.handler_name,
    )
