"""Roles, members and tokens, changed: each in one transaction with its line in the audit.

Whatever is asked is looked at again under the lock of the organisation's row: whoever lost a right
meanwhile has lost it here too, so of two admins who remove each other one is faster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace
from sqlalchemy import Connection

from hub.flow.clock import Timer
from hub.flow.host import now_ms
from hub.flow.record.changes import Changes, write_journal
from hub.flow.writer import Transaction, Writer
from hub.rules import commands as c
from hub.rules.content import storable
from hub.rules.rights import (
    CAPABILITIES,
    KEPT,
    MEMBERS,
    SUPER_USER,
    Actor,
)
from hub.rules.roles import (
    EVERYTHING,
    LONGEST_LIFE,
    LONGEST_TOKEN_NAME,
    MOST_ROLES,
    MOST_TOKENS,
    Reach,
    check_capabilities,
    check_gives,
    check_kept,
    check_managed,
    check_name,
)
from hub.rules.states import Refusal
from hub.store import audit, clock, people, sign_in
from hub.store import roles as store
from hub.store.clock import Due
from hub.store.ids import Ids
from hub.store.people import Organisation
from hub.store.roles import Held, Role, Token

T = TypeVar("T")

PIECE = 200
"""Conversations that are returned in one transaction."""
LOOK_AGAIN = 30_000
"""Milliseconds after which it is looked once more: an assignment may have been on its way."""
NAMED = 5
"""Members who are named where a role is theirs."""


class Asker(Struct, frozen=True, kw_only=True):
    """Who asks, in which organisation. ``pass_hash``: of the session or token by which they do;
    ``None``: by a command on the hub's own machine, which may everything. ``user_id`` is ``None``
    where no member asks in person."""

    organisation: Organisation
    actor: Actor
    pass_hash: str | None = None
    user_id: int | None = None
    member_id: int | None = None


class RoleChange(Struct, frozen=True, kw_only=True):
    """What to change of a role."""

    name: str | UnsetType = UNSET
    capabilities: frozenset[str] | UnsetType = UNSET
    channels: frozenset[str] | UnsetType | None = UNSET


class Left(Struct, frozen=True, kw_only=True):
    """Whose conversations are to be returned, and who deactivated them."""

    member_id: int
    by_member_id: int | None
    actor: Actor
    last: bool = False


class Place:
    """An organisation under its lock, as it is now, and what is to be said of it."""

    def __init__(self, connection: Connection, organisation: Organisation, ids: Ids) -> None:
        self.connection = connection
        self.organisation = organisation
        self.id = organisation.id
        self._ids = ids
        self.at = now_ms()
        audit.lock(connection, self.id)
        self.roles = store.roles(connection, self.id)

    def role(self, role_id: int) -> Role:
        """One of its roles. Raises ``Refusal``."""
        if (role := self.roles.get(role_id)) is None:
            raise Refusal("no_role", "There is no such role.", kind="missing")
        return role

    def member(self, member_id: int) -> Held:
        """One of its members. Raises ``Refusal``."""
        if (held := store.member(self.connection, self.id, member_id)) is None:
            raise Refusal("no_member", "There is no such member.", kind="missing")
        return held

    def named(self, role_id: int) -> dict[str, str] | None:
        """A role, for the audit."""
        role = self.roles.get(role_id)
        return None if role is None else {"id": str(role.id), "name": role.name}

    def check_managed(
        self,
        *,
        role: Role | None = None,
        moved: tuple[Held, int] | None = None,
        merged: tuple[int, int] | None = None,
    ) -> None:
        """Somebody can still manage members when ``role`` is like this, or the member ``moved`` has
        another role (0: none), or everybody with the one role of ``merged`` has the other one.
        Raises ``Refusal``."""
        before = {one.id: one.capabilities for one in self.roles.values()}
        holders = store.holders(self.connection, self.id)
        then = Counter(holders)
        if moved is not None and moved[0].active:
            then[moved[0].role_id] -= 1
            then[moved[1]] += 1
        if merged is not None:
            then[merged[1]] += then.pop(merged[0], 0)
        after = before if role is None else {**before, role.id: role.capabilities}
        check_managed(before, holders, after, then, self.organisation.name)

    def audit(
        self, actor: Actor, action: str, object_: tuple[str, int], before: Any, after: Any
    ) -> None:
        """A line, and one in the journal, so that open pages follow."""
        changes = Changes()
        changes.announce("members.changed", self.id, self.at)
        changes.audited(
            self._ids.new(),
            self.id,
            self.at,
            actor=actor,
            action=action,
            object_=(object_[0], str(object_[1])),
            before=before,
            after=after,
        )
        write_journal(self.connection, changes)


class People:
    """Changes roles, members and tokens. Whatever may not be is a ``Refusal``."""

    def __init__(self, writer: Writer, ids: Ids) -> None:
        self._writer = writer
        self._ids = ids
        self.changed: Callable[[], None] = lambda: None
        """Called after a change of anybody's rights."""
        self.left = Timer(kind="member.left", payload=Left, fire=self._return)
        """Returns conversations of who was deactivated, piece by piece."""

    async def do(self, work: Callable[[Connection], T]) -> T:
        """Run ``work``, which refuses before it writes."""

        def attempt(connection: Connection) -> T | Refusal:
            try:
                return work(connection)
            except Refusal as refusal:
                return refusal

        done = await self._writer.execute(attempt)
        if isinstance(done, Refusal):
            raise done
        self.changed()
        return done

    def enter(
        self, connection: Connection, asker: Asker, needs: str | None = MEMBERS
    ) -> tuple[Place, Reach]:
        """The organisation, and what who asks may there now. Raises ``Refusal``."""
        place = Place(connection, asker.organisation, self._ids)
        if asker.pass_hash is None:
            return place, EVERYTHING
        found = people.watching(connection, place.id, [asker.pass_hash], place.at)
        held = found.get(asker.pass_hash)
        if held is None:
            raise Refusal("not_a_member", "You are no longer a member.", kind="missing")
        if needs is not None and needs not in held.capabilities:
            raise Refusal(
                needs,
                f"You no longer have the right {needs} ({CAPABILITIES[needs]}).",
                kind="right",
            )
        return place, Reach(held.capabilities, held.channels)

    # -------------------------------------------------------------- roles

    async def make_role(
        self,
        asker: Asker,
        name: str,
        capabilities: frozenset[str],
        channels: frozenset[str] | None,
    ) -> int:
        """A new role; its id."""

        def work(connection: Connection) -> int:
            place, own = self.enter(connection, asker)
            if len(place.roles) >= MOST_ROLES:
                raise Refusal("too_many_roles", f"There are {MOST_ROLES} roles, which is the most.")
            role = Role(
                id=self._ids.new(),
                name=check_name(storable(name), _names(place)),
                ready=None,
                capabilities=capabilities,
                channels=channels,
            )
            check_capabilities(capabilities)
            check_gives(own, None, _reach(role))
            store.write_role(connection, place.id, role, place.at)
            place.audit(asker.actor, "role.made", ("role", role.id), None, _shown(role))
            return role.id

        return await self.do(work)

    async def change_role(self, asker: Asker, role_id: int, wanted: RoleChange) -> None:
        """Another name, other capabilities, other channels."""

        def work(connection: Connection) -> None:
            place, own = self.enter(connection, asker)
            role = place.role(role_id)
            after = role
            if wanted.name is not UNSET:
                others = _names(place, but=role.id)
                after = replace(after, name=check_name(storable(wanted.name), others))
            if wanted.capabilities is not UNSET:
                check_capabilities(wanted.capabilities)
                after = replace(after, capabilities=wanted.capabilities)
            if wanted.channels is not UNSET:
                after = replace(after, channels=wanted.channels)
            if after == role:
                return
            check_kept(role.ready, _reach(after))
            check_gives(own, _reach(role), _reach(after))
            place.check_managed(role=after)
            store.write_role(connection, place.id, after, place.at)
            place.audit(asker.actor, "role.changed", ("role", role.id), _shown(role), _shown(after))

        await self.do(work)

    async def delete_role(self, asker: Asker, role_id: int, instead: int | None = None) -> None:
        """Take a role away. Who has it, had it, or is invited with it gets the role ``instead``;
        without that, nobody may have it."""

        def work(connection: Connection) -> None:
            place, own = self.enter(connection, asker)
            role = place.role(role_id)
            if role.ready in KEPT:
                raise Refusal(
                    "kept_role",
                    f"{role.name} is always there: it cannot be deleted.",
                    kind="conflict",
                )
            holding = [one for one in store.members(connection, place.id) if one.role_id == role.id]
            if instead is None:
                names = [one.name for one in holding if one.there]
                if names:
                    raise Refusal("role_in_use", _in_use(role.name, names), kind="conflict")
            else:
                other = _instead(place, role, instead)
                check_gives(own, None, _reach(other))
                place.check_managed(merged=(role.id, other.id))
                for held in holding:
                    self._give(place, asker.actor, held, other.id)
                sign_in.move_invitations(connection, place.id, role.id, other.id)
            store.delete_role(connection, place.id, role.id)
            place.audit(asker.actor, "role.deleted", ("role", role.id), _shown(role), None)

        await self.do(work)

    # -------------------------------------------------------------- members

    async def change_member(self, asker: Asker, member_id: int, role_id: int) -> None:
        """Give a member another role. With the role of Super Users they become one."""

        def work(connection: Connection) -> None:
            place, own = self.enter(connection, asker)
            held = place.member(member_id)
            if (role := place.roles.get(role_id)) is None:
                raise Refusal(
                    "no_role", "There is no such role.", fields={"role_id": "is no role's id"}
                )
            if held.role_id == role.id and held.super_user == (role.ready == SUPER_USER):
                return
            if held.super_user or role.ready == SUPER_USER:
                self._check_super(connection, asker)
            check_gives(own, None, _reach(role))
            place.check_managed(moved=(held, role.id))
            if role.ready == SUPER_USER:
                mine = _by_organisation(connection, asker)
                actors = {id_: one.actor for id_, one in mine.items()}
                self.promote(connection, held.user_id, asker.actor, actors)
            else:
                if held.super_user:
                    self._demote(connection, held, asker)
                self._give(place, asker.actor, held, role.id)

        await self.do(work)

    async def deactivate(self, asker: Asker, member_id: int) -> None:
        """End a member's access; their conversations are returned."""

        def work(connection: Connection) -> None:
            place, _ = self.enter(connection, asker)
            held = place.member(member_id)
            if not held.there:
                return
            if held.super_user:
                raise Refusal(
                    "super_user",
                    f"{held.name} is a Super User. A Super User has to give them another role "
                    "first.",
                    kind="conflict",
                )
            place.check_managed(moved=(held, 0))
            self._deactivate(place, asker, held)

        await self.do(work)

    async def reactivate(self, asker: Asker, member_id: int) -> None:
        """Let a member in again, with the role they had. Their tokens do not come back."""

        def work(connection: Connection) -> None:
            place, own = self.enter(connection, asker)
            held = place.member(member_id)
            if held.there:
                return
            role = place.roles.get(held.role_id)
            if role is None:
                raise Refusal(
                    "role_gone",
                    f"The role {held.name} had was deleted. Give them another one first.",
                    kind="conflict",
                )
            if role.ready == SUPER_USER:
                self._check_super(connection, asker)
            check_gives(own, None, _reach(role))
            store.change_member(connection, held, deactivated_at=None)
            clock.cancel(connection, place.id, self.left.kind, str(held.id))
            place.audit(
                asker.actor,
                "member.reactivated",
                ("member", held.id),
                {"state": "inactive"},
                {"state": "active", "role": place.named(held.role_id)},
            )

        await self.do(work)

    def _give(self, place: Place, actor: Actor, held: Held, role_id: int) -> None:
        store.change_member(place.connection, held, role_id=role_id)
        before, after = place.named(held.role_id), place.named(role_id)
        place.audit(actor, "member.changed", ("member", held.id), {"role": before}, {"role": after})

    def _deactivate(self, place: Place, asker: Asker, held: Held) -> None:
        store.change_member(place.connection, held, deactivated_at=place.at, available=False)
        store.revoke_tokens(place.connection, place.id, held.id, place.at)
        left = Left(member_id=held.id, by_member_id=asker.member_id, actor=asker.actor)
        self.left.put(place.connection, place.id, str(held.id), place.at, left)
        place.audit(
            asker.actor,
            "member.deactivated",
            ("member", held.id),
            {"state": "active", "role": place.named(held.role_id)},
            {"state": "inactive"},
        )

    def _return(self, transaction: Transaction, due: Due, left: Left) -> None:
        """Some of a member's conversations to nobody; the rest in further transactions."""
        connection, org = transaction.connection, due.organisation_id
        held = store.member(connection, org, left.member_id)
        if held is None or held.there:
            return
        now = now_ms()
        threads = store.assigned_to(connection, org, left.member_id, PIECE)
        transaction.record(
            [
                c.ChangeThread(
                    organisation_id=org,
                    at=now,
                    entry_ids=(self._ids.new(), self._ids.new(), self._ids.new()),
                    thread_id=thread,
                    by_member_id=left.by_member_id,
                    actor=left.actor,
                    assign=True,
                    assigned_to=left.member_id,
                )
                for thread in threads
            ]
        )
        if len(threads) == PIECE:
            self.left.put(connection, org, due.key, now, left)
        elif not left.last:
            self.left.put(connection, org, due.key, now + LOOK_AGAIN, replace(left, last=True))

    # -------------------------------------------------------------- Super Users

    def _check_super(self, connection: Connection, asker: Asker) -> None:
        """Only a Super User in person, or the machine's operator, makes or unmakes one."""
        if asker.pass_hash is None:
            return
        mine = store.memberships_of(connection, asker.user_id or 0)
        if not (mine and mine[0].super_user):
            raise Refusal(
                "super_user", "Only a Super User makes or unmakes a Super User.", kind="right"
            )

    def promote(
        self,
        connection: Connection,
        user_id: int,
        actor: Actor,
        actors: Mapping[int, Actor] = MappingProxyType({}),
    ) -> None:
        """Make a user a Super User: a member of every organisation, with its role of theirs.
        ``actors``: who did it, in organisations where that is another member."""
        store.set_super_user(connection, user_id, is_one=True)
        for organisation in people.organisations(connection):
            by = actors.get(organisation.id, actor)
            self.ensure_super_users(connection, organisation, [user_id], by)

    def ensure_super_users(
        self,
        connection: Connection,
        organisation: Organisation,
        user_ids: Sequence[int],
        actor: Actor,
    ) -> None:
        """They are there, with the role that is theirs."""
        place = Place(connection, organisation, self._ids)
        for user_id in user_ids:
            self._ensure_super_user(place, user_id, actor)

    def _ensure_super_user(self, place: Place, user_id: int, actor: Actor) -> None:
        role = next(one for one in place.roles.values() if one.ready == SUPER_USER)
        held = next(
            (
                one
                for one in store.memberships_of(place.connection, user_id)
                if one.organisation_id == place.id
            ),
            None,
        )
        if held is None:
            id_ = self._ids.new()
            store.add_member(place.connection, id_, place.id, user_id, role.id, place.at)
            after = {"role": place.named(role.id)}
            place.audit(actor, "member.added", ("member", id_), None, after)
            return
        if held.role_id != role.id:
            self._give(place, actor, held, role.id)
        if not held.there:
            store.change_member(place.connection, held, deactivated_at=None)
            clock.cancel(place.connection, place.id, self.left.kind, str(held.id))
            place.audit(
                actor,
                "member.reactivated",
                ("member", held.id),
                {"state": "inactive"},
                {"state": "active"},
            )

    def _demote(self, connection: Connection, held: Held, asker: Asker) -> None:
        """They leave the other organisations, where they were nothing else."""
        mine = _by_organisation(connection, asker)
        organisations = {one.id: one for one in people.organisations(connection)}
        others = [
            (Place(connection, organisations[one.organisation_id], self._ids), one)
            for one in store.memberships_of(connection, held.user_id)
            if one.organisation_id != held.organisation_id and one.there
        ]
        leaving = [
            (place, one)
            for place, one in others
            if (role := place.roles.get(one.role_id)) is not None and role.ready == SUPER_USER
        ]
        for place, one in leaving:
            place.check_managed(moved=(one, 0))
        store.set_super_user(connection, held.user_id, is_one=False)
        for place, one in leaving:
            self._deactivate(place, mine.get(place.id, asker), one)

    # -------------------------------------------------------------- tokens

    async def make_token(
        self,
        asker: Asker,
        member_id: int,
        *,
        name: str,
        capabilities: frozenset[str],
        expires_at: int | None,
        hashed: str,
    ) -> Token:
        """A token of a member's, known by the hash ``hashed``."""

        def work(connection: Connection) -> Token:
            place, own = self.enter(connection, asker, None)
            held = place.member(member_id)
            role = place.roles.get(held.role_id)
            check_capabilities(capabilities)
            _check_token(capabilities, expires_at, place.at)
            if role is None or not held.active:
                raise Refusal("inactive_member", f"{held.name} is no longer active.")
            check_gives(own, None, Reach(capabilities, frozenset()))
            check_gives(_reach(role), None, Reach(capabilities, role.channels))
            if len(store.tokens(connection, place.id, member_id)) >= MOST_TOKENS:
                raise Refusal(
                    "too_many_tokens",
                    f"There are {MOST_TOKENS} tokens, which is the most a member has. Revoke one "
                    "that is not needed.",
                    kind="conflict",
                )
            token = Token(
                id=self._ids.new(),
                member_id=held.id,
                member_name=held.name,
                name=check_name(storable(name), {}, longest=LONGEST_TOKEN_NAME),
                capabilities=capabilities,
                created_at=place.at,
                expires_at=expires_at,
                last_used_at=None,
            )
            store.add_token(connection, place.id, token, hashed)
            place.audit(asker.actor, "token.made", ("token", token.id), None, _shown_token(token))
            return token

        return await self.do(work)

    async def revoke_token(self, asker: Asker, token_id: int, *, only: int | None = None) -> None:
        """End a token: one's own, or, with the right to manage members, anybody's. ``only``: a
        token that may end itself alone."""

        def work(connection: Connection) -> None:
            place, own = self.enter(connection, asker, None)
            everybody = MEMBERS in own.capabilities
            found = store.tokens(connection, place.id, None if everybody else asker.member_id)
            token = next((one for one in found if one.id == token_id), None)
            if token is None or not (everybody or only in (None, token.id)):
                raise Refusal("no_token", "There is no such token.", kind="missing")
            store.revoke_token(connection, place.id, token.id, place.at)
            place.audit(
                asker.actor, "token.revoked", ("token", token.id), _shown_token(token), None
            )

        await self.do(work)


