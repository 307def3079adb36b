"""Signing in and out, and who is signed in."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import Cookie, State
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT

from hub.edge.guards import PUBLIC, SIGNED_IN, right, who_asks
from hub.edge.problems import ProblemError
from hub.edge.sessions import COOKIE, LASTS, SHORTEST_PASSWORD, TooManyAttempts
from hub.flow.views import shapes
from hub.store import people
from hub.web.parts import Parts, parts


@post("/session", opt=right(PUBLIC), status_code=HTTP_200_OK, summary="Sign in")
async def sign_in(
    request: Request[Any, Any, State], data: JSONBody[shapes.SignIn]
) -> Response[shapes.Me]:
    """Sign in with email and password. The answer sets the session's cookie; its ``csrf_token``
    goes back as ``X-CSRF-Token`` with every change."""
    hub = parts(request)
    remote = request.client.host if request.client else "?"
    try:
        found = await hub.sessions.sign_in(
            data.email,
            data.password,
            remote=remote,
            user_agent=request.headers.get("user-agent", ""),
        )
    except TooManyAttempts as error:
        raise _too_many(error) from None
    if found is None:
        raise ProblemError(401, "Email or password is wrong.", code="wrong_credentials")
    token, session = found
    cookie = Cookie(
        key=COOKIE,
        value=token,
        httponly=True,
        secure=hub.public_url.startswith("https://"),
        samesite="lax",
        path="/",
        max_age=LASTS // 1000,
    )
    return Response(await _me(hub, session.user, session.csrf_token), cookies=[cookie])


@delete("/session", opt=right(SIGNED_IN), status_code=HTTP_204_NO_CONTENT, summary="Sign out")
async def sign_out(request: Request[Any, Any, State]) -> Response[None]:
    """End the session."""
    hub = parts(request)
    await hub.sessions.sign_out(who_asks(request).token)
    hub.stream.look()
    response: Response[None] = Response(None, status_code=HTTP_204_NO_CONTENT)
    response.delete_cookie(COOKIE, path="/")
    return response


@get("/me", opt=right(SIGNED_IN), summary="Who is signed in")
async def me(request: Request[Any, Any, State]) -> shapes.Me:
    """The user, their organisations, and what they may do there."""
    who = who_asks(request)
    return await _me(parts(request), who.user, who.csrf_token)


@post(
    "/me/password", opt=right(SIGNED_IN), status_code=HTTP_204_NO_CONTENT, summary="Change password"
)
async def change_password(
    request: Request[Any, Any, State], data: JSONBody[shapes.ChangePassword]
) -> None:
    """Set a new password; every other session of the user ends."""
    who = who_asks(request)
    if len(data.new_password) < SHORTEST_PASSWORD:
        detail = f"A password has at least {SHORTEST_PASSWORD} characters."
        errors = [shapes.FieldError(field="new_password", message=detail)]
        raise ProblemError(422, detail, code="password_too_short", errors=errors)
    if data.new_password == data.current_password:
        detail = "The new password is the old one."
        errors = [shapes.FieldError(field="new_password", message=detail)]
        raise ProblemError(422, detail, code="password_unchanged", errors=errors)
    try:
        changed = await parts(request).sessions.change_password(
            who.user, data.current_password, data.new_password, keep=who.token
        )
    except TooManyAttempts as error:
        raise _too_many(error) from None
    if not changed:
        detail = "The current password is wrong."
        errors = [shapes.FieldError(field="current_password", message=detail)]
        raise ProblemError(422, detail, code="wrong_password", errors=errors)


def _too_many(error: TooManyAttempts) -> ProblemError:
    minutes = -(-error.seconds // 60)
    return ProblemError(
        429,
        f"Too many failed attempts. Try again in {minutes} minute{'s' if minutes > 1 else ''}.",
        headers={"Retry-After": str(error.seconds)},
    )


async def _me(hub: Parts, user: people.User, csrf_token: str) -> shapes.Me:
    memberships = await hub.database.read(
        lambda connection: people.memberships(connection, user.id)
    )
    return shapes.Me(
        user_id=str(user.id),
        name=user.name,
        email=user.email,
        must_change_password=user.must_change_password,
        organisations=[
            shapes.OrganisationOut(
                id=str(one.organisation.id),
                slug=one.organisation.slug,
                name=one.organisation.name,
                time_zone=one.organisation.time_zone,
                member_id=str(one.member_id),
                role=one.role,
                capabilities=sorted(one.capabilities),
            )
            for one in memberships
        ],
        csrf_token=csrf_token,
    )


router = Router(
    "/api/v1", route_handlers=[sign_in, sign_out, me, change_password], tags=["Session"]
)
