"""Becoming a member by invitation, and links to reset a password: each in one transaction with its
line in the audit and, where a mail server is set, its mail.

A link carries its token behind ``#``: what stands there no browser sends, so it is in nobody's log.
Where no mail can be sent the link is given to who asked, to hand it over; of a password it is given
only to somebody who could as well have made themselves what its owner is.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from hub.flow.host import now_ms
from hub.flow.people import Asker, People, Place
from hub.flow.record.changes import Changes, write_journal
from hub.flow.writer import Writer
from hub.rules.content import storable
from hub.rules.rights import MEMBERS, SUPER_USER, Actor
from hub.rules.roles import EVERYTHING, Reach, check_gives
from hub.rules.sign_in import (
    INVITATIONS_A_DAY,
    INVITED_FOR,
    LONGEST_NAME,
    MOST_INVITATIONS,
    RESET_FOR,
    check_email,
    check_name,
)
from hub.rules.states import Refusal
from hub.store import notices, people, roles
from hub.store import sign_in as store
from hub.store.ids import Ids
from hub.store.sign_in import Invitation, Person

T = TypeVar("T")

NOBODY = 0
"""No user's id."""


class Sent(Struct, frozen=True, kw_only=True):
    """A link. ``link`` is ``None`` where it was mailed: then it is nobody else's to see."""

    link: str | None
    expires_at: int


class Invited(Struct, frozen=True, kw_only=True):
    """Who was invited, and the link."""

    invitation: Invitation
    sent: Sent


class Offer(Struct, frozen=True, kw_only=True):
    """What an invitation's link offers. ``known``: somebody has this email, who signs in."""

    organisation: str
    email: str
    name: str | None
    expires_at: int
    known: bool


