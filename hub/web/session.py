"""Signing in and out, and who is signed in."""

from __future__ import annotations

from typing import Any, Literal

from litestar import Request, Response, Router, delete, get, patch, post
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT
from msgspec import UNSET
from msgspec.structs import replace

from hub.edge.attempts import TooManyAttempts
from hub.edge.cookies import browser_of, session_cookie, signed_in
from hub.edge.guards import IN_PERSON, PUBLIC, SIGNED_IN, bearer, right, who_asks
from hub.edge.problems import ProblemError, too_many
from hub.edge.sessions import SignedIn, Unfinished
from hub.flow.views import accounts, shapes
from hub.rules.addresses import phone
from hub.rules.sign_in import check_password
from hub.store import people
from hub.web.parts import Parts, parts
from hub.web.people import single_numbers, whole_channels

Method = Literal["passkey", "code", "recovery_code"]
LONGEST_PHONE = 100
"""Characters of a number that are looked at."""


@get("/session/ways", opt=right(PUBLIC), summary="How one may sign in")
async def ways(request: Request[Any, Any, State]) -> accounts.SignInWays:
    """What the page to sign in offers."""
    hub = parts(request)
    return accounts.SignInWays(
        mails=hub.accounts.mails,
        passkey_origin=None if hub.party is None else hub.party.origin,
        providers=[
            accounts.ProviderOut(id=one.config.id, label=one.config.label)
            for one in hub.openid.providers.values()
        ],
    )


@post(
    "/session",
    opt=right(PUBLIC),
    status_code=HTTP_200_OK,
    summary="Sign in",
    responses={
        HTTP_202_ACCEPTED: ResponseSpec(
            accounts.SecondStep, generate_examples=False, description="A second factor is missing"
        )
    },
)
async def sign_in(
    request: Request[Any, Any, State], data: JSONBody[shapes.SignIn]
) -> Response[shapes.Me]:
    """Sign in with email and password. The answer sets the session's cookie; its ``csrf_token``
    goes back as ``X-CSRF-Token`` with every change. Where a second factor is asked for, the answer
    is 202 with a ticket for it."""
    hub = parts(request)
    if bearer(request) is not None:
        raise ProblemError(
            403, "A token needs no session: send it with each request.", code=IN_PERSON
        )
    try:
        found = await hub.sessions.sign_in(data.email, data.password, browser_of(request))
    except TooManyAttempts as error:
        raise too_many(error.seconds) from None
    if found is None:
        raise ProblemError(401, "Email or password is wrong.", code="wrong_credentials")
    if isinstance(found, Unfinished):
        missing: Response[Any] = Response(
            accounts.SecondStep(ticket=found.ticket, methods=await methods(hub, found.ticket)),
            status_code=HTTP_202_ACCEPTED,
        )
        return missing
    return await welcome(hub, found)


@post(
    "/session/second",
    opt=right(PUBLIC),
    status_code=HTTP_200_OK,
    summary="Sign in with a second factor",
)
async def second_step(
    request: Request[Any, Any, State], data: JSONBody[accounts.SecondFactor]
) -> Response[shapes.Me]:
    """What the ticket was given for. A code counts once."""
    hub = parts(request)
    try:
        found = await hub.second_factors.sign_in(data.ticket, data.code, browser_of(request))
    except TooManyAttempts as error:
        raise too_many(error.seconds) from None
    if found is None:
        raise ProblemError(
            401, "That took too long. Sign in with your password again.", code="bad_ticket"
        )
    hub.machinery.notices.wake()
    return await welcome(hub, found)


async def methods(hub: Parts, ticket: str) -> list[Method]:
    """What would do as a second factor."""
    user = await hub.sessions.user_of_step(ticket)
    held = None if user is None else await hub.second_factors.state(user.id)
    code: Method = "recovery_code" if held is not None and held.totp_since is None else "code"
    return ["passkey", code] if held is not None and hub.passkeys.has(held.passkeys) else [code]


async def welcome(hub: Parts, signed: SignedIn) -> Response[shapes.Me]:
    """Somebody is signed in."""
    hub.stream.look()
    return Response(
        await me_of(hub, signed.user, None, signed.csrf_token),
        cookies=signed_in(signed, hub.public_url),
    )


