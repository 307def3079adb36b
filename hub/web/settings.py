"""The settings of an organisation."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, Router, get, patch
from litestar.datastructures import State
from litestar.params import FromPath, HeaderParameter, JSONBody

from hub.edge.guards import right, who_asks
from hub.rules.rights import SETTINGS, VIEW
from hub.rules.settings import Settings, SettingsPatch, version
from hub.web.document import also
from hub.web.parts import parts

Web = Request[Any, Any, State]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="The ETag that the settings were read with: changed if they are still the same",
        max_length=500,
    ),
]


@get("/settings", opt=right(VIEW, SETTINGS), summary="Read the settings")
async def read_settings(request: Web, org: FromPath[str]) -> Response[Settings]:
    """What the organisation has set, with what holds where nobody has set anything. ``ETag`` names
    this version of it."""
    hub, who = parts(request), who_asks(request)
    return _answer((await hub.settings.of(who.scope.organisation_id)).settings)


@patch("/settings", opt=right(SETTINGS) | also(412), summary="Change the settings")
async def change_settings(
    request: Web, org: FromPath[str], data: JSONBody[SettingsPatch], if_match: IfMatch = None
) -> Response[Settings]:
    """Replace the sections that are given; the others stay. In force at once. With ``If-Match``
    only if nobody has changed anything since that version was read: otherwise 412."""
    hub, who = parts(request), who_asks(request)
    expected = None if if_match is None or if_match.strip() == "*" else _tags(if_match)
    organisation = who.scope.organisation_id
    return _answer(await hub.settings.change(organisation, data, who.actor, expected))


def _tags(header: str) -> frozenset[str]:
    """The versions that ``If-Match`` names."""
    return frozenset(tag.strip().strip('"') for tag in header.split(","))


def _answer(settings: Settings) -> Response[Settings]:
    return Response(settings, headers={"ETag": f'"{version(settings)}"'})


router = Router(
    "/api/v1/organisations/{org:str}",
    route_handlers=[read_settings, change_settings],
    tags=["Settings"],
)