class Accounts:
    """Invites, and resets. Whatever may not be is a ``Refusal``. ``mails``: a mail server is
    configured."""

    def __init__(
        self, writer: Writer, ids: Ids, members: People, *, public_url: str, mails: bool
    ) -> None:
        self._writer = writer
        self._ids = ids
        self._members = members
        self._public_url = public_url
        self.mails = mails

    # -------------------------------------------------------------- invitations

    async def invite(self, asker: Asker, email: str, name: str | None, role_id: int) -> Invited:
        """Let somebody become a member with a role."""
        address = check_email(storable(email))
        tidy = check_name(storable(name)) if name and name.strip() else None
        token = secrets.token_urlsafe(32)

        def work(connection: Connection) -> Invited:
            place, own = self._members.enter(connection, asker)
            role = place.roles.get(role_id)
            if role is None:
                raise Refusal(
                    "no_role", "There is no such role.", fields={"role_id": "is no role's id"}
                )
            if role.ready == SUPER_USER:
                raise Refusal(
                    "super_user",
                    "Nobody is invited as a Super User: invite them with another role, and let a "
                    "Super User give them this one.",
                    fields={"role_id": "cannot be given by an invitation"},
                )
            check_gives(own, None, Reach(role.capabilities, role.channels))
            self._check_new(place, address)
            invitation = Invitation(
                id=self._ids.new(),
                organisation_id=place.id,
                email=address,
                name=tidy,
                role_id=role.id,
                invited_by=asker.member_id,
                created_at=place.at,
                expires_at=place.at + INVITED_FOR,
            )
            sent = self._send(place, invitation, token)
            place.audit(
                asker.actor,
                "invitation.made",
                ("invitation", invitation.id),
                None,
                {"email": address, "role": place.named(role.id)},
            )
            return Invited(invitation=invitation, sent=sent)

        return await self._members.do(work)

    async def invite_again(self, asker: Asker, invitation_id: int) -> Invited:
        """A new link, for another seven days; the old one is of no use any more."""
        token = secrets.token_urlsafe(32)

        def work(connection: Connection) -> Invited:
            place, own = self._members.enter(connection, asker)
            before = _invitation(place, invitation_id)
            role = place.roles.get(before.role_id)
            if role is None:
                raise _role_gone()
            check_gives(own, None, Reach(role.capabilities, role.channels))
            after = replace(before, created_at=place.at, expires_at=place.at + INVITED_FOR)
            sent = self._send(place, after, token)
            place.audit(
                asker.actor,
                "invitation.sent_again",
                ("invitation", after.id),
                None,
                {"email": after.email},
            )
            return Invited(invitation=after, sent=sent)

        return await self._members.do(work)

    async def revoke_invitation(self, asker: Asker, invitation_id: int) -> None:
        """Its link is of no use any more."""

        def work(connection: Connection) -> None:
            place, _ = self._members.enter(connection, asker)
            before = _invitation(place, invitation_id)
            store.take_invitation(connection, before.id)
            place.audit(
                asker.actor,
                "invitation.revoked",
                ("invitation", before.id),
                {"email": before.email, "role": place.named(before.role_id)},
                None,
            )

        await self._members.do(work)

    def offer(self, connection: Connection, token: str) -> Offer:
        """What a link offers. Only reads. Raises ``Refusal``."""
        invitation, organisation = _by_token(connection, token)
        return Offer(
            organisation=organisation.name,
            email=invitation.email,
            name=invitation.name,
            expires_at=invitation.expires_at,
            known=store.person_by_email(connection, invitation.email) is not None,
        )

    async def accept_new(
        self, token: str, name: str, password_hash: str, remote: str
    ) -> people.User:
        """Become a user and a member; who has used the link first is the one."""
        tidy = check_name(storable(name))

        def work(connection: Connection) -> people.User:
            place, invitation = self._enter_invited(connection, token)
            id_ = self._ids.new()
            email = invitation.email
            if not store.add_user(connection, id_, email, tidy, password_hash, place.at):
                raise Refusal(
                    "known_email",
                    "Somebody with this email has an account already: sign in to accept.",
                    kind="conflict",
                )
            self._join(place, invitation, id_, remote)
            user = people.user_by_email(connection, email)
            assert user is not None  # noqa: S101 — inserted just now
            return user

        return await self._members.do(work)

    async def accept(self, token: str, user: people.User, remote: str | None) -> None:
        """Who is signed in becomes a member."""

        def work(connection: Connection) -> None:
            place, invitation = self._enter_invited(connection, token)
            if invitation.email != user.email:
                raise Refusal(
                    "not_yours",
                    f"This invitation is for {invitation.email}, and you are signed in as "
                    f"{user.email}.",
                    kind="conflict",
                )
            self._join(place, invitation, user.id, remote)

        await self._members.do(work)

    def _enter_invited(self, connection: Connection, token: str) -> tuple[Place, Invitation]:
        _, organisation = _by_token(connection, token)
        place = Place(connection, organisation, self._ids)
        invitation, _ = _by_token(connection, token)  # as it is under the lock
        if invitation.role_id not in place.roles:
            raise _role_gone()
        return place, invitation

    def _join(self, place: Place, invitation: Invitation, user_id: int, remote: str | None) -> None:
        connection = place.connection
        mine = roles.memberships_of(connection, user_id)
        if any(one.organisation_id == place.id for one in mine):
            raise Refusal("member_already", "You are a member already.", kind="conflict")
        store.take_invitation(connection, invitation.id)
        id_ = self._ids.new()
        roles.add_member(connection, id_, place.id, user_id, invitation.role_id, place.at)
        invited_by = None if invitation.invited_by is None else str(invitation.invited_by)
        place.audit(
            Actor("member", id_, remote),
            "invitation.accepted",
            ("member", id_),
            None,
            {
                "email": invitation.email,
                "role": place.named(invitation.role_id),
                "invited_by": invited_by,
            },
        )

    def _check_new(self, place: Place, email: str) -> None:
        there = next(
            (one for one in roles.members(place.connection, place.id) if one.email == email), None
        )
        if there is not None:
            detail = (
                f"{there.name} is a member already."
                if there.there
                else f"{there.name} was a member: reactivate them instead."
            )
            raise Refusal(
                "member_already", detail, kind="conflict", fields={"email": "is a member's"}
            )
        waiting = store.invitations(place.connection, place.id)
        for one in waiting:
            if one.email == email and one.expires_at > place.at:
                raise Refusal(
                    "invited_already",
                    f"{email} is invited already: send that invitation again, or revoke it.",
                    kind="conflict",
                    fields={"email": "is invited already"},
                )
            if one.email == email:
                store.take_invitation(place.connection, one.id)
        if len(waiting) >= MOST_INVITATIONS:
            raise Refusal(
                "too_many_invitations",
                f"{MOST_INVITATIONS} invitations wait, which is the most. Revoke some.",
                kind="conflict",
            )

    def _send(self, place: Place, invitation: Invitation, token: str) -> Sent:
        key = f"invitations of {place.id}"
        if self.mails and store.count_try(place.connection, key, INVITATIONS_A_DAY, place.at):
            raise Refusal(
                "too_many_invitations",
                f"{INVITATIONS_A_DAY.most} invitations were mailed today, which is the most. Go on "
                "tomorrow.",
                kind="conflict",
            )
        store.put_invitation(place.connection, invitation, hashed(token))
        text = (
            f"You are invited to {place.organisation.name}. To accept, open this link within "
            f"seven days; it works once:\n\n{{link}}\n\n"
            "If you did not expect this, ignore it.\n"
        )
        link = self._mail(
            place.connection,
            place.id,
            invitation.email,
            f"Invitation to {place.organisation.name}",
            text,
            f"{self._public_url}/join#{token}",
        )
        return Sent(link=link, expires_at=invitation.expires_at)

    # -------------------------------------------------------------- providers

    async def do(self, work: Callable[[Connection], T]) -> T:
        """Run ``work``, which raises a ``Refusal`` before it writes or not at all."""
        return await self._members.do(work)

    def by_provider(
        self,
        connection: Connection,
        *,
        issuer: str,
        subject: str,
        email: str,
        name: str,
        password_hash: str,
        joins: tuple[str, str] | None,
        remote: str,
    ) -> int:
        """The user whom a provider calls ``subject``, and whose ``email`` it has verified: who was
        found so before, or has this email, or is invited with it, or may join an organisation with
        a role (``joins``: its slug, the role's name). Raises ``Refusal``."""
        known = store.user_of_identity(connection, issuer, subject)
        if known is not None:
            return known
        user, now = store.person_by_email(connection, email), now_ms()
        if user is not None and store.has_identity(connection, issuer, user.id):
            # The email was given to somebody else since.
            raise Refusal("other_person", "this email belongs to another person of the provider's")
        user_id = self._ids.new() if user is None else user.id
        there = {one.organisation_id for one in roles.memberships_of(connection, user_id)}
        places = {
            one.id: Place(connection, one, self._ids) for one in people.organisations(connection)
        }
        invited = [
            one
            for one in store.invitations_of(connection, email, now)
            if one.organisation_id not in there and one.role_id in places[one.organisation_id].roles
        ]
        if user is None:
            joined = None if invited else _joined(list(places.values()), joins)
            tidy = check_name(name[:LONGEST_NAME])
            store.add_user(connection, user_id, check_email(email), tidy, password_hash, now)
            if joined is not None:
                self._join_by_provider(*joined, user_id, remote)
        for one in invited:
            self._join(places[one.organisation_id], one, user_id, remote)
        store.add_identity(connection, issuer, subject, user_id, now)
        told(
            connection,
            self._ids,
            user_id,
            "provider.linked",
            remote=remote,
            after={"issuer": issuer},
        )
        return user_id

    def _join_by_provider(self, place: Place, role_id: int, user_id: int, remote: str) -> None:
        id_ = self._ids.new()
        roles.add_member(place.connection, id_, place.id, user_id, role_id, place.at)
        place.audit(
            Actor("member", id_, remote),
            "member.added",
            ("member", id_),
            None,
            {"role": place.named(role_id), "by": "sign-in with a provider"},
        )

    # -------------------------------------------------------------- passwords

    def reset_asked(self, connection: Connection, email: str) -> None:
        """Somebody has forgotten their password: a link is mailed to whoever has this email."""
        user = store.person_by_email(connection, email)
        token, now = secrets.token_urlsafe(32), now_ms()
        if user is not None and user.active:
            self._send_reset(connection, user, token)
        else:
            store.put_reset(connection, hashed(token), NOBODY, now, now)  # it takes as long

    def make_reset(self, connection: Connection, user: Person) -> str:
        """A link, whoever asks: for the operator of the machine. It is not mailed."""
        token, now = secrets.token_urlsafe(32), now_ms()
        store.put_reset(connection, hashed(token), user.id, now, now + RESET_FOR)
        return f"{self._public_url}/reset#{token}"

    async def reset_member(self, asker: Asker, member_id: int) -> Sent:
        """A link for a member."""
        token = secrets.token_urlsafe(32)

        def work(connection: Connection) -> Sent:
            place, user = self._enter_for(connection, asker, member_id, takes=not self.mails)
            sent = self._send_reset(connection, user, token)
            place.audit(asker.actor, "password.reset_made", ("member", member_id), None, None)
            return sent

        return await self._members.do(work)

    async def use_reset(self, token: str, password_hash: str, remote: str) -> people.User:
        """A new password by a link; every session of the user's ends."""

        def work(connection: Connection) -> people.User:
            user_id = store.take_reset(connection, hashed(token), now_ms())
            found = None if user_id is None else store.person(connection, user_id)
            if user_id is None or found is None or not found.active:
                raise _bad_link()
            store.set_password(connection, user_id, password_hash)
            store.drop_steps(connection, user_id)
            store.end_sessions(connection, user_id)
            told(connection, self._ids, user_id, "password.reset", remote=remote)
            self.warn(
                connection,
                found,
                "Your password was reset by a link that was mailed to you "
                "or handed to you, and you were signed out everywhere.",
            )
            user = people.user_by_email(connection, found.email)
            assert user is not None  # noqa: S101 — looked at just now
            return user

        return await self._members.do(work)

    # -------------------------------------------------------------- second factors

    async def reset_second_factor(self, asker: Asker, member_id: int) -> None:
        """Take away the second factors of a member who has lost them, and sign them out."""

        def work(connection: Connection) -> None:
            place, user = self._enter_for(connection, asker, member_id, takes=True)
            self.remove_second_factors(connection, user)
            place.audit(asker.actor, "second_factor.reset", ("member", member_id), None, None)

        await self._members.do(work)

    def remove_second_factors(self, connection: Connection, user: Person) -> None:
        """The same, whoever asks."""
        store.remove_second_factors(connection, user.id)
        store.drop_steps(connection, user.id)
        store.end_sessions(connection, user.id)
        self.warn(
            connection,
            user,
            "Your second factor was taken away, and you were signed out everywhere. From now on "
            "your password alone signs you in, until you set up another.",
        )

    # -------------------------------------------------------------- mails

    def warn(self, connection: Connection, user: Person, text: str) -> None:
        """Tell a user by mail, if mails can be sent, that their account was changed."""
        if self.mails:
            notices.queue(
                connection,
                self._ids.new(),
                organisation_id=None,
                recipient=user.email,
                subject="Your account was changed",
                text=f"{text}\n\nIf this was not meant, tell your admin at once.\n",
                now=now_ms(),
            )

    def _send_reset(self, connection: Connection, user: Person, token: str) -> Sent:
        now = now_ms()
        store.put_reset(connection, hashed(token), user.id, now, now + RESET_FOR)
        text = (
            "To choose a new password, open this link within an hour; it works once:\n\n{link}\n\n"
            "If you did not ask for it, ignore it: your password stays as it is.\n"
        )
        link = self._mail(
            connection,
            None,
            user.email,
            "Choose a new password",
            text,
            f"{self._public_url}/reset#{token}",
        )
        return Sent(link=link, expires_at=now + RESET_FOR)

    def _mail(
        self,
        connection: Connection,
        organisation_id: int | None,
        recipient: str,
        subject: str,
        text: str,
        link: str,
    ) -> str | None:
        """Mail a link; where that cannot be, the link."""
        if not self.mails:
            return link
        notices.queue(
            connection,
            self._ids.new(),
            organisation_id=organisation_id,
            recipient=recipient,
            subject=subject,
            text=text.replace("{link}", link),
            secret=True,
            now=now_ms(),
        )
        return None

    # -------------------------------------------------------------- whose account it is

    def _enter_for(
        self, connection: Connection, asker: Asker, member_id: int, *, takes: bool
    ) -> tuple[Place, Person]:
        """The organisation, and the user that a member is. ``takes``: who asks could take the
        account over, so they must be able to do all that it can, wherever it can. Raises
        ``Refusal``."""
        place, own = self._members.enter(connection, asker)
        held = place.member(member_id)
        user = store.person(connection, held.user_id)
        if user is None or not held.active:
            raise Refusal(
                "inactive_member",
                f"{held.name} is no longer active: reactivate them first.",
                kind="conflict",
            )
        if takes:
            self._check_takes(connection, asker, own, user)
        return place, user

    def _check_takes(self, connection: Connection, asker: Asker, own: Reach, user: Person) -> None:
        if own is EVERYTHING:
            return
        if asker.user_id == user.id:
            raise Refusal(
                "own_account", "This is your own account: change it on its page.", kind="conflict"
            )
        mine = {
            one.organisation.id: one for one in people.memberships(connection, asker.user_id or 0)
        }
        asking = store.person(connection, asker.user_id or 0)
        above = user.super_user and not (asking is not None and asking.super_user)
        for theirs in people.memberships(connection, user.id):
            held = mine.get(theirs.organisation.id)
            if above or held is None or MEMBERS not in held.capabilities:
                raise Refusal(
                    "not_yours_to_reset",
                    f"{user.name} may do more than you can give: they are a Super User, or a "
                    "member of another organisation. Ask a Super User, or whoever runs the hub "
                    "(hub user reset).",
                    kind="right",
                )
            check_gives(
                Reach(held.capabilities, held.channels),
                None,
                Reach(theirs.capabilities, theirs.channels),
            )


