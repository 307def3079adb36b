"""Passkeys: one's own, and signing in with one."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, Router, patch, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT

from hub.edge.attempts import TooManyAttempts
from hub.edge.cookies import browser_of, session_cookie
from hub.edge.guards import IN_PERSON, PUBLIC, remote_of, right, who_asks
from hub.edge.party import Asked, NotShown
from hub.edge.problems import ProblemError, not_found, too_many
from hub.flow.views import accounts as shapes
from hub.flow.views.shapes import Me
from hub.store.ids import parse
from hub.web.account import passkey_out, prove, remove_factor
from hub.web.parts import parts
from hub.web.session import welcome

Web = Request[Any, Any, State]


# ---------------------------------------------------------------------- one's own


@post("/me/passkeys", opt=right(IN_PERSON), status_code=HTTP_200_OK, summary="Begin with a passkey")
async def begin_passkey(request: Web, data: JSONBody[shapes.PasswordGiven]) -> shapes.PasskeyAsked:
    """What a device makes one of. Nothing is asked for until it is confirmed."""
    who = who_asks(request)
    await prove(request, who, data.password)
    return _out(await parts(request).passkeys.begin(who.user, session=who.session or ""))


@post(
    "/me/passkeys/confirm", opt=right(IN_PERSON), status_code=HTTP_200_OK, summary="Add a passkey"
)
async def confirm_passkey(
    request: Web, data: JSONBody[shapes.PasskeyMade]
) -> Response[shapes.PasskeyAdded]:
    """A device has made it: it signs in from now on. One's other sessions end."""
    hub, who = parts(request), who_asks(request)
    made = await hub.passkeys.confirm(
        who.user,
        data.ticket,
        data.credential,
        data.name,
        session=who.session or "",
        remote=who.remote,
    )
    hub.machinery.notices.wake()
    hub.stream.look()
    return Response(
        shapes.PasskeyAdded(
            passkey=passkey_out(hub, made.passkey), recovery_codes=made.recovery_codes
        ),
        cookies=[session_cookie(made.token, hub.public_url)],
    )


@patch("/me/passkeys/{passkey_id:str}", opt=right(IN_PERSON), summary="Rename a passkey")
async def rename_passkey(
    request: Web, passkey_id: FromPath[str], data: JSONBody[shapes.NameGiven]
) -> shapes.PasskeyOut:
    """What its owner calls it."""
    hub, who = parts(request), who_asks(request)
    renamed = await hub.passkeys.rename(
        who.user, parse(passkey_id) or 0, data.name, remote=who.remote
    )
    return passkey_out(hub, renamed)


@post(
    "/me/passkeys/{passkey_id:str}/remove",
    opt=right(IN_PERSON),
    status_code=HTTP_204_NO_CONTENT,
    summary="Remove a passkey",
)
async def remove_passkey(
    request: Web, passkey_id: FromPath[str], data: JSONBody[shapes.FactorRemoved]
) -> Response[None]:
    """It signs in no longer. One's other sessions end."""
    id_ = parse(passkey_id)
    if id_ is None:
        raise not_found("passkey")
    return await remove_factor(request, data, str(id_))


# ---------------------------------------------------------------------- signing in


@post(
    "/session/passkey",
    opt=right(PUBLIC),
    status_code=HTTP_200_OK,
    summary="Ask for a passkey to sign in",
)
async def ask_passkey(request: Web) -> shapes.PasskeyAsked:
    """Of whoever it is: nobody is named."""
    try:
        return _out(await parts(request).passkeys.ask(remote_of(request) or "?"))
    except TooManyAttempts as error:
        raise too_many(error.seconds) from None


@post(
    "/session/passkey/use",
    opt=right(PUBLIC),
    status_code=HTTP_200_OK,
    summary="Sign in with a passkey",
)
async def use_passkey(request: Web, data: JSONBody[shapes.PasskeyShown]) -> Response[Me]:
    """It stands for the password and for the second factor. The answer is as that of
    ``POST /api/v1/session``."""
    hub = parts(request)
    try:
        signed = await hub.passkeys.sign_in(data.ticket, data.credential, browser_of(request))
    except TooManyAttempts as error:
        raise too_many(error.seconds) from None
    except NotShown as error:
        raise _not_shown(error, "That took too long. Try again.") from None
    finally:
        hub.machinery.notices.wake()
    return await welcome(hub, signed)


@post(
    "/session/second/passkey",
    opt=right(PUBLIC),
    status_code=HTTP_200_OK,
    summary="Ask for a passkey as a second factor",
)
async def ask_second_passkey(
    request: Web, data: JSONBody[shapes.TicketGiven]
) -> shapes.PasskeyAsked:
    """Any of the user's whom the ticket was given to."""
    try:
        return _out(await parts(request).passkeys.ask_second(data.ticket))
    except NotShown as error:
        raise _not_shown(error, _LATE) from None


@post(
    "/session/second/passkey/use",
    opt=right(PUBLIC),
    status_code=HTTP_200_OK,
    summary="Sign in with a passkey as a second factor",
)
async def use_second_passkey(request: Web, data: JSONBody[shapes.PasskeyShown]) -> Response[Me]:
    """What the ticket was given for."""
    hub = parts(request)
    try:
        signed = await hub.passkeys.second(data.ticket, data.credential, browser_of(request))
    except TooManyAttempts as error:
        raise too_many(error.seconds) from None
    except NotShown as error:
        raise _not_shown(error, _LATE) from None
    finally:
        hub.machinery.notices.wake()
    return await welcome(hub, signed)


_LATE = "That took too long. Sign in with your password again."


def _not_shown(error: NotShown, late: str) -> ProblemError:
    if error.late:
        return ProblemError(401, late, code="bad_ticket")
    return ProblemError(
        401,
        "This passkey signs nobody in here. It may have been removed: sign in another way.",
        code="wrong_passkey",
    )


def _out(asked: Asked) -> shapes.PasskeyAsked:
    return shapes.PasskeyAsked(ticket=asked.ticket, options=asked.options)


router = Router(
    "/api/v1",
    route_handlers=[
        begin_passkey,
        confirm_passkey,
        rename_passkey,
        remove_passkey,
        ask_passkey,
        use_passkey,
        ask_second_passkey,
        use_second_passkey,
    ],
    tags=["Passkeys"],
)
