"""Carrying out commands, in order, upon what was loaded.

Each command is carried out whole or refused whole: what may refuse is asked before anything is
changed. Counts and journal come from what really changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from hub.flow.record.changes import Changes
from hub.flow.record.world import (
    AttachmentState,
    Contact,
    ExternalId,
    ExternalKey,
    Inbound,
    MemberState,
    Rota,
    StoredNews,
    StoredReceipt,
    World,
    consent_key,
)
from hub.plugin.types import MediaRef
from hub.rules import (
    alerts,
    approvals,
    assignment,
    calls,
    mentions,
    news,
    sending,
    statuses,
    threads,
    updates,
)
from hub.rules import commands as c
from hub.rules import content as contents
from hub.rules.addresses import shown
from hub.rules.assignment import chosen
from hub.rules.consent import in_force
from hub.rules.content import Content
from hub.rules.rights import SYSTEM, VIEW, Actor
from hub.rules.sight import sees
from hub.rules.states import (
    Approval,
    Consent,
    Entry,
    Refusal,
    Rotation,
    Thread,
    ThreadChannel,
    Transmission,
)
from hub.store import tables as t
from hub.store.ids import Ids
from hub.store.notices import Notice

_ref_encoder = msgspec.json.Encoder()
_turns = msgspec.json.Decoder(dict[int, int])

SYSTEM_LINES = {
    "assigned": "Assigned to {assignee}",
    "assigned_automatically": "Assigned to {assignee} automatically",
    "unassigned": "Unassigned",
    "closed": "Closed",
    "reopened": "Reopened",
    "needs_response_set": "Marked as needing a response",
    "needs_response_cleared": "Marked as needing no response",
    "opted_out": "Opted out: {how}",
    "opted_in": "Opted in: {how}",
    "taken_back": "A message was taken back",
    "reached_at": "Now reached at {address}, which was known in another conversation",
    "moved_away": "{address} belongs to {contact} now; go on in their conversation",
    "call_moved_away": "A call was moved to another conversation",
    "call_moved_here": "A call was moved to this conversation",
}
"""What a system entry reads like where nothing draws it from its event."""
CALL_QUIET = "call_quiet"
COPY_OPTED_OUT = "{}, in copy, has opted out of messages on this channel."
"""The kind of what is due when nothing was told of a call for long; its key is the entry's id."""
ANONYMOUS = "Anonymous caller"
"""Who has made a call that was taken out of a conversation."""