@delete("/session", opt=right(IN_PERSON), status_code=HTTP_204_NO_CONTENT, summary="Sign out")
async def sign_out(request: Request[Any, Any, State]) -> Response[None]:
    """End the session."""
    hub = parts(request)
    await hub.sessions.sign_out(who_asks(request).session or "")
    hub.stream.look()
    return Response(
        None,
        status_code=HTTP_204_NO_CONTENT,
        cookies=[session_cookie("", hub.public_url)],
        headers={"Clear-Site-Data": '"cache"'},
    )


@get("/me", opt=right(SIGNED_IN), summary="Who is signed in")
async def me(request: Request[Any, Any, State]) -> shapes.Me:
    """The user, their organisations, and what they may do there."""
    who = who_asks(request)
    return await me_of(parts(request), who.user, who.membership, who.csrf_token)


@patch("/me", opt=right(IN_PERSON), summary="Change what is kept of oneself")
async def change_me(request: Request[Any, Any, State], data: JSONBody[shapes.MePatch]) -> shapes.Me:
    """Change what is given; the rest stays."""
    hub, who = parts(request), who_asks(request)
    own: dict[str, str | bool | None] = {}
    if data.phone is not UNSET:
        own["phone"] = _phone(data.phone or "")
    if data.range_noted is not UNSET:
        own["range_noted"] = data.range_noted
    if data.single_keys is not UNSET:
        own["single_keys"] = data.single_keys
    if data.toured is not UNSET:
        own["toured"] = data.toured
    if own:
        await hub.writer.execute(lambda one: people.set_own(one, who.user.id, own))
    return await me_of(hub, replace(who.user, **own), None, who.csrf_token)


def _phone(typed: str) -> str | None:
    if not typed.strip():
        return None
    try:
        return phone(typed[:LONGEST_PHONE])
    except ValueError as error:
        errors = [shapes.FieldError(field="phone", message=str(error))]
        raise ProblemError(422, str(error), code="bad_phone", errors=errors) from None


@post(
    "/me/password", opt=right(IN_PERSON), status_code=HTTP_204_NO_CONTENT, summary="Change password"
)
async def change_password(
    request: Request[Any, Any, State], data: JSONBody[shapes.ChangePassword]
) -> Response[None]:
    """Set a new password; every other session of the user ends, and this one goes on with a new
    cookie."""
    hub, who = parts(request), who_asks(request)
    check_password(data.new_password, "new_password", who.user.email, who.user.name)
    if data.new_password == data.current_password:
        detail = "The new password is the old one."
        errors = [shapes.FieldError(field="new_password", message=detail)]
        raise ProblemError(422, detail, code="password_unchanged", errors=errors)
    try:
        token = await hub.sessions.change_password(
            who.user,
            data.current_password,
            data.new_password,
            keep=who.session or "",
            remote=who.remote,
        )
    except TooManyAttempts as error:
        raise too_many(error.seconds) from None
    if token is None:
        detail = "The current password is wrong."
        errors = [shapes.FieldError(field="current_password", message=detail)]
        raise ProblemError(422, detail, code="wrong_password", errors=errors)
    hub.machinery.notices.wake()
    hub.stream.look()
    return Response(
        None,
        status_code=HTTP_204_NO_CONTENT,
        cookies=[session_cookie(token, hub.public_url)],
    )


async def me_of(
    hub: Parts, user: people.User, only: people.Membership | None, csrf_token: str | None
) -> shapes.Me:
    """Who is signed in. ``only``: what a token, which is of one organisation, may there."""
    memberships = (
        [only]
        if only is not None
        else await hub.database.read(lambda connection: people.memberships(connection, user.id))
    )
    return shapes.Me(
        user_id=str(user.id),
        name=user.name,
        email=user.email,
        must_change_password=user.must_change_password,
        super_user=user.super_user,
        phone=user.phone,
        range_noted=user.range_noted,
        single_keys=user.single_keys,
        toured=user.toured,
        second_factor=user.second_factor,
        needs_second_factor=(
            only is None
            and not user.second_factor
            and any(one.needs_second_factor for one in memberships)
        ),
        organisations=[
            shapes.OrganisationOut(
                id=str(one.organisation.id),
                slug=one.organisation.slug,
                name=one.organisation.name,
                time_zone=one.organisation.time_zone,
                member_id=str(one.member_id),
                role=one.role,
                capabilities=sorted(one.capabilities),
                channels=whole_channels(one.channels),
                own_addresses=single_numbers(one.channels),
            )
            for one in memberships
        ],
        csrf_token=csrf_token,
    )


router = Router(
    "/api/v1",
    route_handlers=[ways, sign_in, second_step, sign_out, me, change_me, change_password],
    tags=["Session"],
)
