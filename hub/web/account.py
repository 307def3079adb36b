"""One's own account: where one is signed in, the second factor, and a forgotten password."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT
from sqlalchemy import Connection

from hub.edge.attempts import TooManyAttempts, count, key_of, key_of_address
from hub.edge.cookies import known_cookie, session_cookie
from hub.edge.guards import IN_PERSON, PUBLIC, Who, remote_of, right, who_asks
from hub.edge.problems import ProblemError, not_found, too_many
from hub.edge.second import CODES_OF_APP
from hub.edge.sessions import hash_password
from hub.flow.accounts import hashed
from hub.flow.host import now_ms
from hub.flow.views import accounts as shapes
from hub.flow.views.present import when
from hub.flow.views.shapes import FieldError
from hub.rules.content import storable
from hub.rules.sign_in import (
    FRESH,
    LINKS_BY_ADDRESS,
    LONGEST_EMAIL,
    RESETS,
    RESETS_BY_ADDRESS,
    WAYS,
    check_password,
)
from hub.store import sign_in as store
from hub.web.parts import Parts, parts

Web = Request[Any, Any, State]
_WRONG_LINK = "This link has expired, was used already, or is not whole. Ask for a new one."


# ---------------------------------------------------------------------- sessions


@get("/sessions", opt=right(IN_PERSON), summary="List one's sessions")
async def list_sessions(request: Web) -> list[shapes.SessionOut]:
    """Wherever one is signed in, what was used last first."""
    who = who_asks(request)
    return [
        shapes.SessionOut(
            id=one.id,
            current=one.token_hash == who.pass_hash,
            user_agent=one.user_agent or None,
            remote=one.remote,
            created_at=when(one.created_at),
            seen_at=when(one.seen_at),
            expires_at=when(one.expires_at),
            begun_with=[way for way in WAYS if way in one.begun_with.split()],
            notifications=one.push_key is not None,
        )
        for one in await parts(request).sessions.all_of(who.user.id)
    ]


@delete(
    "/sessions/{session_id:str}",
    opt=right(IN_PERSON),
    status_code=HTTP_204_NO_CONTENT,
    summary="End one of one's sessions",
)
async def end_session(request: Web, session_id: FromPath[str]) -> None:
    """Whoever is signed in there is so no longer, at once."""
    hub, who = parts(request), who_asks(request)
    if not await hub.sessions.end(who.user, session_id, remote=who.remote):
        raise not_found("session")
    hub.stream.look()


@post(
    "/sessions/end-others",
    opt=right(IN_PERSON),
    status_code=HTTP_204_NO_CONTENT,
    summary="End one's other sessions",
)
async def end_other_sessions(request: Web) -> None:
    """All but the one that asks."""
    hub, who = parts(request), who_asks(request)
    await hub.sessions.end_others(who.user, who.session or "", remote=who.remote)
    hub.stream.look()


# ---------------------------------------------------------------------- second factor


@get("/me/second-factor", opt=right(IN_PERSON), summary="What is asked for besides the password")
async def second_factor(request: Web) -> shapes.SecondFactorOut:
    """One's own."""
    hub = parts(request)
    held = await hub.second_factors.state(who_asks(request).user.id)
    party = hub.party
    return shapes.SecondFactorOut(
        totp_since=None if held.totp_since is None else when(held.totp_since),
        passkeys=[passkey_out(hub, one) for one in held.passkeys],
        passkey_origin=None if party is None else party.origin,
        recovery_codes=held.recovery_codes,
    )


@post("/me/totp", opt=right(IN_PERSON), status_code=HTTP_200_OK, summary="Begin with codes")
async def begin_totp(request: Web, data: JSONBody[shapes.PasswordGiven]) -> shapes.TotpOffered:
    """A secret for an authenticator app. Nothing is asked for until it is confirmed."""
    who = who_asks(request)
    await prove(request, who, data.password)
    made = await parts(request).second_factors.begin(who.user)
    return shapes.TotpOffered(secret=made.secret, uri=made.uri, svg=made.svg)


@post("/me/totp/confirm", opt=right(IN_PERSON), status_code=HTTP_200_OK, summary="Confirm codes")
async def confirm_totp(
    request: Web, data: JSONBody[shapes.CodeGiven]
) -> Response[shapes.RecoveryCodes]:
    """A code shows that the app makes them: they are asked for from now on. One's other sessions
    end."""
    hub, who = parts(request), who_asks(request)
    try:
        done = await hub.second_factors.confirm(
            who.user, data.code, session=who.session or "", remote=who.remote
        )
    except TooManyAttempts as error:
        raise too_many(error.seconds) from None
    hub.stream.look()
    return Response(
        shapes.RecoveryCodes(recovery_codes=done.recovery_codes),
        cookies=[session_cookie(done.token, hub.public_url)],
    )


@post(
    "/me/totp/remove",
    opt=right(IN_PERSON),
    status_code=HTTP_204_NO_CONTENT,
    summary="Remove the authenticator app",
)
async def remove_totp(request: Web, data: JSONBody[shapes.FactorRemoved]) -> Response[None]:
    """Its codes are of no use any more; passkeys and recovery codes stay. One's other sessions
    end."""
    return await remove_factor(request, data, CODES_OF_APP)


@post(
    "/me/second-factor/remove",
    opt=right(IN_PERSON),
    status_code=HTTP_204_NO_CONTENT,
    summary="Remove every second factor",
)
async def remove_second_factors(
    request: Web, data: JSONBody[shapes.FactorRemoved]
) -> Response[None]:
    """The app, passkeys and recovery codes: the password is enough from now on. One's other
    sessions end."""
    return await remove_factor(request, data, None)


