"""An organisation's members, their roles, and their tokens."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Router, delete, get, patch, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT
from msgspec import UNSET, UnsetType

from hub.edge.guards import IN_PERSON, SIGNED_IN, Who, right, who_asks
from hub.edge.problems import ProblemError, not_found
from hub.edge.sessions import token_hash
from hub.edge.tokens import new_token
from hub.flow import availability
from hub.flow.availability import Wish
from hub.flow.host import PluginFault
from hub.flow.people import Asker, RoleChange
from hub.flow.views import shapes
from hub.flow.views.present import when
from hub.plugin import BadAddress, HookError
from hub.rules.content import storable
from hub.rules.rights import KEPT, MEMBERS, VIEW
from hub.rules.sight import number, sight
from hub.store import roles as store
from hub.store.ids import parse
from hub.store.roles import Held, Role, Token
from hub.web.parts import parts

Web = Request[Any, Any, State]
MOST_CHANNELS = 1000
LONGEST_ADDRESS = 320


# ---------------------------------------------------------------------- roles


@get("/roles", opt=right(MEMBERS), summary="List roles")
async def list_roles(request: Web, org: FromPath[str]) -> list[shapes.RoleOut]:
    """The roles, the oldest first, and how many members have each."""
    hub, id_ = parts(request), who_asks(request).scope.organisation_id
    roles, holders = await hub.database.read(
        lambda connection: (store.roles(connection, id_), store.holders(connection, id_))
    )
    return [_role(role, holders[role.id]) for role in roles.values()]


@post("/roles", opt=right(MEMBERS), summary="Make a role")
async def make_role(
    request: Web, org: FromPath[str], data: JSONBody[shapes.MakeRole]
) -> shapes.RoleOut:
    """A role may do what whoever makes it may do, at the most."""
    who = who_asks(request)
    id_ = await parts(request).people.make_role(
        asker_of(who),
        data.name,
        frozenset(data.capabilities),
        _places(request, who, data.channels, data.own_addresses, frozenset()),
    )
    return await _role_now(request, id_)


@patch("/roles/{role_id:str}", opt=right(MEMBERS), summary="Change a role")
async def change_role(
    request: Web, org: FromPath[str], role_id: FromPath[str], data: JSONBody[shapes.RolePatch]
) -> shapes.RoleOut:
    """Change what is given; the rest stays. It holds at once, for everybody who has the role."""
    who, id_ = who_asks(request), parse(role_id) or 0
    channels: frozenset[str] | UnsetType | None = UNSET
    if data.channels is not UNSET or data.own_addresses is not UNSET:
        known = await _roles(request)
        before = known[id_].channels if id_ in known else None
        whole = whole_channels(before) if data.channels is UNSET else data.channels
        numbers = [] if whole is None else single_numbers(before)
        numbers = numbers if data.own_addresses is UNSET else data.own_addresses
        channels = _places(request, who, whole, numbers, before or frozenset())
    wanted = RoleChange(
        name=data.name,
        capabilities=UNSET if data.capabilities is UNSET else frozenset(data.capabilities),
        channels=channels,
    )
    await parts(request).people.change_role(asker_of(who), id_, wanted)
    return await _role_now(request, id_)


@delete("/roles/{role_id:str}", opt=right(MEMBERS), summary="Delete a role")
async def delete_role(
    request: Web,
    org: FromPath[str],
    role_id: FromPath[str],
    instead: Annotated[
        str | None, QueryParameter(description="The role that its members get")
    ] = None,
) -> None:
    """A role that no member has; or, with ``instead``, whoever has it or is invited with it gets
    that one. ``Admin`` and ``Super User`` stay."""
    await parts(request).people.delete_role(
        asker_of(who_asks(request)),
        parse(role_id) or 0,
        None if instead is None else parse(instead) or 0,
    )


async def _roles(request: Web) -> dict[int, Role]:
    id_ = who_asks(request).scope.organisation_id
    return await parts(request).database.read(lambda connection: store.roles(connection, id_))


async def _role_now(request: Web, role_id: int) -> shapes.RoleOut:
    id_ = who_asks(request).scope.organisation_id
    roles, holders = await parts(request).database.read(
        lambda connection: (store.roles(connection, id_), store.holders(connection, id_))
    )
    if role_id not in roles:
        raise not_found("role")
    return _role(roles[role_id], holders[role_id])


def _places(
    request: Web,
    who: Who,
    wanted: list[str] | None,
    numbers: list[shapes.OwnAddress],
    before: frozenset[str],
) -> frozenset[str] | None:
    """Channels and numbers there are, or that were there already, as of ``hub.rules.sight``. Raises
    ``ProblemError``."""
    if wanted is None and numbers:
        detail = (
            "A role that sees every channel sees every number. Give channels as a list, empty if "
            "it sees none of them whole."
        )
        raise _no_place("own_addresses", detail, "no_number")
    if wanted is None:
        return None
    if len(numbers) > MOST_CHANNELS:
        raise _no_place("own_addresses", "That are too many.", "no_number")
    return _channels(request, who, wanted, before) | {
        _number(request, who, one, before) for one in numbers
    }


def _number(request: Web, who: Who, wanted: shapes.OwnAddress, before: frozenset[str]) -> str:
    """A number as it is kept: the channel's own, or in the form that the channel gives it."""
    as_given = number(wanted.channel_id, storable(wanted.address).strip())
    if as_given in before:
        return as_given
    org = who.scope.organisation_id
    channel = parts(request).channels.get(org, wanted.channel_id)
    if channel is None or not who.scope.sees(channel.id):
        detail = f'There is no channel "{wanted.channel_id[:80]}" here.'
        raise _no_place("own_addresses", detail, "no_channel")
    address = storable(wanted.address).strip()
    try:
        own = {one.value for one in channel.own_addresses()}
        if address not in own and channel.has("normalise_address"):
            address = channel.normalise(address).value
    except BadAddress as error:
        detail = error.detail or f'"{address[:80]}" is no address.'
        raise _no_place("own_addresses", detail, "bad_address") from None
    except (HookError, PluginFault) as error:
        raise _no_place(
            "own_addresses", f"{channel.name} failed: {error}", "channel_failed"
        ) from None
    if not address or len(address) > LONGEST_ADDRESS:
        raise _no_place("own_addresses", "Give an address of the channel's.", "bad_address")
    if not who.scope.sees_at(channel.id, address):
        raise _no_place("own_addresses", f"{channel.name} has no such address here.", "no_number")
    return number(channel.id, address)