def _by_organisation(connection: Connection, asker: Asker) -> dict[int, Asker]:
    """Who asks, as the member they are in each organisation."""
    if asker.user_id is None:
        return {}
    return {
        one.organisation_id: replace(
            asker,
            member_id=one.id,
            actor=replace(asker.actor, id=one.id) if asker.actor.kind == "member" else asker.actor,
        )
        for one in store.memberships_of(connection, asker.user_id)
    }


def _instead(place: Place, role: Role, instead: int) -> Role:
    """The role that those with ``role`` get. Raises ``Refusal``."""
    other = place.roles.get(instead)
    if other is None or other.id == role.id:
        raise Refusal(
            "no_role",
            "There is no such other role.",
            fields={"instead": "is no other role's id"},
        )
    if other.ready == SUPER_USER:
        raise Refusal(
            "super_user",
            "Super Users are made one by one, by a Super User.",
            fields={"instead": "cannot be given to many at once"},
        )
    return other


def _names(place: Place, but: int | None = None) -> dict[str, str]:
    return {one.name.casefold(): one.name for one in place.roles.values() if one.id != but}


def _reach(role: Role) -> Reach:
    return Reach(role.capabilities, role.channels)


def _shown(role: Role) -> dict[str, Any]:
    return {
        "name": role.name,
        "capabilities": sorted(role.capabilities),
        "channels": None if role.channels is None else sorted(role.channels),  # and numbers
    }


def _shown_token(token: Token) -> dict[str, Any]:
    return {
        "name": token.name,
        "member": str(token.member_id),
        "capabilities": sorted(token.capabilities),
        "expires_at": token.expires_at,
    }


def _in_use(role: str, names: list[str]) -> str:
    more = len(names) - NAMED
    who = ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{role} is the role of {who}. Give them another one first."


def _check_token(capabilities: frozenset[str], expires_at: int | None, now: int) -> None:
    if not capabilities:
        detail = "Choose at least one thing that the token may do."
        raise Refusal("no_capability", detail, fields={"capabilities": detail})
    if expires_at is not None and expires_at <= now:
        detail = "It would have expired already."
        raise Refusal("bad_expiry", detail, fields={"expires_at": detail})
    if expires_at is not None and expires_at > now + LONGEST_LIFE:
        detail = "A token that expires does so within ten years."
        raise Refusal("bad_expiry", detail, fields={"expires_at": detail})
