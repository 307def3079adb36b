"""Members say whether conversations may be assigned to them by themselves, whether they want a
mail of it, what stands below their letters, and what they are alerted of."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from hub.flow.host import now_ms
from hub.flow.record import Changes
from hub.flow.writer import Transaction, Writer
from hub.rules import alerts
from hub.rules.alerts import AlertChoices
from hub.rules.content import storable
from hub.rules.rights import Actor
from hub.rules.states import Refusal
from hub.store import members as store
from hub.store import roles
from hub.store.ids import Ids


class Wish(Struct, frozen=True, kw_only=True):
    """What is to be so; what is not given stays."""

    available: bool | UnsetType = UNSET
    assignment_mail: bool | UnsetType = UNSET
    signature: str | UnsetType = UNSET
    alerts: AlertChoices | UnsetType = UNSET


async def choose(
    writer: Writer,
    ids: Ids,
    organisation_id: int,
    member_id: int,
    wish: Wish,
    by: int,
    actor: Actor,
) -> None:
    """Change what a member has chosen; ``by``: the member who asks. Nothing is assigned to who has
    gone away once this returns. Raises ``Refusal``."""

    def work(transaction: Transaction) -> Refusal | None:
        connection = transaction.connection
        # Whoever assigns holds this too: before it reads who is there, and until it has committed.
        store.lock_rotation(connection, organisation_id)
        held = roles.member(connection, organisation_id, member_id)
        if held is None:
            return Refusal("no_member", "There is no such member.", kind="missing")
        if not held.active:
            return Refusal("inactive_member", f"{held.name} is no longer active.", kind="conflict")
        at, changes = now_ms(), Changes()
        if wish.available is not UNSET and wish.available != held.available:
            roles.change_member(
                connection, held, available=wish.available, available_at=at, available_by=by
            )
            changes.announce("members.changed", organisation_id, at)
            changes.audited(
                ids.new(),
                organisation_id,
                at,
                actor=actor,
                action="member.changed",
                object_=("member", str(held.id)),
                before={"available": held.available},
                after={"available": wish.available},
            )
        if wish.assignment_mail is not UNSET:
            roles.change_member(connection, held, assignment_mail=wish.assignment_mail)
        if wish.signature is not UNSET:
            roles.change_member(connection, held, signature=storable(wish.signature).strip())
        if wish.alerts is not UNSET:
            roles.change_member(connection, held, alerts=alerts.encode(wish.alerts))
        transaction.tell(changes)
        return None

    refusal = await writer.transact(work)
    if refusal is not None:
        raise refusal