def _no_place(field: str, detail: str, code: str) -> ProblemError:
    errors = [shapes.FieldError(field=field, message=detail)]
    return ProblemError(422, detail, code=code, errors=errors)


def whole_channels(places: frozenset[str] | None) -> list[str] | None:
    """Of what somebody sees, the channels that they see whole; ``None``: all of them."""
    return None if places is None else sorted(sight(places).whole)


def single_numbers(places: frozenset[str] | None) -> list[shapes.OwnAddress]:
    """And the numbers that they see of other channels."""
    pairs = [one.partition(" ") for one in sorted(sight(places or frozenset[str]()).numbers)]
    return [shapes.OwnAddress(channel_id=id_, address=address) for id_, _, address in pairs]


def _channels(request: Web, who: Who, wanted: list[str], before: frozenset[str]) -> frozenset[str]:
    """Channels there are, or that were there already. Raises ``ProblemError``."""
    channels = parts(request).channels
    id_ = who.scope.organisation_id
    known = {one.id for one in (*channels.of(id_), *channels.failed_of(id_))}
    unknown = sorted(
        name
        for name in wanted
        if name not in before and (name not in known or not who.scope.sees_whole(name))
    )
    if unknown or len(wanted) > MOST_CHANNELS:
        detail = (
            f'There is no channel "{unknown[0][:80]}" here.' if unknown else "That are too many."
        )
        raise _no_place("channels", detail, "no_channel")
    return frozenset(wanted)


def _role(role: Role, members: int) -> shapes.RoleOut:
    return shapes.RoleOut(
        id=str(role.id),
        name=role.name,
        ready=role.ready,
        capabilities=sorted(role.capabilities),
        channels=whole_channels(role.channels),
        own_addresses=single_numbers(role.channels),
        members=members,
        deletable=role.ready not in KEPT,
    )


# ---------------------------------------------------------------------- members


@get("/members", opt=right(VIEW, MEMBERS), summary="List members")
async def list_members(request: Web, org: FromPath[str]) -> list[shapes.MemberListed]:
    """Everybody who is or was a member, by name."""
    who = who_asks(request)
    id_, manages = who.scope.organisation_id, MEMBERS in who.member.capabilities
    members, roles = await parts(request).database.read(
        lambda connection: (store.members(connection, id_), store.roles(connection, id_))
    )
    return [_member(one, roles, whole=manages) for one in members]


@patch("/members/{member_id:str}", opt=right(MEMBERS), summary="Change a member")
async def change_member(
    request: Web, org: FromPath[str], member_id: FromPath[str], data: JSONBody[shapes.MemberPatch]
) -> shapes.MemberListed:
    """Give them another role, or say whether they are available. Only a Super User makes or unmakes
    a Super User: somebody with that role is one in every organisation, and leaves the others with
    it."""
    id_ = parse(member_id) or 0
    if data.role_id is not UNSET:
        await parts(request).people.change_member(
            asker_of(who_asks(request)), id_, parse(data.role_id) or 0
        )
    if data.available is not UNSET:
        hub, who = parts(request), who_asks(request)
        org_id, by = who.scope.organisation_id, who.member.member_id
        wish = Wish(available=data.available)
        await availability.choose(hub.writer, hub.ids, org_id, id_, wish, by, who.actor)
    return await _member_now(request, id_)