async def remove_factor(
    request: Web, data: shapes.FactorRemoved, which: str | None
) -> Response[None]:
    """One of them, or all."""
    hub, who = parts(request), who_asks(request)
    await prove(request, who, data.password)
    token = await hub.second_factors.remove(
        who.user, which, last=data.last, session=who.session or "", remote=who.remote
    )
    hub.machinery.notices.wake()
    hub.stream.look()
    return Response(
        None,
        status_code=HTTP_204_NO_CONTENT,
        cookies=[session_cookie(token, hub.public_url)],
    )


def passkey_out(hub: Parts, one: store.Passkey) -> shapes.PasskeyOut:
    """As the API carries it."""
    return shapes.PasskeyOut(
        id=str(one.id),
        name=one.name,
        created_at=when(one.created_at),
        used_at=None if one.used_at is None else when(one.used_at),
        host=one.rp_id,
        usable=hub.party is not None and one.rp_id == hub.party.id,
    )


@post(
    "/me/recovery-codes",
    opt=right(IN_PERSON),
    status_code=HTTP_200_OK,
    summary="Make new recovery codes",
)
async def make_recovery_codes(
    request: Web, data: JSONBody[shapes.PasswordGiven]
) -> shapes.RecoveryCodes:
    """In place of those there are."""
    who = who_asks(request)
    await prove(request, who, data.password)
    codes = await parts(request).second_factors.renew_codes(who.user, remote=who.remote)
    return shapes.RecoveryCodes(recovery_codes=codes)


async def prove(request: Web, who: Who, password: str | None) -> None:
    """Somebody who finds a page left open does not change how its owner signs in. Raises
    ``ProblemError``."""
    if password is None:
        if who.signed_in_at is not None and now_ms() - who.signed_in_at < FRESH:
            return
        raise ProblemError(403, "Give your password to go on.", code="password_needed")
    try:
        right_one = await parts(request).sessions.check_password(who.user, password)
    except TooManyAttempts as error:
        raise too_many(error.seconds) from None
    if not right_one:
        detail = "The password is wrong."
        errors = [FieldError(field="password", message=detail)]
        raise ProblemError(422, detail, code="wrong_password", errors=errors)


# ---------------------------------------------------------------------- a forgotten password


@post(
    "/password-resets",
    opt=right(PUBLIC),
    status_code=HTTP_202_ACCEPTED,
    summary="Ask for a link to reset a password",
)
async def ask_reset(request: Web, data: JSONBody[shapes.EmailGiven]) -> shapes.ResetAsked:
    """The answer is the same whether or not there is such a user."""
    hub = parts(request)
    email = storable(data.email).strip().lower()[:LONGEST_EMAIL]
    if not hub.accounts.mails:
        return shapes.ResetAsked(mailed=False)
    limits = {
        key_of("resets of", email): RESETS,
        key_of_address("resets from", remote_of(request) or "?"): RESETS_BY_ADDRESS,
    }

    def ask(connection: Connection) -> int:
        # In one transaction with the count, which there is always: so it takes as long.
        if wait := count(connection, limits):
            return wait
        hub.accounts.reset_asked(connection, email)
        return 0

    if wait := await hub.writer.execute(ask):
        raise too_many(wait, "Too many links were asked for.")
    hub.machinery.notices.wake()
    return shapes.ResetAsked(mailed=True)


@post(
    "/password-resets/look",
    opt=right(PUBLIC),
    status_code=HTTP_200_OK,
    summary="Look at a link to reset a password",
)
async def look_at_reset(request: Web, data: JSONBody[shapes.LinkGiven]) -> shapes.ResetOffered:
    """Whose password it resets."""
    await limit_links(request)
    hashed_token, now = hashed(data.token), now_ms()

    def look(connection: Connection) -> store.Person | None:
        user_id = store.reset_of(connection, hashed_token, now)
        return None if user_id is None else store.person(connection, user_id)

    found = await parts(request).database.read(look)
    if found is None or not found.active:
        raise ProblemError(404, _WRONG_LINK, code="bad_link")
    return shapes.ResetOffered(email=found.email)


@post(
    "/password-resets/use",
    opt=right(PUBLIC),
    status_code=HTTP_204_NO_CONTENT,
    summary="Choose a new password by a link",
)
async def use_reset(request: Web, data: JSONBody[shapes.ResetUsed]) -> Response[None]:
    """The link works once; every session of the user's ends."""
    hub = parts(request)
    check_password(data.password, "password")
    await limit_links(request)
    password = await asyncio.to_thread(hash_password, data.password)
    user = await hub.accounts.use_reset(data.token, password, remote_of(request) or "?")
    hub.machinery.notices.wake()
    hub.stream.look()
    # Whoever guesses at their account elsewhere does not keep them out of it here.
    known = known_cookie(hub.sessions.make_known(user.email), hub.public_url)
    return Response(None, status_code=HTTP_204_NO_CONTENT, cookies=[known])


async def limit_links(request: Web) -> None:
    """Links are long enough not to be guessed; whoever tries all the same is slowed down. Raises
    ``ProblemError``."""
    key = key_of_address("links from", remote_of(request) or "?")
    try:
        await parts(request).sessions.attempts.begin({key: LINKS_BY_ADDRESS})
    except TooManyAttempts as error:
        raise too_many(error.seconds) from None


router = Router(
    "/api/v1",
    route_handlers=[
        list_sessions,
        end_session,
        end_other_sessions,
        second_factor,
        begin_totp,
        confirm_totp,
        remove_totp,
        remove_second_factors,
        make_recovery_codes,
        ask_reset,
        look_at_reset,
        use_reset,
    ],
    tags=["Account"],
)
