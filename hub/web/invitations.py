"""Inviting somebody, accepting, and helping a member who cannot sign in."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT

from hub.edge.cookies import browser_of, signed_in
from hub.edge.guards import IN_PERSON, PUBLIC, remote_of, right, who_asks
from hub.edge.problems import ProblemError
from hub.edge.sessions import SignedIn, hash_password
from hub.flow.accounts import Invited
from hub.flow.host import now_ms
from hub.flow.views import accounts as shapes
from hub.flow.views.present import when
from hub.flow.views.shapes import Me
from hub.rules.rights import MEMBERS
from hub.rules.sign_in import check_password
from hub.store import roles
from hub.store import sign_in as store
from hub.store.ids import parse
from hub.web.account import limit_links
from hub.web.parts import parts
from hub.web.people import asker_of
from hub.web.session import me_of

Web = Request[Any, Any, State]


@get("/members/invitations", opt=right(MEMBERS), summary="List invitations")
async def list_invitations(request: Web, org: FromPath[str]) -> list[shapes.InvitationOut]:
    """Those that nobody has accepted yet, the newest first."""
    id_ = who_asks(request).scope.organisation_id
    found, known = await parts(request).database.read(
        lambda connection: (store.invitations(connection, id_), roles.roles(connection, id_))
    )
    return [shapes.InvitationOut(**_shown(one, known)) for one in found]


@post("/members/invitations", opt=right(MEMBERS), summary="Invite somebody")
async def invite(
    request: Web, org: FromPath[str], data: JSONBody[shapes.Invite]
) -> shapes.InvitationMade:
    """A link is mailed with which they become a member, once, within seven days. Where no mail
    server is configured the answer has the link, to be handed over."""
    who = who_asks(request)
    invited = await parts(request).accounts.invite(
        asker_of(who), data.email, data.name, parse(data.role_id) or 0
    )
    return await _made(request, invited)


@post(
    "/members/invitations/{invitation_id:str}/send",
    opt=right(MEMBERS),
    status_code=HTTP_200_OK,
    summary="Send an invitation again",
)
async def send_invitation(
    request: Web, org: FromPath[str], invitation_id: FromPath[str]
) -> shapes.InvitationMade:
    """A new link, for another seven days; the old one works no more."""
    invited = await parts(request).accounts.invite_again(
        asker_of(who_asks(request)), parse(invitation_id) or 0
    )
    return await _made(request, invited)


@delete(
    "/members/invitations/{invitation_id:str}",
    opt=right(MEMBERS),
    status_code=HTTP_204_NO_CONTENT,
    summary="Revoke an invitation",
)
async def revoke_invitation(request: Web, org: FromPath[str], invitation_id: FromPath[str]) -> None:
    """Its link works no more."""
    await parts(request).accounts.revoke_invitation(
        asker_of(who_asks(request)), parse(invitation_id) or 0
    )


@post(
    "/members/{member_id:str}/password-reset",
    opt=right(MEMBERS),
    status_code=HTTP_200_OK,
    summary="Make a link to reset a member's password",
)
async def reset_password(
    request: Web, org: FromPath[str], member_id: FromPath[str]
) -> shapes.LinkMade:
    """It is mailed to them, and works once, for an hour. Where no mail server is configured the
    answer has it, to be handed over, if who asks may all that the member may, wherever they
    may."""
    hub = parts(request)
    sent = await hub.accounts.reset_member(asker_of(who_asks(request)), parse(member_id) or 0)
    hub.machinery.notices.wake()
    return shapes.LinkMade(
        mailed=sent.link is None, link=sent.link, expires_at=when(sent.expires_at)
    )


@post(
    "/members/{member_id:str}/second-factor/reset",
    opt=right(MEMBERS),
    status_code=HTTP_204_NO_CONTENT,
    summary="Take away a member's second factor",
)
async def reset_second_factor(request: Web, org: FromPath[str], member_id: FromPath[str]) -> None:
    """For who has lost theirs: their password alone signs them in then. They are signed out
    everywhere and told by mail."""
    hub = parts(request)
    await hub.accounts.reset_second_factor(asker_of(who_asks(request)), parse(member_id) or 0)
    hub.machinery.notices.wake()


# ---------------------------------------------------------------------- accepting


@post(
    "/invitations/look",
    opt=right(PUBLIC),
    status_code=HTTP_200_OK,
    summary="Look at an invitation",
)
async def look_at_invitation(
    request: Web, data: JSONBody[shapes.LinkGiven]
) -> shapes.InvitationOffered:
    """What its link offers."""
    await limit_links(request)
    hub = parts(request)
    offer = await hub.database.read(lambda connection: hub.accounts.offer(connection, data.token))
    return shapes.InvitationOffered(
        organisation=offer.organisation,
        email=offer.email,
        name=offer.name,
        expires_at=when(offer.expires_at),
        known=offer.known,
    )


@post(
    "/invitations/accept",
    opt=right(PUBLIC),
    status_code=HTTP_200_OK,
    summary="Accept an invitation as a new user",
)
async def accept(request: Web, data: JSONBody[shapes.InvitationAccepted]) -> Response[Me]:
    """Become a user and a member, and be signed in."""
    hub = parts(request)
    check_password(data.password, "password", data.name)
    await limit_links(request)
    password = await asyncio.to_thread(hash_password, data.password)
    browser = browser_of(request)
    user = await hub.accounts.accept_new(data.token, data.name, password, browser.remote)
    signed = await hub.sessions.proven(user, browser, "invitation")
    if not isinstance(signed, SignedIn):
        raise ProblemError(409, "You are a member now. Sign in to go on.", code="sign_in")
    return Response(
        await me_of(hub, user, None, signed.csrf_token),
        cookies=signed_in(signed, hub.public_url),
    )


@post(
    "/invitations/join",
    opt=right(IN_PERSON),
    status_code=HTTP_204_NO_CONTENT,
    summary="Accept an invitation as who is signed in",
)
async def join(request: Web, data: JSONBody[shapes.LinkGiven]) -> None:
    """For who has the email that was invited."""
    await limit_links(request)
    who = who_asks(request)
    await parts(request).accounts.accept(data.token, who.user, remote_of(request))


async def _made(request: Web, invited: Invited) -> shapes.InvitationMade:
    hub = parts(request)
    hub.machinery.notices.wake()
    id_ = who_asks(request).scope.organisation_id
    known = await hub.database.read(lambda connection: roles.roles(connection, id_))
    link = invited.sent.link
    return shapes.InvitationMade(
        **_shown(invited.invitation, known), mailed=link is None, link=link
    )


def _shown(one: store.Invitation, known: dict[int, roles.Role]) -> dict[str, Any]:
    role = known.get(one.role_id)
    return {
        "id": str(one.id),
        "email": one.email,
        "name": one.name,
        "role": None if role is None else role.name,
        "created_at": when(one.created_at),
        "expires_at": when(one.expires_at),
        "expired": one.expires_at <= now_ms(),
    }


router = Router(
    "/api/v1/organisations/{org:str}",
    route_handlers=[
        list_invitations,
        invite,
        send_invitation,
        revoke_invitation,
        reset_password,
        reset_second_factor,
    ],
    tags=["People"],
)
links = Router("/api/v1", route_handlers=[look_at_invitation, accept, join], tags=["Account"])