@post(
    "/members/{member_id:str}/deactivate",
    opt=right(MEMBERS),
    status_code=HTTP_200_OK,
    summary="Deactivate a member",
)
async def deactivate_member(
    request: Web, org: FromPath[str], member_id: FromPath[str]
) -> shapes.MemberListed:
    """End their access at once, also by their tokens; their conversations are unassigned, and their
    name stays with what they wrote."""
    hub, id_ = parts(request), parse(member_id) or 0
    asker = asker_of(who_asks(request))
    await hub.people.deactivate(asker, id_)
    hub.machinery.clock.wake()
    return await _member_now(request, id_)


@post(
    "/members/{member_id:str}/reactivate",
    opt=right(MEMBERS),
    status_code=HTTP_200_OK,
    summary="Reactivate a member",
)
async def reactivate_member(
    request: Web, org: FromPath[str], member_id: FromPath[str]
) -> shapes.MemberListed:
    """Let them in again, with the role they had. Their tokens stay revoked."""
    id_ = parse(member_id) or 0
    await parts(request).people.reactivate(asker_of(who_asks(request)), id_)
    return await _member_now(request, id_)


async def _member_now(request: Web, member_id: int) -> shapes.MemberListed:
    id_ = who_asks(request).scope.organisation_id
    held, roles = await parts(request).database.read(
        lambda connection: (
            store.member(connection, id_, member_id),
            store.roles(connection, id_),
        )
    )
    if held is None:
        raise not_found("member")
    return _member(held, roles, whole=True)


def _member(held: Held, roles: dict[int, Role], *, whole: bool) -> shapes.MemberListed:
    role = roles.get(held.role_id)
    return shapes.MemberListed(
        id=str(held.id),
        name=held.name,
        email=held.email,
        active=held.active,
        role=None if role is None else shapes.RoleNamed(id=str(role.id), name=role.name),
        super_user=held.super_user,
        second_factor=held.second_factor if whole else None,
        last_seen_at=(when(held.last_seen_at) if whole and held.last_seen_at is not None else None),
        available=held.available,
        available_since=None if held.available_at is None else when(held.available_at),
    )


# ---------------------------------------------------------------------- tokens


@get("/tokens", opt=right(SIGNED_IN), summary="List tokens")
async def list_tokens(request: Web, org: FromPath[str]) -> list[shapes.TokenOut]:
    """One's own tokens; with the right to manage members, everybody's. A token without it is shown
    itself alone."""
    who = who_asks(request)
    everybody = MEMBERS in who.member.capabilities
    rows = await parts(request).database.read(
        lambda connection: store.tokens(
            connection, who.scope.organisation_id, None if everybody else who.member.member_id
        )
    )
    return [
        shapes.TokenOut(**_token(row))
        for row in rows
        if everybody or who.token_id in (None, row.id)
    ]


@post("/tokens", opt=right(IN_PERSON), summary="Make a token")
async def make_token(
    request: Web, org: FromPath[str], data: JSONBody[shapes.MakeToken]
) -> shapes.TokenMade:
    """A token of one's own, with some of what one may do. It is shown this once."""
    who, token = who_asks(request), new_token()
    made = await parts(request).people.make_token(
        asker_of(who),
        who.member.member_id,
        name=data.name,
        capabilities=frozenset(data.capabilities),
        expires_at=None if data.expires_at is None else int(data.expires_at.timestamp() * 1000),
        hashed=token_hash(token),
    )
    return shapes.TokenMade(**_token(made), token=token)


@delete(
    "/tokens/{token_id:str}",
    opt=right(SIGNED_IN),
    status_code=HTTP_204_NO_CONTENT,
    summary="Revoke a token",
)
async def revoke_token(request: Web, org: FromPath[str], token_id: FromPath[str]) -> None:
    """End a token of one's own or, with the right to manage members, anybody's."""
    who = who_asks(request)
    await parts(request).people.revoke_token(asker_of(who), parse(token_id) or 0, only=who.token_id)


def _token(row: Token) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "name": row.name,
        "member_id": str(row.member_id),
        "member_name": row.member_name,
        "capabilities": sorted(row.capabilities),
        "created_at": when(row.created_at),
        "expires_at": None if row.expires_at is None else when(row.expires_at),
        "last_used_at": None if row.last_used_at is None else when(row.last_used_at),
    }


def asker_of(who: Who) -> Asker:
    """Who asks, to those who change people."""
    return Asker(
        organisation=who.member.organisation,
        actor=who.actor,
        pass_hash=who.pass_hash,
        user_id=None if who.session is None else who.user.id,
        member_id=who.member.member_id,
    )


router = Router(
    "/api/v1/organisations/{org:str}",
    route_handlers=[
        list_members,
        change_member,
        deactivate_member,
        reactivate_member,
        list_roles,
        make_role,
        change_role,
        delete_role,
        list_tokens,
        make_token,
        revoke_token,
    ],
    tags=["People"],
)
