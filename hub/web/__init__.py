"""The core's HTTP and WebSocket edge."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, Response, Router
from litestar.datastructures import State
from litestar.enums import RequestEncodingType
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import BodyKwarg
from litestar.types import ASGIApp, Receive, Scope, Send

import hub
from hub.edge.guards import PUBLIC, Guard, right
from hub.edge.problems import ProblemError, answer
from hub.web import (
    account,
    approvals,
    audit,
    calls,
    contacts,
    deliveries,
    files,
    health,
    invitations,
    jobs,
    membership,
    messages,
    organisation,
    pages,
    passkeys,
    people,
    push,
    session,
    settings,
    sign_in,
    stream,
    threads,
)
from hub.web.document import DOCS_POLICY, CompleteJson, PlainDocs, complete
from hub.web.door import Door
from hub.web.parts import Parts
from hub.web.webhooks import HOOKS, Webhooks

_ROUTES = [
    session.router,
    account.router,
    passkeys.router,
    push.router,
    invitations.links,
    invitations.router,
    threads.router,
    messages.router,
    approvals.router,
    calls.router,
    contacts.router,
    organisation.router,
    people.router,
    membership.router,
    deliveries.router,
    settings.router,
    audit.router,
    files.router,
    *files.offered,
    jobs.router,
    stream.router,
    health.alive,
    health.ready,
    health.metrics,
    sign_in.leave,
    sign_in.come_back,
    pages.app,
    pages.asset,
    pages.root_file,
]
LARGEST_REQUEST = 2_000_000


def create_web(parts: Parts, guard: Guard, webhooks: Webhooks) -> ASGIApp:
    """The ASGI application. Webhooks pass Litestar by: what it does for a request costs as much as
    all that the hub itself does before it stores one."""
    api = create_api(parts, guard)

    async def web(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(HOOKS):
            await webhooks(scope, receive, send)
        else:
            await api(scope, receive, send)

    https = parts.public_url.startswith("https://")
    return Door(web, plugins=HOOKS, https=https)


def create_api(parts: Parts, guard: Guard) -> Litestar:
    """Everything but the webhooks."""
    return Litestar(
        route_handlers=_ROUTES,
        guards=[guard],
        before_request=_check_kind,
        exception_handlers={Exception: _problem},
        openapi_config=_openapi(),
        request_max_body_size=LARGEST_REQUEST,
        state=State({"parts": parts}),
        logging_config=None,
    )


def describe() -> dict[str, Any]:
    """The OpenAPI document, without a hub."""
    app = Litestar(route_handlers=_ROUTES, openapi_config=_openapi(), logging_config=None)
    return complete(app)


async def _check_kind(request: Request[Any, Any, Any]) -> None:
    """A body is of the kind that its route reads; one that does not say what it is is tried."""
    field = request.route_handler.parsed_data_field
    if field is None or not isinstance(field.kwarg_definition, BodyKwarg):
        return
    wanted = RequestEncodingType(field.kwarg_definition.media_type).value
    given = request.content_type[0]
    if given and given != wanted:
        raise ProblemError(415, f"This takes {wanted}, not {given[:80]}.")
    try:
        (await request.body()).decode()
    except UnicodeDecodeError:
        raise ProblemError(400, "The body is not in UTF-8.") from None


def _problem(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """What is answered in place of what was asked for."""
    if isinstance(error, NotFoundException) and _is_looked_at(request):
        return pages.page(request, status=404)
    return answer(request, error)


def _is_looked_at(request: Request[Any, Any, Any]) -> bool:
    """Whether a person has asked for an address that there is not, and not a program."""
    wanted = request.headers.get("accept", "")
    return request.method == "GET" and "text/html" in wanted and not _is_api(request.url.path)


def _is_api(path: str) -> bool:
    return path == "/api" or path.startswith("/api/")


def _may_have_style(response: Response[Any]) -> Response[Any]:
    response.headers["Content-Security-Policy"] = DOCS_POLICY
    return response


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Channel Hub",
        version=hub.__version__,
        openapi_router=Router(
            "/api",
            route_handlers=[],
            include_in_schema=False,
            opt=right(PUBLIC),
            after_request=_may_have_style,
        ),
        render_plugins=[
            CompleteJson(path="/openapi.json"),
            PlainDocs(path="/docs", media_type="text/html"),  # pyright: ignore[reportArgumentType]
        ],
        components=Components(
            security_schemes={
                "session": SecurityScheme(
                    type="apiKey", name="hub_session", security_scheme_in="cookie"
                ),
                "token": SecurityScheme(type="http", scheme="bearer"),
            }
        ),
        security=[{"session": []}, {"token": []}],
        operation_id_creator=lambda handler, _method, _path: handler.handler_name,
    )
