"""What a member has chosen for themselves in an organisation."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router, get, patch
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from hub.edge.guards import right, who_asks
from hub.flow import availability
from hub.flow.availability import Wish
from hub.flow.views import shapes
from hub.flow.views.present import when
from hub.rules import alerts
from hub.rules.rights import VIEW
from hub.store import members
from hub.web.parts import parts

Web = Request[Any, Any, State]


@get("/membership", opt=right(VIEW), summary="Read one's own choices")
async def read_membership(request: Web, org: FromPath[str]) -> shapes.OwnMembership:
    """Whether conversations may be assigned to one by themselves, whether one gets a mail of what
    is assigned to one, what stands below one's letters, and what one is alerted of."""
    return await _choices(request)


async def _choices(request: Web) -> shapes.OwnMembership:
    hub, id_ = parts(request), who_asks(request).member.member_id
    found = await hub.database.read(lambda connection: members.choice_of(connection, id_))
    return shapes.OwnMembership(
        available=found.available,
        available_since=None if found.available_at is None else when(found.available_at),
        assignment_mail=found.assignment_mail,
        mails=hub.accounts.mails,
        signature=found.signature,
        alerts=alerts.decode(found.alerts),
    )


@patch("/membership", opt=right(VIEW), summary="Change one's own choices")
async def change_membership(
    request: Web, org: FromPath[str], data: JSONBody[shapes.OwnMembershipPatch]
) -> shapes.OwnMembership:
    """Change what is given; the rest stays."""
    hub, who = parts(request), who_asks(request)
    wish = Wish(
        available=data.available,
        assignment_mail=data.assignment_mail,
        signature=data.signature,
        alerts=data.alerts,
    )
    id_ = who.member.member_id
    await availability.choose(
        hub.writer, hub.ids, who.scope.organisation_id, id_, wish, id_, who.actor
    )
    return await _choices(request)


router = Router(
    "/api/v1/organisations/{org:str}",
    route_handlers=[read_membership, change_membership],
    tags=["People"],
)
