"""Deciding on what waits for approval.

What is approved is made ready for sending then, not when it was written: the channel's rules, the
template and the consent are looked at once more. Where one forbids it, the message waits on, and
its author and whoever approves read why.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import Connection

from hub.flow.compose import Composer, Wanted
from hub.flow.host import now_ms
from hub.flow.writer import Writer
from hub.rules import approvals
from hub.rules import commands as c
from hub.rules.approvals import Source
from hub.rules.content import storable
from hub.rules.rights import Actor
from hub.rules.states import Refusal
from hub.store import approvals as store
from hub.store.approvals import Queued
from hub.store.contacts import contact_of_thread
from hub.store.database import Database
from hub.store.scope import Scope


class Approvals:
    """What members do with the queue."""

    def __init__(self, database: Database, writer: Writer, composer: Composer) -> None:
        self._database = database
        self._writer = writer
        self._composer = composer

    async def approve(
        self,
        scope: Scope,
        member_id: int,
        id_: int,
        actor: Actor,
        *,
        text: str | None,
        subject: str | None,
    ) -> None:
        """Send what waits, or what the member made of it. Raises ``Refusal``; one by a rule of the
        channel is kept with the message."""
        queued, contact_id = await self._database.read(lambda one: _look(one, scope, id_))
        proposal = approvals.proposal_of(queued.approval)
        words = (proposal.text if text is None else text, proposal.subject)
        wanted = Wanted(
            scope=scope,
            member_id=queued.approval.member_id,
            channel_id=queued.approval.channel_id,
            thread_id=queued.entry.thread_id,
            contact_id=contact_id,
            to=None,
            own_address=proposal.own_address or None,
            body=words[0],
            subject=words[1] if subject is None else subject,
            attachment_ids=[str(one) for one in proposal.attachment_ids],
            reply_to=None if proposal.reply_to is None else str(proposal.reply_to),
            template=None
            if proposal.template is None
            else (proposal.template.name, proposal.template.language),
            variables=proposal.variables,
            cc=proposal.cc,
            bcc=proposal.bcc,
            source=cast("Source", queued.entry.author_kind),
        )
        try:
            if queued.approval.state != "waiting":
                raise approvals.AlreadyDecided(queued.approval)
            if queued.approval.member_id == member_id:
                raise approvals.own_message()
            message = await self._composer.compose_approved(wanted, queued.entry, proposal)
            await self._writer.carry_out(
                c.ApproveMessage(
                    organisation_id=scope.organisation_id,
                    at=now_ms(),
                    entry_id=id_,
                    by_member_id=member_id,
                    actor=actor,
                    message=message,
                )
            )
        except Refusal as refusal:
            changed = text is not None or subject is not None
            if refusal.kind == "rule" and not (changed and refusal.code in approvals.OF_THE_WORDS):
                await self._hold(scope.organisation_id, id_, refusal)
            raise

    async def _hold(self, organisation_id: int, id_: int, refusal: Refusal) -> None:
        await self._writer.carry_out(
            c.HoldMessage(
                organisation_id=organisation_id,
                at=now_ms(),
                entry_id=id_,
                problem=refusal.code,
                detail=refusal.detail,
            )
        )

    async def reject(
        self, scope: Scope, member_id: int, id_: int, actor: Actor, reason: str
    ) -> None:
        """Do not send it. Raises ``Refusal``."""
        said = storable(reason).strip()
        if not said or len(said) > approvals.LONGEST_REASON:
            detail = (
                f"A reason holds {approvals.LONGEST_REASON} characters."
                if said
                else "Say why, so that its author knows."
            )
            raise Refusal("bad_reason", detail, fields={"reason": detail})
        await self._writer.carry_out(
            c.RejectMessage(
                organisation_id=scope.organisation_id,
                at=now_ms(),
                entry_id=id_,
                by_member_id=member_id,
                actor=actor,
                reason=said,
            )
        )

    async def withdraw(self, scope: Scope, member_id: int, id_: int, actor: Actor) -> None:
        """Its author takes it back. Raises ``Refusal``."""
        await self._writer.carry_out(
            c.WithdrawMessage(
                organisation_id=scope.organisation_id,
                at=now_ms(),
                entry_id=id_,
                by_member_id=member_id,
                actor=actor,
            )
        )


def _look(connection: Connection, scope: Scope, id_: int) -> tuple[Queued, int]:
    rows = store.queued_by_id(connection, scope, [id_])
    if not rows:
        raise approvals.missing()
    return rows[0], contact_of_thread(connection, rows[0].entry.thread_id)