class Fold:
    """One batch being carried out."""

    def __init__(
        self,
        world: World,
        changes: Changes,
        ids: Ids,
        link: Callable[[int], str] | None = None,
    ) -> None:
        self.world = world
        self.changes = changes
        self.ids = ids
        self.link = link
        self._handlers: dict[type[c.Command], Callable[[Any], int | None]] = {
            c.KeepDelivery: self._keep_delivery,
            c.ReceiveMessage: self._receive_message,
            c.ReceiveReceipt: self._receive_receipt,
            c.ReceiveCall: self._receive_call,
            c.ReceiveNews: self._receive_news,
            c.GiveUpCall: self._give_up_call,
            c.ChangeConsent: self._change_consent,
            c.ChangeIdentity: self._change_identity,
            c.MediaFetched: self._media_fetched,
            c.MediaFailed: self._media_failed,
            c.SendMessage: self._send_message,
            c.AddNote: self._add_note,
            c.CorrectNote: self._correct_note,
            c.ChangeContact: self._change_contact,
            c.ChangeThread: self._change_thread,
            c.ReadThread: self._read_thread,
            c.UnreadThread: self._unread_thread,
            c.ApproveMessage: self._approve,
            c.HoldMessage: self._hold,
            c.RejectMessage: self._reject,
            c.WithdrawMessage: self._withdraw,
            c.CancelEntry: self._cancel,
            c.RetryEntry: self._retry,
            c.ResolveEntry: self._resolve,
            c.ResolveCall: self._resolve_call,
            c.FollowUpCall: self._follow_up,
            c.ReassignCall: self._reassign,
            c.PlaceCall: self._place_call,
            c.StartSending: self._start,
            c.SendAgain: self._again,
            c.SendAccepted: self._accepted,
            c.SendFailed: self._failed,
            c.SendDeferred: self._deferred,
            c.SendReleased: self._released,
            c.SendHeld: self._held,
            c.SendUnknown: self._unknown,
            c.SendAbsent: self._absent,
        }

    def apply(self, command: c.Command) -> int | None:
        """Carry out one command; the id of the entry it made or names. Raises ``Refusal``."""
        return self._handlers[type(command)](command)

    # -------------------------------------------------------------- what arrives

    def _keep_delivery(self, command: c.KeepDelivery) -> None:
        row = asdict(command)
        row["received_at"] = row.pop("at")
        self.changes.deliveries[command.id] = row

    def _receive_message(self, command: c.ReceiveMessage) -> int:
        for own_name in command.names:
            key = (command.organisation_id, command.channel_id, own_name)
            known = self.world.external.get(key, ExternalId())
            if known.entry_id is None:
                break
            if None in {known.fingerprint, command.fingerprint} or (
                known.fingerprint == command.fingerprint
            ):
                return known.entry_id  # delivered again
        else:
            raise AssertionError(command.names)  # the last one holds the fingerprint
        name = None if command.echo else command.sender_name
        contact_id = self._contact_of(
            command.organisation_id, command.sender, name, command.at, self._asked(command)
        )
        thread = self._thread_of(command.organisation_id, contact_id, command.at)
        sender = command.sender[0] if command.sender else None
        entry = Entry(
            id=command.entry_id,
            organisation_id=command.organisation_id,
            thread_id=thread.id,
            seq=thread.seq + 1,
            kind="message",
            grouping=command.grouping,
            direction="out" if command.echo else "in",
            channel_id=command.channel_id,
            scheme=sender.scheme if sender else None,
            address=sender.value if sender else None,
            own_address=command.own_address,
            author_kind="elsewhere" if command.echo else "contact",
            author_id=None if command.echo else contact_id,
            content=contents.encode(command.content),
            preview=command.preview,
            status="sent" if command.echo else None,
            status_at=command.at if command.echo else None,
            delivery_id=command.delivery_id,
            external_id=command.external_id if command.threads else None,
            occurred_at=command.at if command.occurred_at is None else command.occurred_at,
            sort_at=threads.sort_time(command.at, command.occurred_at),
            created_at=command.at,
        )
        self.world.external[key] = ExternalId(thread.id, entry.id, fingerprint=command.fingerprint)
        for place, (attachment_id, ref) in enumerate(command.media):
            self._expect_media(entry, place, attachment_id, ref, command.at)
        if command.echo:
            self._add(threads.after_echo(thread, entry, answers=command.asks), entry)
        else:
            self._add_inbound(thread, entry, asks=command.asks)
            if command.assigns and command.asks:
                self._assign_automatically(entry)
        self._catch_up(key, entry.id, command.at)
        return entry.id

    def _receive_call(self, command: c.ReceiveCall) -> int:
        key = (command.organisation_id, command.channel_id, command.external_id)
        known = self.world.external.get(key)
        if known is not None and known.entry_id is not None:
            return known.entry_id  # told again
        org, inbound = command.organisation_id, command.direction == "in"
        ours = None if inbound else self._dialled(command)
        if ours is not None:
            self.world.external[key] = ExternalId(ours.thread_id, ours.entry_id, ours.id)
            reported = sending.reported(ours, command.external_id, "sent", command.at)
            self._change_transmission(reported, command.at)
            self._catch_up(key, ours.entry_id, command.at)
            return ours.entry_id
        contact_id = self._contact_of(org, command.caller, command.caller_name, command.at)
        thread = self._thread_of(org, contact_id, command.at)
        caller = command.caller[0] if command.caller else None
        entry = Entry(
            id=command.entry_id,
            organisation_id=org,
            thread_id=thread.id,
            seq=thread.seq + 1,
            kind="call",
            grouping="calls",
            direction=command.direction,
            channel_id=command.channel_id,
            scheme=caller.scheme if caller else None,
            address=caller.value if caller else None,
            own_address=command.own_address,
            author_kind="contact" if inbound else "elsewhere",
            author_id=contact_id if inbound else None,
            content=contents.encode(Content()),
            preview=calls.preview(command.direction, calls.Call()),
            delivery_id=command.delivery_id,
            occurred_at=command.at if command.occurred_at is None else command.occurred_at,
            sort_at=threads.sort_time(command.at, command.occurred_at),
            created_at=command.at,
        )
        self.world.external[key] = ExternalId(thread.id, entry.id, None)
        if inbound:
            self._add_inbound(thread, entry, asks=False)
            if command.assigns:
                self._assign_automatically(entry)
        else:
            self._add(threads.after_echo(thread, entry, answers=False), entry)
        self._expect_end(entry)
        self._catch_up(key, entry.id, command.at)
        return entry.id

    def _expect_end(self, call: Entry) -> None:
        """Somebody asks what has become of a call when nothing was told of it for long."""
        due_at = call.created_at + calls.QUIET_MS
        self.changes.insert(
            t.due,
            {
                "organisation_id": call.organisation_id,
                "kind": CALL_QUIET,
                "key": str(call.id),
                "due_at": due_at,
                "payload": "{}",
                "attempts": 0,
                "look_at": due_at,
            },
        )

    def _give_up_call(self, command: c.GiveUpCall) -> int | None:
        entry = self.world.entries.get(command.entry_id)
        if entry is None or entry.status in {"failed", "canceled"}:
            return None
        self._change_call(entry, updates.given_up(entry), command.at)
        return entry.id

    def _dialled(self, command: c.ReceiveCall) -> Transmission | None:
        """The call of ours that a provider tells of before it has named it to us."""
        for address in command.caller:
            key = (command.organisation_id, command.channel_id, address.value)
            for id_ in self.world.dialled.get(key, ()):
                one = self.world.transmissions[id_]
                if one.scheme == address.scheme and sending.may_have_begun(one, command.at):
                    return one
        return None

    def _add_inbound(self, thread: Thread, entry: Entry, *, asks: bool) -> None:
        if thread.status == "closed":
            self._audit_reopened(thread, entry.created_at, SYSTEM)
        self._add(threads.after_inbound(thread, entry, asks=asks), entry)
        if entry.kind == "message" and thread.id in self.world.inbound:
            inbound = Inbound(entry.seq, entry.channel_id, entry.own_address)
            self.world.inbound[thread.id].append(inbound)

    def _audit_reopened(self, thread: Thread, at: int, actor: Actor) -> None:
        """What has come reopens a closed conversation."""
        self.changes.audited(
            self.ids.new(),
            thread.organisation_id,
            at,
            actor=actor,
            action="thread.status",
            object_=("thread", str(thread.id)),
            before="closed",
            after="open",
        )

    def _asked(self, command: c.ReceiveMessage) -> int | None:
        """The contact to whom we sent what a message answers. Who writes from another address than
        before is found by that; ids that could be guessed are no ids a channel may thread by."""
        answered = command.content.reply_to
        if answered is None or command.echo:
            return None
        key = (command.organisation_id, command.channel_id, answered)
        thread = self.world.threads.get(self.world.answered.get(key, 0))
        return None if thread is None else thread.contact_id

    def _contact_of(
        self,
        org: int,
        addresses: Sequence[c.AddressOf],
        name: str | None,
        at: int,
        asked: int | None = None,
    ) -> int:
        """Whose conversation it belongs to. Of several contacts that match, the one with a verified
        identity, then the one who was active last; nothing is merged here. A stranger who answers
        what ``asked`` somebody is them, with a further address."""
        matches = [
            (address.verified, self._last_active(contact_id), contact_id)
            for address in addresses
            if (contact_id := self.world.addresses.get((org, address.scheme, address.value)))
            is not None
        ]
        if matches:
            contact_id = max(matches)[2]
            contact = self.world.contacts[contact_id]
            if contact.name is None and name:
                self.world.contacts[contact_id] = replace(contact, name=name)
        elif asked is not None:
            contact_id = asked
        else:
            contact_id = self._new_contact(org, name, at)
        for address in addresses:
            if (org, address.scheme, address.value) not in self.world.addresses:
                self._new_address(org, contact_id, address, at)
        return contact_id

    def _last_active(self, contact_id: int) -> int:
        thread_id = self.world.thread_of.get(contact_id)
        return 0 if thread_id is None else self.world.threads[thread_id].active_at

    def _new_contact(self, org: int, name: str | None, at: int) -> int:
        contact = Contact(id=self.ids.new(), organisation_id=org, name=name, created_at=at)
        self.world.contacts[contact.id] = contact
        return contact.id

    def _new_address(self, org: int, contact_id: int, address: c.AddressOf, at: int) -> None:
        self.world.addresses[org, address.scheme, address.value] = contact_id
        self.changes.insert(
            t.addresses,
            {
                "id": self.ids.new(),
                "organisation_id": org,
                "contact_id": contact_id,
                "scheme": address.scheme,
                "value": address.value,
                "display": address.display,
                "verified": address.verified,
                "created_at": at,
            },
        )

    def _thread_of(self, org: int, contact_id: int, at: int) -> Thread:
        thread_id = self.world.thread_of.get(contact_id)
        if thread_id is not None:
            return self.world.threads[thread_id]
        thread = Thread(
            id=self.ids.new(), organisation_id=org, contact_id=contact_id, created_at=at
        )
        self.world.thread_of[contact_id] = thread.id
        self.world.inbound[thread.id] = []
        return thread

    def _expect_media(self, entry: Entry, place: int, id_: int, ref: MediaRef, at: int) -> None:
        self.world.attachments[id_] = AttachmentState(
            id=id_,
            organisation_id=entry.organisation_id,
            entry_id=entry.id,
            channel_id=entry.channel_id,
            place=place,
            name=contents.storable(ref.name or ""),
            content_type=contents.storable(ref.content_type or ""),
            size=ref.size,
            sha256=None,
            state="pending",
            ref=_ref_encoder.encode(ref).decode(),
            due_at=at,
            created_at=at,
            content_id=ref.content_id or None,
        )

    def _receive_receipt(self, command: c.ReceiveReceipt) -> int | None:
        if command.external_id is None:
            transmission = self.world.transmissions.get(command.transmission_id or 0)
            if transmission is None or not _same_channel(transmission, command):
                raise Refusal("unknown_message", "No such message went out.", kind="missing")
            self._report(transmission, None, command)
            return transmission.entry_id
        key = (command.organisation_id, command.channel_id, command.external_id)
        seen = self.world.receipts[key]
        if command.status in seen:
            return None
        receipt = StoredReceipt(
            organisation_id=command.organisation_id,
            channel_id=command.channel_id,
            external_id=command.external_id,
            status=command.status,
            reason=command.reason,
            detail=command.detail,
            provider_code=command.provider_code,
            occurred_at=command.occurred_at,
            received_at=command.at,
        )
        seen[command.status] = receipt
        self.changes.insert(t.receipts, asdict(receipt))
        names = self.world.external.setdefault(key, ExternalId())
        named = command.transmission_id if names.entry_id is None else names.transmission_id
        transmission = self.world.transmissions.get(named or 0)
        if names.entry_id is not None and transmission is None:
            return self._report_echo(names.entry_id, receipt)
        if transmission is None or not _same_channel(transmission, command):
            return None  # came first: it waits for the message it is about
        told = [receipt]
        if names.transmission_id is None:  # our own id names it before the send was accepted
            self.world.external[key] = ExternalId(
                transmission.thread_id, transmission.entry_id, transmission.id
            )
            told = self._told_of(key)
            if command.threads:
                self._keep_name(transmission.entry_id, command.external_id)
            self._hear_all(key, transmission.entry_id, command.at)
        for each in told:
            self._report(self.world.transmissions[transmission.id], command.external_id, each)
        return transmission.entry_id

    def _told_of(self, key: ExternalKey) -> list[StoredReceipt]:
        """The receipts of a message as they came: the database gives those of former batches in any
        order."""
        told = self.world.receipts.get(key, {}).values()
        return sorted(told, key=lambda one: (one.received_at, one.status))

    def _report(
        self,
        transmission: Transmission,
        external_id: str | None,
        receipt: c.ReceiveReceipt | StoredReceipt,
    ) -> None:
        at = receipt.at if isinstance(receipt, c.ReceiveReceipt) else receipt.received_at
        changed = sending.reported(
            transmission,
            external_id,
            receipt.status,
            at,
            reason=receipt.reason,
            detail=receipt.detail,
            provider_code=receipt.provider_code,
        )
        self._change_transmission(changed, at)

    def _report_echo(self, entry_id: int, receipt: StoredReceipt) -> int | None:
        """What became of a message that was sent elsewhere: its entry alone keeps it."""
        entry = self.world.entries[entry_id]
        if entry.direction != "out" or entry.status is None:
            return None
        status = statuses.advance(entry.status, receipt.status)
        if status != entry.status:
            reason = receipt.detail if status == "failed" else None
            self._change_entry(
                replace(entry, status=status, status_reason=reason, status_at=receipt.received_at),
                receipt.received_at,
            )
        return entry_id

    def _receive_news(self, command: c.ReceiveNews) -> int | None:
        key = (command.organisation_id, command.channel_id, command.external_id)
        names = self.world.external.setdefault(key, ExternalId())
        seen = self.world.news[key]
        if command.key in seen:
            return names.entry_id
        seen[command.key] = StoredNews(
            organisation_id=command.organisation_id,
            channel_id=command.channel_id,
            external_id=command.external_id,
            key=command.key,
            news=news.encode(command.news),
            received_at=command.at,
        )
        self.changes.insert(t.message_events, asdict(seen[command.key]))
        if names.entry_id is not None:  # else it waits for the message it is about
            self._hear(names.entry_id, command.at, command.news)
        return names.entry_id

    def _hear(self, entry_id: int, at: int, *told: news.News) -> None:
        entry = self.world.entries[entry_id]
        changed = updates.after(entry, *told)
        if entry.kind == "call":
            self._expect_sounds(entry, told, at)
            self._change_call(entry, changed, at)
        elif changed is not entry:
            self._change_entry(changed, at)
            if updates.withdrawn(changed) and not updates.withdrawn(entry):
                event = {"type": "taken_back", "entry_id": str(entry.id)}
                self._add_system(self.ids.new(), entry.thread_id, at, event, None)

    def _change_call(self, before: Entry, after: Entry, at: int) -> None:
        """Keep a changed call, and what it asks of the team, or does no longer."""
        if after is before:
            return
        more = updates.unresolved(after) - updates.unresolved(before)
        if more:
            after = self._count_unresolved(after, more)
        elif updates.reached(after) and not updates.reached(before):
            thread = self.world.threads[after.thread_id]
            self.world.threads[thread.id] = threads.settled(thread, after)
        self._change_entry(after, at)

    def _count_unresolved(self, call: Entry, by: int) -> Entry:
        """A call has become one to resolve (``by`` 1), or is none any more (-1)."""
        key = (call.thread_id, call.channel_id or "")
        thread = threads.unresolved(self.world.threads[call.thread_id], by)
        self.world.channels[key] = threads.unresolved(self.world.channels[key], by)
        said = updates.call_of(call)
        asks = by > 0 and not thread.needs_response
        if by > 0:
            thread = threads.needing(thread, call.sort_at)
        elif said.asks:
            thread = threads.settled(thread, call)
        self.world.threads[thread.id] = thread
        return updates.with_call(call, replace(said, asks=asks))

    def _expect_sounds(self, entry: Entry, told: Sequence[news.News], at: int) -> None:
        """Recordings and voicemails of a call, each to be fetched once."""
        call = updates.decode(entry.updates).call
        known = set[MediaRef]() if call is None else set(call.sounds)
        for one in told:
            if not isinstance(one, news.Recorded | news.VoicemailLeft) or one.media is None:
                continue
            if one.media not in known:
                known.add(one.media)
                self._expect_media(entry, 0, one.attachment_id, one.media, at)

    def _hear_all(self, key: ExternalKey, entry_id: int, at: int) -> None:
        """The news that came before the message they are about."""
        if key in self.world.news:
            stored = sorted(self.world.news[key].values(), key=lambda one: one.key)
            self._hear(entry_id, at, *(news.decode(one.news) for one in stored))

    def _catch_up(self, key: ExternalKey, entry_id: int, at: int) -> None:
        """Whatever was told of a message before it came."""
        for receipt in self._told_of(key):
            self._report_echo(entry_id, receipt)
        self._hear_all(key, entry_id, at)

    def _change_entry(self, entry: Entry, at: int) -> None:
        """Keep a changed entry, and what the list shows of it."""
        before = self.world.entries[entry.id]
        self.world.entries[entry.id] = entry
        thread = self.world.threads[entry.thread_id]
        if thread.last_entry_id == entry.id:
            self.world.threads[thread.id] = replace(
                thread, preview=entry.preview, preview_status=entry.status
            )
        self._announce("entry.changed", entry, at)
        if alerts.became(before, entry):
            self._announce("alert", entry, at)

    def _change_consent(self, command: c.ChangeConsent) -> int | None:
        org, channel, address = command.organisation_id, command.channel_id, command.address
        if not self._first_said(org, channel, command.said_in):
            return None
        held = in_force(
            self._consents_of(org, channel, address.scheme, address.value), command.own_address
        )
        is_out = held is not None and held.state == "out"
        if command.if_out and not is_out:
            return None
        by_hand = command.by_member_id is not None
        themselves = held is not None and held.by_member_id is None
        if by_hand and command.state == "in" and is_out and themselves and not command.how:
            detail = "They have opted out themselves. Say why they are opted in again."
            raise Refusal("reason_needed", detail, fields={"how": detail})
        consent = Consent(
            organisation_id=org,
            channel_id=channel,
            scheme=address.scheme,
            value=address.value,
            own_address=command.own_address,
            state=command.state,
            how=command.how or "by hand",
            by_member_id=command.by_member_id,
            at=command.at,
        )
        contact_id = self.world.addresses.get((org, address.scheme, address.value))
        thread_id = self.world.thread_of.get(contact_id or 0)
        changed = self._set_consent(consent, command.entry_id, thread_id, command.by)
        answer = command.answer
        if changed and answer is not None:
            out = self._opted_out(org, channel, address.scheme, address.value, answer.own_address)
            if out == answer.confirms:  # else something that came later holds where it would go
                self._send_message(answer)
        return command.entry_id if changed and thread_id is not None else None

    def _first_said(self, org: int, channel: str, said_in: tuple[str, int] | None) -> bool:
        """Whether what rests on a message does so for the first time, and not because the message
        was delivered again."""
        if said_in is None:
            return True
        external_id, entry_id = said_in
        known = self.world.external.get((org, channel, external_id))
        return known is not None and known.entry_id == entry_id

    def _consents_of(self, org: int, channel: str, scheme: str, value: str) -> list[Consent]:
        wanted = (org, channel, scheme, value)
        return [one for key, one in self.world.consents.items() if key[:4] == wanted]

    def _set_consent(
        self, consent: Consent, entry_id: int, thread_id: int | None, actor: Actor = SYSTEM
    ) -> bool:
        """Keep a consent, with a line in the contact's thread if it changes anything. What was
        received earlier than what holds is history alone, and what says the same again only
        renews it. Whether anything has changed."""
        key = consent_key(consent)
        before = self.world.consents.get(key)
        of_address = key[:4]
        owns = {consent.own_address}
        if not consent.own_address:
            owns |= {one.own_address for one in self._consents_of(*of_address)}
        held = {own: self._said_of(of_address, own) for own in owns}
        if before is None or consent.at >= before.at:
            self.world.consents[key] = consent
        now = {own: self._said_of(of_address, own) for own in owns}
        themselves = (
            before is not None
            and before.state == consent.state
            and before.by_member_id is not None
            and consent.by_member_id is None
            and self.world.consents[key] is consent
        )
        changed = held != now or themselves
        if not changed and now[consent.own_address] == consent.state:
            if before is not None and before.state == consent.state:
                at = max(before.at, consent.at)
                self.world.consents[key] = before if at == before.at else replace(before, at=at)
            return False
        self._tell_consent(consent, held[consent.own_address], actor)
        if changed and thread_id is not None:
            event = {
                "type": f"opted_{consent.state}",
                "address": consent.value,
                "channel": consent.channel_id,
                "how": consent.how,
            }
            self._add_system(entry_id, thread_id, consent.at, event, consent.by_member_id)
        return changed

    def _said_of(self, of_address: tuple[int, str, str, str], own: str) -> str | None:
        """What holds for messages from ``own``; for none in particular, from those of which nothing
        was said by themselves."""
        if own:
            held = in_force(self._consents_of(*of_address), own)
        else:
            held = self.world.consents.get((*of_address, ""))
        return None if held is None else held.state

    def _tell_consent(self, consent: Consent, before: str | None, actor: Actor) -> None:
        """A change of a consent for its history, and for the audit."""
        self.changes.insert(t.consent_events, {"id": self.ids.new(), **asdict(consent)})
        self.changes.audited(
            self.ids.new(),
            consent.organisation_id,
            consent.at,
            actor=actor,
            action=f"consent.{consent.state}",
            object_=("address", f"{consent.channel_id}/{consent.scheme}/{consent.value}"),
            before=before,
            after={"state": consent.state, "how": consent.how},
        )

    def _change_identity(self, command: c.ChangeIdentity) -> None:
        """Who was ``old`` is ``new``. Where both are known of two contacts, what the provider says
        now counts: the one address goes to the contact of the other, and what is written from then
        on to their conversation. It is the conversation of ``old`` that goes on, because there the
        person has been known longer; that of ``new``, where they may have written before the
        provider told of it, stays as it is with all that it holds. Both have a line that leads to
        the other, so that a person can see to what is still open there."""
        org, old, new = command.organisation_id, command.old, command.new
        before = self.world.addresses.get((org, old.scheme, old.value))
        owner = self.world.addresses.get((org, new.scheme, new.value))
        if before is not None and before == owner:
            return
        contact_id = before or owner or self._new_contact(org, None, command.at)
        for address, known in ((old, before), (new, owner)):
            if known is None and (org, address.scheme, address.value) not in self.world.addresses:
                self._new_address(org, contact_id, address, command.at)
        if before is not None and owner is not None:
            contact_id = self._unite(command, before, owner)
        self._carry_consents_over(command)
        thread_id = self.world.thread_of.get(contact_id)
        if thread_id is None:
            return
        key = (thread_id, command.channel_id)
        channel = self.world.channels.get(key)
        if channel is not None and channel.last_inbound_address == old.value:
            # What is answered from now on goes to where they are.
            self.world.channels[key] = replace(channel, last_inbound_address=new.value)
        self.changes.announce("thread.changed", org, command.at, thread_id=thread_id)

    def _unite(self, command: c.ChangeIdentity, before: int, owner: int) -> int:
        """One address of two contacts goes over to the other; the contact who has both then. Who
        has no conversation gives theirs, and else who was known at ``new``."""
        going, staying, address = owner, before, command.new
        if before not in self.world.thread_of and owner in self.world.thread_of:
            going, staying, address = before, owner, command.old
        key = (command.organisation_id, address.scheme, address.value)
        self.world.addresses[key] = staying
        first, _ = self.changes.moved.get(key, (going, staying))
        self.changes.moved[key] = (first, staying)
        self.changes.audited(
            self.ids.new(),
            command.organisation_id,
            command.at,
            actor=SYSTEM,
            action="address.moved",
            object_=("address", f"{address.scheme}/{address.value}"),
            before={"contact": str(going)},
            after={"contact": str(staying)},
        )
        there, here = self.world.thread_of.get(going), self.world.thread_of.get(staying)
        text = shown(address.scheme, address.value, address.display)
        contact = self.world.contacts[going]
        if contact.name is None and going not in self.world.addresses.values():
            # A conversation keeps a name that people know it by.
            self.world.contacts[going] = replace(contact, name=text)
        if there is None or here is None:
            return staying
        self._carry_use_over(command, there, here)
        name = self.world.contacts[staying].name or shown(
            command.old.scheme, command.old.value, command.old.display
        )
        for thread_id, event in (
            (here, {"type": "reached_at", "address": text, "thread_id": str(there)}),
            (
                there,
                {
                    "type": "moved_away",
                    "address": text,
                    "contact": name,
                    "thread_id": str(here),
                },
            ),
        ):
            self._add_system(self.ids.new(), thread_id, command.at, event, None)
        self.changes.announce(
            "thread.changed", command.organisation_id, command.at, thread_id=there
        )
        return staying

    def _carry_use_over(self, command: c.ChangeIdentity, there: int, here: int) -> None:
        """What they wrote last under the address opens the time in which they may be answered."""
        wrote = self.world.channels.get((there, command.channel_id))
        key = (here, command.channel_id)
        known = self.world.channels.get(key)
        if wrote is None or known is None or wrote.last_inbound_address != command.new.value:
            return
        if (known.last_inbound_at or 0) <= (wrote.last_inbound_at or 0):
            self.world.channels[key] = replace(
                known,
                wrote_at=max(known.wrote_at or 0, wrote.wrote_at or 0),
                last_inbound_at=wrote.last_inbound_at,
                last_inbound_address=wrote.last_inbound_address,
                last_inbound_own=wrote.last_inbound_own,
            )

    def _carry_consents_over(self, command: c.ChangeIdentity) -> None:
        """Who wants no messages wants none under another identity either."""
        org, old, new = command.organisation_id, command.old, command.new
        for consent in sorted(self.world.consents.values(), key=consent_key):
            if (consent.organisation_id, consent.scheme, consent.value) == (
                org,
                old.scheme,
                old.value,
            ):
                carried = replace(consent, scheme=new.scheme, value=new.value, at=command.at)
                if consent_key(carried) not in self.world.consents:
                    owner = self.world.addresses[org, new.scheme, new.value]
                    thread_id = self.world.thread_of.get(owner)
                    self._set_consent(carried, self.ids.new(), thread_id)

    def _media_fetched(self, command: c.MediaFetched) -> int | None:
        attachment = self._attachment(command.organisation_id, command.attachment_id)
        if attachment.state == "ready":
            return None  # another process was faster
        self.world.attachments[attachment.id] = replace(
            attachment,
            state="ready",
            name=command.name,
            content_type=command.content_type,
            size=command.size,
            sha256=command.sha256,
            width=command.width,
            height=command.height,
            reason=None,
            ref=None,
            due_at=None,
        )
        return self._entry_changed(attachment.entry_id, command.at)

    def _media_failed(self, command: c.MediaFailed) -> int | None:
        attachment = self._attachment(command.organisation_id, command.attachment_id)
        if attachment.state != "pending":
            return None  # another process was faster
        self.world.attachments[attachment.id] = replace(
            attachment,
            state="failed" if command.due_at is None else "pending",
            reason=command.reason,
            attempts=attachment.attempts + 1,
            due_at=command.due_at,
        )
        return self._entry_changed(attachment.entry_id, command.at)

    def _attachment(self, org: int, id_: int) -> AttachmentState:
        attachment = self.world.attachments.get(id_)
        if attachment is None or attachment.organisation_id != org:
            raise Refusal("no_attachment", "There is no such file.", kind="missing")
        return attachment

    def _entry_changed(self, entry_id: int | None, at: int) -> int | None:
        entry = self.world.entries.get(entry_id or 0)
        if entry is not None:
            self._announce("entry.changed", entry, at)
        return entry_id

    # -------------------------------------------------------------- what members do

    def _send_message(self, command: c.SendMessage) -> int | None:
        repeated = self._repeated(command.organisation_id, command)
        if repeated is not None:
            return repeated
        if not self._first_said(command.organisation_id, command.channel_id, command.said_in):
            return None
        thread = self._thread_to_write_to(command)
        if not command.confirms:
            self._check_consent(command)
        attachments = [
            self._uploaded(command.organisation_id, id_) for id_ in command.attachment_ids
        ]
        if thread is None:
            thread = self._first_thread(command)
        gated = command.proposal is not None
        entry = Entry(
            id=command.entry_id,
            organisation_id=command.organisation_id,
            thread_id=thread.id,
            seq=thread.seq + 1,
            kind="message",
            grouping=command.grouping,
            direction="out",
            channel_id=command.channel_id,
            scheme=command.address.scheme,
            address=command.address.value,
            own_address=command.own_address,
            author_kind=command.author_kind,
            author_id=command.by_member_id,
            content=contents.encode(self._signed(command.content, command.by_member_id)),
            preview=command.preview,
            status="pending_approval" if gated else _to_send(command),
            status_at=command.at,
            idempotency_key=command.idempotency_key,
            occurred_at=command.at,
            sort_at=command.at,
            created_at=command.at,
        )
        for place, attachment in enumerate(attachments):
            self.world.attachments[attachment.id] = replace(
                attachment, entry_id=entry.id, channel_id=command.channel_id, place=place
            )
        self._remember(command.organisation_id, command)
        if gated:
            self._add(threads.after_outbound(thread, entry, answers=False), entry)
            self._submit(command, entry)
        else:
            self._transmit(command, entry)
            self._add(threads.after_outbound(thread, entry, answers=command.answers), entry)
        return entry.id

    def _transmit(self, command: c.SendMessage, entry: Entry) -> None:
        """Let the outbox have it."""
        transmission = Transmission(
            id=command.transmission_id,
            organisation_id=entry.organisation_id,
            thread_id=entry.thread_id,
            entry_id=entry.id,
            channel_id=command.channel_id,
            scheme=command.address.scheme,
            address=command.address.value,
            own_address=command.own_address,
            kind=command.kind,
            wire=command.wire,
            status=_to_send(command),
            due_at=command.due_at,
            deadline=command.deadline,
            status_at=command.at,
            created_at=command.at,
            confirms=command.confirms,
        )
        self.world.transmissions[transmission.id] = transmission
        self.world.of_entry[entry.id].append(transmission.id)

    def _repeated(self, org: int, command: c.SendMessage | c.AddNote | c.PlaceCall) -> int | None:
        """The entry that the same request made before, if it did."""
        if command.idempotency_key is None:
            return None
        known = self.world.requests.get((org, command.by.id or 0, command.idempotency_key))
        if known is None:
            return None
        if known[0] != command.request:
            raise Refusal(
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request; use a new one for each.",
                kind="conflict",
            )
        return known[1]

    def _remember(self, org: int, command: c.SendMessage | c.AddNote | c.PlaceCall) -> None:
        if command.idempotency_key is None:
            return
        key = (org, command.by.id or 0, command.idempotency_key)
        self.world.requests[key] = (command.request, command.entry_id)
        self.changes.insert(
            t.idempotency_keys,
            {
                "organisation_id": org,
                "member_id": key[1],
                "key": command.idempotency_key,
                "request": command.request,
                "entry_id": command.entry_id,
                "created_at": command.at,
            },
        )

    def _thread_to_write_to(self, command: c.SendMessage | c.PlaceCall) -> Thread | None:
        """The thread a message belongs to; ``None`` for the first one to a new address."""
        owner = self.world.addresses.get(
            (command.organisation_id, command.address.scheme, command.address.value)
        )
        if command.thread_id is None:
            thread_id = self.world.thread_of.get(owner or 0)
            return None if thread_id is None else self.world.threads[thread_id]
        thread = self._thread(command.organisation_id, command.thread_id)
        if command.contact_id != thread.contact_id:
            raise Refusal(
                "contact_mismatch",
                "The message was written to another contact than this conversation's.",
            )
        if owner != thread.contact_id:
            raise Refusal("not_their_address", "The address is not one of this contact's.")
        return thread

    def _first_thread(self, command: c.SendMessage) -> Thread:
        org, address = command.organisation_id, command.address
        contact_id = self.world.addresses.get((org, address.scheme, address.value))
        if contact_id is None:
            contact_id = self._new_contact(org, None, command.at)
            self._new_address(org, contact_id, address, command.at)
        return self._thread_of(org, contact_id, command.at)

    def _check_consent(self, command: c.SendMessage | c.PlaceCall) -> None:
        if isinstance(command, c.SendMessage):
            for value in (*command.content.cc, *command.content.bcc):
                if self._opted_out(
                    command.organisation_id,
                    command.channel_id,
                    command.address.scheme,
                    value,
                    command.own_address,
                ):
                    raise Refusal("opted_out", COPY_OPTED_OUT.format(value))
        if self._opted_out(
            command.organisation_id,
            command.channel_id,
            command.address.scheme,
            command.address.value,
            command.own_address,
        ):
            raise Refusal("opted_out", "They have opted out of messages on this channel.")

    def _opted_out(self, org: int, channel: str, scheme: str, value: str, own: str) -> bool:
        held = in_force(self._consents_of(org, channel, scheme, value), own)
        return held is not None and held.state == "out"

    def _uploaded(self, org: int, id_: int) -> AttachmentState:
        attachment = self._attachment(org, id_)
        if attachment.state != "ready" or attachment.entry_id is not None:
            raise Refusal("attachment_used", "A file can be sent once; upload it again.")
        return attachment

    def _signed(self, content: Content, member_id: int | None) -> Content:
        """``content`` with its author's name, which stays readable when the member is gone."""
        member = self.world.members.get(member_id or 0)
        return content if member is None else replace(content, author=member.name)

    def _add_note(self, command: c.AddNote) -> int:
        repeated = self._repeated(command.organisation_id, command)
        if repeated is not None:
            return repeated
        thread = self._thread(command.organisation_id, command.thread_id)
        entry = Entry(
            id=command.entry_id,
            organisation_id=command.organisation_id,
            thread_id=thread.id,
            seq=thread.seq + 1,
            kind="note",
            grouping="notes",
            direction="internal",
            author_kind="member",
            author_id=command.by_member_id,
            content=contents.encode(
                replace(
                    self._signed(command.content, command.by_member_id),
                    mentions=self._mention(command, thread),
                )
            ),
            preview=command.preview,
            idempotency_key=command.idempotency_key,
            occurred_at=command.at,
            sort_at=command.at,
            created_at=command.at,
        )
        self._remember(command.organisation_id, command)
        self._add(threads.after_note(thread, entry), entry)
        return entry.id

    def _correct_note(self, command: c.CorrectNote) -> int:
        entry = self.world.entries.get(command.entry_id)
        if entry is None or entry.organisation_id != command.organisation_id:
            raise Refusal("no_entry", "There is no such note.", kind="missing")
        if entry.kind != "note":
            raise Refusal("not_a_note", "Only notes can be corrected; what was sent stays.")
        if entry.author_id != command.by_member_id:
            raise Refusal("not_the_author", "Only its author can correct a note.", kind="conflict")
        before = contents.decode(entry.content)
        if before.text == command.text:
            return entry.id
        named = self._mention(command, self.world.threads[entry.thread_id], before.mentions)
        said = contents.encode(replace(before, mentions=named))
        edit = news.Edit(at=command.at, text=command.text)
        self._change_entry(updates.after(replace(entry, content=said), edit), command.at)
        return entry.id

    def _mention(
        self,
        command: c.AddNote | c.CorrectNote,
        thread: Thread,
        before: Mapping[int, str] | None = None,
    ) -> dict[int, str]:
        """Those whom a note names, and who may see its conversation; who was not named ``before``
        gets a mail, if they want that."""
        found: dict[int, str] = {}
        for id_ in command.mentioned:
            member, by = (self.world.members.get(one) for one in (id_, command.by_member_id))
            if (
                member is None
                or not member.active
                or member.organisation_id != command.organisation_id
                or VIEW not in member.capabilities
                or not (member.channels is None or self._seen_by(member, thread))
            ):
                continue
            found[id_] = member.name
            if by is not None and id_ not in (before or {}) and id_ != by.id:
                mail = partial(mentions.mail, by=by.name)
                self._mail(thread, member, mail, command.at)
        return found

    def _thread(self, org: int, thread_id: int) -> Thread:
        thread = self.world.threads.get(thread_id)
        if thread is None or thread.organisation_id != org:
            raise Refusal("no_thread", "There is no such conversation.", kind="missing")
        return thread

    def _change_contact(self, command: c.ChangeContact) -> None:
        org, contact = command.organisation_id, self.world.contacts.get(command.contact_id)
        if contact is None or contact.organisation_id != org:
            raise Refusal("no_contact", "There is no such contact.", kind="missing")
        for name in ("name", "property_address", "account", "lead_id"):
            before, after = getattr(contact, name), getattr(command, name)
            if after is msgspec.UNSET or after == before:
                continue
            contact = replace(contact, **{name: after})
            self.changes.audited(
                self.ids.new(),
                org,
                command.at,
                actor=command.by,
                action=f"contact.{name}",
                object_=("contact", str(contact.id)),
                before=before,
                after=after,
            )
        thread_id = self.world.thread_of.get(contact.id)
        if contact is not self.world.contacts[contact.id] and thread_id is not None:
            self.changes.announce("thread.changed", org, command.at, thread_id=thread_id)
        self.world.contacts[contact.id] = contact

    def _change_thread(self, command: c.ChangeThread) -> None:
        thread = self._thread(command.organisation_id, command.thread_id)
        if command.assign and command.assignee_id is not None:
            assignee = self.world.members.get(command.assignee_id)
            if assignee is None or assignee.organisation_id != command.organisation_id:
                raise Refusal("no_member", "There is no such member.")
            if not assignee.active:
                raise Refusal("inactive_member", f"{assignee.name} is no longer active.")
        if command.assign:
            self._assign(command, thread)
        if command.status is not None:
            self._set_status(command, self.world.threads[thread.id])
        if command.needs_response is not None:
            self._set_needs_response(command, self.world.threads[thread.id])

    def _assign(self, command: c.ChangeThread, thread: Thread) -> None:
        if thread.assignee_id == command.assignee_id:
            return
        if command.assigned_to is not None and thread.assignee_id != command.assigned_to:
            return
        event: dict[str, Any] = {"type": "unassigned"}
        assignee = self.world.members.get(command.assignee_id or 0)
        if assignee is not None:
            event = _assigned("assigned", assignee)
        self.world.threads[thread.id] = replace(thread, assignee_id=command.assignee_id)
        self._thread_event(command, 0, event, "assignee", thread.assignee_id, command.assignee_id)
        if assignee is not None and assignee.id != command.by_member_id:
            by = self.world.members.get(command.by_member_id or 0)
            mail = partial(assignment.mail, by=None if by is None else by.name)
            self._mail(thread, assignee, mail, command.at)

    def _assign_automatically(self, entry: Entry) -> None:
        """The conversation of what has just come in goes to whoever is next, if it is nobody's."""
        org, thread = entry.organisation_id, self.world.threads[entry.thread_id]
        rota = self.world.rotas.get(org)
        if rota is None or thread.assignee_id is not None or entry.channel_id is None:
            return
        rotation = self.world.rotations.get(org)
        turns = {} if rotation is None else _turns.decode(rotation.turns)
        way = rota.settings.of(entry.channel_id)
        busy = partial(self._busy, rota)
        assignee = chosen(
            way, entry.channel_id, rota.members, turns, busy, own_address=entry.own_address
        )
        if assignee is None:
            return
        known = {one.id for one in rota.members}
        turns = {id_: turn for id_, turn in turns.items() if id_ in known}
        turns[assignee.id] = max(turns.values(), default=0) + 1
        text = msgspec.json.encode(turns).decode()
        self.world.rotations[org] = Rotation(organisation_id=org, turns=text)
        self.world.threads[thread.id] = replace(thread, assignee_id=assignee.id)
        self.changes.audited(
            self.ids.new(),
            org,
            entry.created_at,
            actor=SYSTEM,
            action="thread.assignee",
            object_=("thread", str(thread.id)),
            before=None,
            after=assignee.id,
        )
        event = _assigned("assigned_automatically", assignee)
        self._add_system(self.ids.new(), thread.id, entry.created_at, event, None)
        self._mail(thread, assignee, partial(assignment.mail, by=None), entry.created_at)

    def _busy(self, rota: Rota, member_id: int) -> int:
        """How many open conversations are somebody's, with what this batch has changed."""
        return rota.busy.get(member_id, 0) + sum(
            thread.assignee_id == member_id and thread.status == "open"
            for thread in self.world.threads.values()
        )

    def _seen_by(self, member: MemberState, thread: Thread) -> list[ThreadChannel]:
        """What of a conversation's channels somebody may see."""
        return [
            channel
            for (thread_id, id_), channel in self.world.channels.items()
            if thread_id == thread.id and sees(member.channels, id_, channel.last_inbound_own)
        ]

    def _mail(
        self,
        thread: Thread,
        member: MemberState,
        words: Callable[[str | None, str], tuple[str, str]],
        at: int,
    ) -> None:
        """Tell somebody by mail of a conversation, if they want that and may see it. ``words``:
        subject and text, from the contact and the link."""
        seen = self._seen_by(member, thread)
        if self.link is None or not member.mailed or not seen:
            return
        contact = self.world.contacts[thread.contact_id]
        who = contact.name or next(filter(None, (one.last_inbound_address for one in seen)), None)
        subject, text = words(who, self.link(thread.id))
        notice = Notice(
            id=self.ids.new(),
            organisation_id=thread.organisation_id,
            medium="mail",
            recipient=member.email,
            subject=subject,
            text=text,
            html=None,
            due_at=at,
            created_at=at,
        )
        self.changes.insert(t.notices, asdict(notice))

    def _set_status(self, command: c.ChangeThread, thread: Thread) -> None:
        if (thread.status == "closed") == (command.status == "closed"):
            return
        shut = command.status == "closed"
        changed = threads.closed(thread) if shut else threads.reopened(thread)
        self.world.threads[thread.id] = changed
        event = {"type": "closed" if shut else "reopened"}
        self._thread_event(command, 1, event, "status", thread.status, changed.status)

    def _set_needs_response(self, command: c.ChangeThread, thread: Thread) -> None:
        wanted = bool(command.needs_response)
        if thread.needs_response == wanted:
            return
        self.world.threads[thread.id] = (
            threads.needing(thread, command.at) if wanted else threads.answered(thread)
        )
        event = {"type": f"needs_response_{'set' if wanted else 'cleared'}"}
        self._thread_event(command, 2, event, "needs_response", thread.needs_response, wanted)

    def _thread_event(
        self,
        command: c.ChangeThread,
        place: int,
        event: dict[str, Any],
        action: str,
        before: Any,
        after: Any,
    ) -> None:
        """A change of the thread by somebody: a line in the thread, and one in the audit."""
        by = command.by_member_id
        self.changes.audited(
            self.ids.new(),
            command.organisation_id,
            command.at,
            actor=command.by,
            action=f"thread.{action}",
            object_=("thread", str(command.thread_id)),
            before=before,
            after=after,
        )
        self._add_system(command.entry_ids[place], command.thread_id, command.at, event, by)

    def _read_thread(self, command: c.ReadThread) -> None:
        thread = self._thread(command.organisation_id, command.thread_id)
        entry = self.world.entries.get(command.up_to)
        if entry is None or entry.thread_id != thread.id:
            raise Refusal("no_entry", "There is no such entry in this conversation.")
        if entry.seq > thread.read_through:
            self._set_read(thread, entry.seq, command.at)

    def _unread_thread(self, command: c.UnreadThread) -> None:
        thread = self._thread(command.organisation_id, command.thread_id)
        if command.places is None and thread.unread > 0:
            return  # a call, perhaps
        seen = [
            one.seq
            for one in self.world.inbound[thread.id]
            if sees(command.places, one.channel_id, one.own_address)
        ]
        if not seen:
            raise Refusal("nothing_to_read", "The contact has not written yet.")
        if seen[-1] <= thread.read_through:
            self._set_read(thread, seen[-1] - 1, command.at)

    def _set_read(self, thread: Thread, through: int, at: int) -> None:
        unread = [entry for entry in self.world.inbound[thread.id] if entry.seq > through]
        changed = threads.read(thread, through, len(unread))
        self.world.threads[thread.id] = changed
        for key, channel in list(self.world.channels.items()):
            if channel.thread_id == thread.id:
                count = sum(entry.channel_id == channel.channel_id for entry in unread)
                count += channel.unresolved
                if count != channel.unread:
                    self.world.channels[key] = replace(channel, unread=count)
        if changed.unread != thread.unread:
            self.changes.announce("thread.changed", thread.organisation_id, at, thread_id=thread.id)

    def _cancel(self, command: c.CancelEntry) -> int:
        return self._each(command, "canceled", lambda one: sending.canceled(one, command.at))

    def _retry(self, command: c.RetryEntry) -> int:
        def retried(one: Transmission) -> Transmission:
            if one.status != "failed":
                return one
            if not one.confirms and self._opted_out(
                one.organisation_id, one.channel_id, one.scheme, one.address, one.own_address
            ):
                raise Refusal("opted_out", "They have opted out of messages on this channel.")
            return sending.retried(one, command.at, command.deadline)

        if any(one.kind == "call" for one in self._transmissions(command)):
            raise Refusal("not_a_message", "A call is not tried again by itself; call anew.")
        if not any(one.status == "failed" for one in self._transmissions(command)):
            raise Refusal("not_failed", "Only a failed message can be retried.", kind="conflict")
        return self._each(command, "retried", retried)

    def _resolve(self, command: c.ResolveEntry) -> int:
        def resolved(one: Transmission) -> Transmission:
            if one.status != "unknown":
                return one
            return sending.resolved(one, command.at, command.outcome)

        if not any(one.status == "unknown" for one in self._transmissions(command)):
            raise Refusal("not_unknown", "The outcome of this message is known.", kind="conflict")
        return self._each(command, "resolved", resolved)

    # -------------------------------------------------------------- approvals

    def _submit(self, command: c.SendMessage, entry: Entry) -> None:
        """A new message waits for somebody's approval."""
        approval = Approval(
            entry_id=entry.id,
            organisation_id=entry.organisation_id,
            channel_id=command.channel_id,
            member_id=command.by_member_id,
            proposal=command.proposal or "",
            submitted_at=command.at,
        )
        self._keep_approval(approval, entry, command.at)

    def _approve(self, command: c.ApproveMessage) -> int:
        entry, approval = self._waiting(command)
        self._check_decider(command, approval)
        message = command.message
        thread = self._thread_to_write_to(message)
        assert thread is not None  # noqa: S101 — it was named
        self._check_consent(message)
        was = contents.decode(entry.content)
        changed = (was.text, was.subject) != (message.content.text, message.content.subject)
        words = approvals.Words(text=was.text, subject=was.subject)
        entry = replace(
            entry,
            content=contents.encode(replace(message.content, author=was.author)),
            preview=message.preview,
            own_address=message.own_address,
            status=_to_send(message),
            status_reason=None,
            status_at=command.at,
            occurred_at=command.at,
            sort_at=max(command.at, entry.sort_at),
        )
        self._transmit(message, entry)
        self._decide(
            command,
            entry,
            approvals.decided(
                approval,
                "approved",
                by=command.by_member_id,
                name=self._name(command.by_member_id),
                at=command.at,
                original=approvals.encode(words) if changed else None,
            ),
        )
        thread = threads.after_approval(
            self.world.threads[thread.id], entry, answers=message.answers
        )
        self.world.threads[thread.id] = thread
        key = (thread.id, message.channel_id)
        channel = threads.channel_after(self.world.channels.get(key), thread, entry)
        if channel is not None:
            self.world.channels[key] = channel
        return entry.id

    def _hold(self, command: c.HoldMessage) -> int:
        entry, approval = self._waiting(command)
        if (approval.problem, entry.status_reason) != (command.problem, command.detail):
            entry = replace(entry, status_reason=command.detail, status_at=command.at)
            self._change_entry(entry, command.at)
            self._keep_approval(replace(approval, problem=command.problem), entry, command.at)
        return entry.id

    def _reject(self, command: c.RejectMessage) -> int:
        entry, approval = self._waiting(command)
        self._check_decider(command, approval)
        rejected = approvals.decided(
            approval,
            "rejected",
            by=command.by_member_id,
            name=self._name(command.by_member_id),
            at=command.at,
            reason=command.reason,
        )
        entry = replace(
            entry, status="rejected", status_reason=command.reason, status_at=command.at
        )
        self._decide(command, entry, rejected)
        return entry.id

    def _withdraw(self, command: c.WithdrawMessage) -> int:
        entry, approval = self._waiting(command)
        if approval.member_id != command.by_member_id:
            raise Refusal(
                "not_author", "Only who wrote this message may withdraw it.", kind="right"
            )
        withdrawn = approvals.decided(
            approval,
            "withdrawn",
            by=command.by_member_id,
            name=self._name(command.by_member_id),
            at=command.at,
        )
        entry = replace(entry, status="canceled", status_reason=None, status_at=command.at)
        self._decide(command, entry, withdrawn)
        return entry.id

    def _waiting(
        self, command: c.ApproveMessage | c.HoldMessage | c.RejectMessage | c.WithdrawMessage
    ) -> tuple[Entry, Approval]:
        """What waits for approval. Raises ``Refusal`` if it does no more."""
        approval = self.world.approvals.get(command.entry_id)
        if approval is None or approval.organisation_id != command.organisation_id:
            raise approvals.missing()
        if approval.state != "waiting":
            raise approvals.AlreadyDecided(approval)
        return self.world.entries[approval.entry_id], approval

    def _check_decider(
        self, command: c.ApproveMessage | c.RejectMessage, approval: Approval
    ) -> None:
        """Their right may have been withdrawn since they opened the queue."""
        member = self.world.members.get(command.by_member_id)
        may = frozenset[str]() if member is None or not member.active else member.capabilities
        entry = self.world.entries[approval.entry_id]
        seen = member is None or sees(member.channels, entry.channel_id, entry.own_address)
        approvals.check_decider(approval, command.by_member_id, may, seen=seen)

    def _decide(
        self,
        command: c.ApproveMessage | c.RejectMessage | c.WithdrawMessage,
        entry: Entry,
        approval: Approval,
    ) -> None:
        self._change_entry(entry, command.at)
        self._keep_approval(approval, entry, command.at)
        self.changes.audited(
            self.ids.new(),
            entry.organisation_id,
            command.at,
            actor=command.by,
            action=f"approval.{approval.state}",
            object_=("entry", str(entry.id)),
            before={"state": "waiting"},
            after={
                "state": approval.state,
                **({} if approval.reason is None else {"reason": approval.reason}),
                **({} if approval.original is None else {"changed": True}),
            },
        )

    def _keep_approval(self, approval: Approval, entry: Entry, at: int) -> None:
        self.world.approvals[approval.entry_id] = approval
        self._announce("approval.changed", entry, at)

    def _name(self, member_id: int) -> str | None:
        member = self.world.members.get(member_id)
        return None if member is None else member.name

    # -------------------------------------------------------------- calls

    def _call(self, command: c.ResolveCall | c.FollowUpCall | c.ReassignCall) -> Entry:
        entry = self.world.entries.get(command.entry_id)
        if entry is None or entry.organisation_id != command.organisation_id:
            raise Refusal("no_entry", "There is no such call.", kind="missing")
        if entry.kind != "call":
            raise Refusal("not_a_call", "This entry is no call.")
        return entry

    def _resolve_call(self, command: c.ResolveCall) -> int:
        entry = self._call(command)
        if not updates.unresolved(entry):
            raise Refusal("not_unresolved", "This call needs no resolving.", kind="conflict")
        by = self.world.members[command.by_member_id].name
        call = calls.resolved(updates.call_of(entry), command.at, by)
        self._change_call(entry, updates.with_call(entry, call), command.at)
        self._audit_call(command, "resolved", None, call.outcome)
        return entry.id

    def _follow_up(self, command: c.FollowUpCall) -> int:
        entry = self._call(command)
        call = updates.call_of(entry)
        if call.report is None or not call.report.follow_up:
            raise Refusal("no_follow_up", "Nothing was promised in this call.")
        changed = calls.followed_up(call, command.at, done=command.done)
        if changed != call:
            self._change_call(entry, updates.with_call(entry, changed), command.at)
            self._audit_call(command, "followed_up", not command.done, command.done)
        return entry.id

    def _audit_call(
        self,
        command: c.ResolveCall | c.FollowUpCall | c.ReassignCall,
        action: str,
        before: Any,
        after: Any,
    ) -> None:
        self.changes.audited(
            self.ids.new(),
            command.organisation_id,
            command.at,
            actor=command.by,
            action=f"call.{action}",
            object_=("entry", str(command.entry_id)),
            before=before,
            after=after,
        )

    def _reassign(self, command: c.ReassignCall) -> int:
        entry = self._call(command)
        source = self.world.threads[entry.thread_id]
        contact_id = self._new_owner(command, entry, source)
        counts = updates.unresolved(entry)
        if counts:
            entry = self._count_unresolved(entry, -1)
        target = self._thread_of(command.organisation_id, contact_id, command.at)
        moved = replace(
            entry,
            thread_id=target.id,
            seq=target.seq + 1,
            author_id=contact_id if entry.author_kind == "contact" else entry.author_id,
        )
        self.world.entries[moved.id] = moved
        for id_ in self.world.of_entry.get(moved.id, ()):
            one = self.world.transmissions[id_]
            self.world.transmissions[id_] = replace(one, thread_id=target.id)
        self._recount(self.world.threads[source.id], moved)
        reopened = counts and target.status == "closed"
        if reopened:
            self._audit_reopened(target, command.at, command.by)
        target = replace(target, seq=moved.seq, status="open" if reopened else target.status)
        self._recount(target, moved)
        if counts:
            self.world.entries[moved.id] = self._count_unresolved(moved, 1)
        self._announce("entry.removed", entry, command.at)  # where it was
        self._announce("entry.changed", moved, command.at)
        for thread_id, type_ in ((source.id, "call_moved_away"), (target.id, "call_moved_here")):
            event = {"type": type_, "entry_id": str(moved.id)}
            by = command.by_member_id
            self._add_system(self.ids.new(), thread_id, command.at, event, by)
        before = {"contact_id": str(source.contact_id)}
        after = {"contact_id": str(contact_id), "reason": command.reason}
        self._audit_call(command, "reassigned", before, after)
        return moved.id

    def _new_owner(self, command: c.ReassignCall, call: Entry, source: Thread) -> int:
        """The contact a call is moved to."""
        if command.contact_id is not None:
            contact = self.world.contacts.get(command.contact_id)
            foreign = contact is None or contact.organisation_id != command.organisation_id
            if contact is None or foreign or contact.merged_into is not None:
                raise Refusal("no_contact", "There is no such contact.")
            if contact.id == source.contact_id:
                raise Refusal(
                    "same_contact", "The call is in this conversation already.", kind="conflict"
                )
            return contact.id
        others = any(
            one.thread_id == source.id and one.kind != "system" and one.id != call.id
            for one in self.world.entries.values()
        )
        if not others and source.contact_id not in self.world.addresses.values():
            raise Refusal("already_alone", "The call stands alone already.", kind="conflict")
        # Its number is another contact's; without one the number was withheld.
        name = None if call.address is None else ANONYMOUS
        return self._new_contact(command.organisation_id, name, command.at)

    def _recount(self, thread: Thread, call: Entry) -> None:
        """A thread that ``call`` was moved out of or into, by what is in it now."""
        own = [one for one in self.world.entries.values() if one.thread_id == thread.id]
        self.world.threads[thread.id] = threads.moved(thread, own)
        if call.channel_id is None:
            return
        key = (thread.id, call.channel_id)
        of_channel = [one for one in own if one.channel_id == call.channel_id]
        row = threads.channel_moved(
            self.world.channels.get(key), thread, call.channel_id, of_channel
        )
        if row is not None:
            self.world.channels[key] = row
        else:
            self.world.channels.pop(key, None)

    def _place_call(self, command: c.PlaceCall) -> int:
        repeated = self._repeated(command.organisation_id, command)
        if repeated is not None:
            return repeated
        thread = self._thread_to_write_to(command)
        assert thread is not None  # noqa: S101 — it was named
        self._check_consent(command)
        content = self._signed(Content(), command.by_member_id)
        entry = Entry(
            id=command.entry_id,
            organisation_id=command.organisation_id,
            thread_id=thread.id,
            seq=thread.seq + 1,
            kind="call",
            grouping="calls",
            direction="out",
            channel_id=command.channel_id,
            scheme=command.address.scheme,
            address=command.address.value,
            own_address=command.own_address,
            author_kind="member",
            author_id=command.by_member_id,
            content=contents.encode(content),
            preview=calls.preview("out", calls.Call()),
            status="pending",
            status_at=command.at,
            idempotency_key=command.idempotency_key,
            occurred_at=command.at,
            sort_at=command.at,
            created_at=command.at,
        )
        transmission = Transmission(
            id=command.transmission_id,
            organisation_id=command.organisation_id,
            thread_id=thread.id,
            entry_id=entry.id,
            channel_id=command.channel_id,
            scheme=command.address.scheme,
            address=command.address.value,
            own_address=command.own_address,
            kind="call",
            member_address=command.member_address,
            wire="[]",
            status="pending",
            due_at=command.at,
            deadline=command.deadline,
            status_at=command.at,
            created_at=command.at,
        )
        self.world.transmissions[transmission.id] = transmission
        self.world.of_entry[entry.id].append(transmission.id)
        self._remember(command.organisation_id, command)
        self._add(threads.after_outbound(thread, entry, answers=False), entry)
        self._expect_end(entry)
        return entry.id

    def _transmissions(self, command: c.UponMessage) -> list[Transmission]:
        entry = self.world.entries.get(command.entry_id)
        if entry is None or entry.organisation_id != command.organisation_id:
            raise Refusal("no_entry", "There is no such message.", kind="missing")
        found = [self.world.transmissions[id_] for id_ in self.world.of_entry[entry.id]]
        if not found:
            raise Refusal("not_sent_by_us", "This entry is no message that goes out.")
        return found

    def _each(
        self,
        command: c.UponMessage,
        action: str,
        change: Callable[[Transmission], Transmission],
    ) -> int:
        changed = [change(one) for one in self._transmissions(command)]
        before = self.world.entries[command.entry_id].status
        for transmission in changed:
            self._change_transmission(transmission, command.at)
        self.changes.audited(
            self.ids.new(),
            command.organisation_id,
            command.at,
            actor=command.by,
            action=f"message.{action}",
            object_=("entry", str(command.entry_id)),
            before=before,
            after=self.world.entries[command.entry_id].status,
        )
        return command.entry_id

    # -------------------------------------------------------------- the outbox

    def _transmission(self, command: c.Step | c.SendUnknown | c.SendAbsent) -> Transmission:
        transmission = self.world.transmissions.get(command.transmission_id)
        if transmission is None or transmission.organisation_id != command.organisation_id:
            raise Refusal("no_transmission", "There is no such message.", kind="missing")
        return transmission

    def _start(self, command: c.StartSending) -> int:
        transmission = self._transmission(command)
        unwanted = self._unwanted(transmission, *command.copies)
        if unwanted is not None:
            detail = "They have opted out of messages on this channel."
            if unwanted != transmission.address:
                detail = COPY_OPTED_OUT.format(unwanted)
            refused = sending.failed(
                transmission, command.token, command.at, "opted_out", detail, None
            )
            self._change_transmission(refused, command.at)
            return 0
        if transmission.kind == "call" and command.at > transmission.deadline:
            detail = "The call could not be started in time. Call again."
            late = sending.failed(transmission, command.token, command.at, "other", detail, None)
            self._change_transmission(late, command.at)
            return 0
        self._change_transmission(
            sending.started(transmission, command.token, command.at), command.at
        )
        return transmission.entry_id

    def _unwanted(self, one: Transmission, *copies: str) -> str | None:
        """Who of those it goes to has opted out."""
        people = () if one.confirms else (one.address, *copies)
        return next(
            (
                value
                for value in people
                if self._opted_out(
                    one.organisation_id, one.channel_id, one.scheme, value, one.own_address
                )
            ),
            None,
        )

    def _again(self, command: c.SendAgain) -> int:
        transmission = self._transmission(command)
        changed = sending.repeated(transmission, command.token, command.at, command.lease_until)
        if (
            self._unwanted(transmission) is not None
        ):  # what went out stays unknown, and nothing more goes out
            changed = replace(transmission, deadline=command.at - 1, due_at=command.at)
        self._change_transmission(changed, command.at)
        return transmission.entry_id if changed.status == "sending" else 0

    def _accepted(self, command: c.SendAccepted) -> int:
        transmission = self._transmission(command)
        for external_id in command.external_ids:
            key = (transmission.organisation_id, transmission.channel_id, external_id)
            owner = self.world.external.get(key, ExternalId()).transmission_id
            if owner not in {None, transmission.id}:
                raise Refusal(
                    "id_taken", "The provider's id belongs to another message.", kind="conflict"
                )
        changed = sending.accepted(
            transmission, command.token, command.at, command.external_ids, command.status
        )
        self._change_transmission(changed, command.at)
        if command.threads:
            self._keep_name(changed.entry_id, command.external_ids[0])
        for external_id in command.external_ids:
            key = (changed.organisation_id, changed.channel_id, external_id)
            known = self.world.external.get(key, ExternalId())
            self.world.external[key] = ExternalId(changed.thread_id, changed.entry_id, changed.id)
            if known.entry_id not in {None, changed.entry_id}:
                self._forget_echo(known.entry_id or 0, changed.entry_id, command.at)
            for receipt in self._told_of(key):  # those that came first
                self._report(self.world.transmissions[changed.id], external_id, receipt)
            if known.entry_id != changed.entry_id:  # it was nobody's, or an echo's that came first
                self._hear_all(key, changed.entry_id, command.at)
        return changed.entry_id

    def _keep_name(self, entry_id: int, external_id: str) -> None:
        """Keep with an entry what the provider calls it, so that others can name it."""
        entry = self.world.entries[entry_id]
        if entry.external_id != external_id:
            self.world.entries[entry_id] = replace(entry, external_id=external_id)

    def _forget_echo(self, echo_id: int, own_id: int, at: int) -> None:
        """The echo of a message of ours has come before the provider's answer to the sending, and
        was taken for one that was written elsewhere: there is one entry, that of the sending. In
        another conversation, where the address has changed its owner meanwhile, it stays."""
        echo, own = self.world.entries.get(echo_id), self.world.entries[own_id]
        if echo is None or (echo.author_kind, echo.kind) != ("elsewhere", "message"):
            return
        if echo.thread_id != own.thread_id or echo.channel_id != own.channel_id:
            return
        del self.world.entries[echo.id]
        for id_, file in list(self.world.attachments.items()):
            if file.entry_id == echo.id:
                del self.world.attachments[id_]
        thread = self.world.threads[own.thread_id]
        rest = [one for one in self.world.entries.values() if one.thread_id == thread.id]
        self.world.threads[thread.id] = threads.without_echo(thread, echo, rest)
        key = (thread.id, own.channel_id or "")
        self.world.channels[key] = threads.channel_without(
            self.world.channels[key], [one for one in rest if one.channel_id == own.channel_id]
        )
        self._announce("entry.removed", echo, at)

    def _failed(self, command: c.SendFailed) -> int:
        transmission = self._transmission(command)
        changed = sending.failed(
            transmission,
            command.token,
            command.at,
            command.reason,
            command.detail,
            command.provider_code,
        )
        self._change_transmission(changed, command.at)
        return changed.entry_id

    def _deferred(self, command: c.SendDeferred) -> int:
        changed = sending.deferred(
            self._transmission(command), command.token, command.at, command.due_at, command.detail
        )
        self._change_transmission(changed, command.at)
        return changed.entry_id

    def _held(self, command: c.SendHeld) -> int:
        changed = sending.held(
            self._transmission(command), command.token, command.at, command.due_at
        )
        self._change_transmission(changed, command.at)
        return changed.entry_id

    def _released(self, command: c.SendReleased) -> int:
        changed = sending.released(
            self._transmission(command), command.token, command.at, command.due_at
        )
        self._change_transmission(changed, command.at)
        return changed.entry_id

    def _unknown(self, command: c.SendUnknown) -> int:
        changed = sending.unknown(
            self._transmission(command),
            command.token,
            command.at,
            command.detail,
            command.due_at,
        )
        self._change_transmission(changed, command.at)
        return changed.entry_id

    def _absent(self, command: c.SendAbsent) -> int:
        transmission = self._transmission(command)
        if transmission.attempts != command.attempt:
            raise Refusal("not_this_attempt", "It was tried again meanwhile.", kind="conflict")
        changed = sending.absent(transmission, command.at)
        self._change_transmission(changed, command.at)
        return changed.entry_id

    # -------------------------------------------------------------- what they share

    def _change_transmission(self, changed: Transmission, at: int) -> None:
        """Keep a transmission, and what follows for its entry, thread and consent."""
        before = self.world.transmissions[changed.id]
        self.world.transmissions[changed.id] = changed
        if changed.status == "failed" and before.status != "failed":
            self._after_failure(changed, at)
        entry = self.world.entries[changed.entry_id]
        all_ = [self.world.transmissions[id_] for id_ in self.world.of_entry[entry.id]]
        status = statuses.of_entry(one.status for one in all_)
        telling = next((one for one in all_ if one.status in {"failed", "unknown"}), None)
        reason = None if telling is None else telling.detail
        if (entry.status, entry.status_reason) == (status, reason):
            return
        entry = replace(entry, status=status, status_reason=reason, status_at=at)
        if entry.kind == "call":
            preview = calls.preview(entry.direction, updates.call_of(entry), status)
            entry = replace(entry, preview=preview)
        self._change_entry(entry, at)

    def _after_failure(self, failed: Transmission, at: int) -> None:
        """A provider that refuses who has opted out tells us of the opt-out."""
        if failed.reason != "opted_out" or self._opted_out(
            failed.organisation_id,
            failed.channel_id,
            failed.scheme,
            failed.address,
            failed.own_address,
        ):
            return
        consent = Consent(
            organisation_id=failed.organisation_id,
            channel_id=failed.channel_id,
            scheme=failed.scheme,
            value=failed.address,
            own_address=failed.own_address,
            state="out",
            how="the provider says so",
            at=at,
        )
        self._set_consent(consent, self.ids.new(), failed.thread_id)

    def _add(self, thread: Thread, entry: Entry) -> None:
        """Add an entry to its thread (as it is after it), and say so."""
        self.world.threads[thread.id] = thread
        self.world.entries[entry.id] = entry
        if entry.channel_id is not None:
            key = (thread.id, entry.channel_id)
            channel = threads.channel_after(self.world.channels.get(key), thread, entry)
            if channel is not None:
                self.world.channels[key] = channel
        self._announce("entry.added", entry, entry.created_at)

    def _add_system(
        self, entry_id: int, thread_id: int, at: int, event: dict[str, Any], by: int | None
    ) -> None:
        thread = self.world.threads[thread_id]
        member = self.world.members.get(by or 0)
        event = {**event, "by": None if member is None else member.name}
        text = SYSTEM_LINES[event["type"]].format_map(event)
        entry = Entry(
            id=entry_id,
            organisation_id=thread.organisation_id,
            thread_id=thread.id,
            seq=thread.seq + 1,
            kind="system",
            grouping="system",
            direction="internal",
            author_kind="system" if by is None else "member",
            author_id=by,
            content=contents.encode(Content(text=text, event=event)),
            preview=contents.one_line(text),
            occurred_at=at,
            sort_at=at,
            created_at=at,
        )
        self._add(threads.after_system(thread, entry), entry)

    def _announce(self, type_: str, entry: Entry, at: int) -> None:
        self.changes.announce(
            type_,
            entry.organisation_id,
            at,
            thread_id=entry.thread_id,
            entry_id=entry.id,
            channel_id=entry.channel_id,
        )


def _assigned(type_: str, assignee: MemberState) -> dict[str, Any]:
    return {"type": type_, "assignee": assignee.name, "assignee_id": str(assignee.id)}


def _to_send(command: c.SendMessage) -> str:
    return "scheduled" if command.due_at > command.at else "pending"


def _same_channel(transmission: Transmission, command: c.ReceiveReceipt) -> bool:
    """A channel's payload cannot reach another channel's messages."""
    return (
        transmission.organisation_id == command.organisation_id
        and transmission.channel_id == command.channel_id
    )