def _joined(places: list[Place], joins: tuple[str, str] | None) -> tuple[Place, int]:
    """Where who is not invited becomes a member, and with which role. Raises ``Refusal``."""
    if joins is None:
        raise Refusal("unknown", "nobody has this email, and it is not invited")
    slug, name = joins
    for place in places:
        for role in place.roles.values():
            if place.organisation.slug == slug and role.name == name and role.ready != SUPER_USER:
                return place, role.id
    raise Refusal("no_role", f'[[sign_in]] names the role "{name}", which cannot be given')


def hashed(token: str) -> str:
    """A token as the database knows it."""
    return hashlib.sha256(token.encode()).hexdigest()


def told(
    connection: Connection,
    ids: Ids,
    user_id: int,
    action: str,
    *,
    remote: str | None = None,
    actor: Actor | None = None,
    after: Any = None,
) -> None:
    """A line in the audit of each organisation that a user is a member of, and in its journal.
    ``actor``: the user, unless it is somebody else."""
    for one in sorted(
        roles.memberships_of(connection, user_id), key=lambda held: held.organisation_id
    ):
        if not one.there:
            continue
        changes, now = Changes(), now_ms()
        changes.announce("members.changed", one.organisation_id, now)
        changes.audited(
            ids.new(),
            one.organisation_id,
            now,
            actor=actor or Actor("member", one.id, remote),
            action=action,
            object_=("member", str(one.id)),
            before=None,
            after=after,
        )
        write_journal(connection, changes)


def _invitation(place: Place, invitation_id: int) -> Invitation:
    found = store.invitations(place.connection, place.id)
    for one in found:
        if one.id == invitation_id:
            return one
    raise Refusal("no_invitation", "There is no such invitation.", kind="missing")


def _by_token(connection: Connection, token: str) -> tuple[Invitation, people.Organisation]:
    found = store.invitation_by_token(connection, hashed(token), now_ms())
    if found is None:
        raise _bad_link()
    organisation = next(
        one for one in people.organisations(connection) if one.id == found.organisation_id
    )
    return found, organisation


def _bad_link() -> Refusal:
    return Refusal(
        "bad_link",
        "This link has expired, was used already, or is not whole. Ask for a new one.",
        kind="missing",
    )


def _role_gone() -> Refusal:
    return Refusal(
        "role_gone",
        "The role of this invitation was deleted. Ask for a new invitation.",
        kind="conflict",
    )
