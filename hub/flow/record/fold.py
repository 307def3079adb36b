"""Carrying out commands, in order, upon what was loaded.

Each command is carried out whole or refused whole: what may refuse is asked before anything is
changed. Counts and journal come from what really changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from hub.flow.record.changes import Changes
from hub.flow.record.world import (
    AttachmentState,
    Contact,
    ExternalId,
    Inbound,
    StoredReceipt,
    World,
    consent_key,
)
from hub.plugin.types import MediaRef
from hub.rules import commands as c
from hub.rules import content as contents
from hub.rules import sending, statuses, threads
from hub.rules.content import Content
from hub.rules.states import Consent, Entry, Refusal, Thread, Transmission
from hub.store import tables as t
from hub.store.ids import Ids

_ref_encoder = msgspec.json.Encoder()

SYSTEM_LINES = {
    "assigned": "Assigned to {assignee}",
    "unassigned": "Unassigned",
    "closed": "Closed",
    "reopened": "Reopened",
    "needs_response_set": "Marked as needing a response",
    "needs_response_cleared": "Marked as needing no response",
    "opted_out": "Opted out: {how}",
    "opted_in": "Opted in: {how}",
}
"""What a system entry reads like where nothing draws it from its event."""


class Fold:
    """One batch being carried out."""

    def __init__(self, world: World, changes: Changes, ids: Ids) -> None:
        self.world = world
        self.changes = changes
        self.ids = ids
        self._handlers: dict[type[c.Command], Callable[[Any], int | None]] = {
            c.KeepDelivery: self._keep_delivery,
            c.ReceiveMessage: self._receive_message,
            c.ReceiveReceipt: self._receive_receipt,
            c.ChangeConsent: self._change_consent,
            c.MediaFetched: self._media_fetched,
            c.MediaFailed: self._media_failed,
            c.SendMessage: self._send_message,
            c.AddNote: self._add_note,
            c.ChangeThread: self._change_thread,
            c.ReadThread: self._read_thread,
            c.UnreadThread: self._unread_thread,
            c.CancelEntry: self._cancel,
            c.RetryEntry: self._retry,
            c.ResolveEntry: self._resolve,
            c.StartSending: self._start,
            c.SendAccepted: self._accepted,
            c.SendFailed: self._failed,
            c.SendDeferred: self._deferred,
            c.SendReleased: self._released,
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
        key = (command.organisation_id, command.channel_id, command.external_id)
        known = self.world.external.get(key)
        if known is not None and known.entry_id is not None:
            return known.entry_id  # delivered again
        contact_id = self._contact_of(command)
        thread = self._thread_of(command.organisation_id, contact_id, command.at)
        sender = command.sender[0] if command.sender else None
        entry = Entry(
            id=command.entry_id,
            organisation_id=command.organisation_id,
            thread_id=thread.id,
            seq=thread.seq + 1,
            kind="message",
            grouping=command.grouping,
            direction="in",
            channel_id=command.channel_id,
            scheme=sender.scheme if sender else None,
            address=sender.value if sender else None,
            own_address=command.own_address,
            author_kind="contact",
            author_id=contact_id,
            content=contents.encode(command.content),
            preview=command.preview,
            delivery_id=command.delivery_id,
            occurred_at=command.at if command.occurred_at is None else command.occurred_at,
            sort_at=threads.sort_time(command.at, command.occurred_at),
            created_at=command.at,
        )
        self.world.external[key] = ExternalId(thread.id, entry.id, None)
        for place, (attachment_id, ref) in enumerate(command.media):
            self._expect_media(command, entry, place, attachment_id, ref)
        self._add(threads.after_inbound(thread, entry, asks=command.asks), entry)
        inbound = Inbound(entry.seq, entry.channel_id)
        if thread.id in self.world.inbound:
            self.world.inbound[thread.id].append(inbound)
            self.world.last_inbound[thread.id] = inbound
        return entry.id

    def _contact_of(self, command: c.ReceiveMessage) -> int:
        """Whose message it is. Of several contacts that match, the one with a verified identity,
        then the one who was active last; nothing is merged here."""
        org = command.organisation_id
        matches = [
            (address.verified, self._last_active(contact_id), contact_id)
            for address in command.sender
            if (contact_id := self.world.addresses.get((org, address.scheme, address.value)))
            is not None
        ]
        if matches:
            contact_id = max(matches)[2]
            contact = self.world.contacts[contact_id]
            if contact.name is None and command.sender_name:
                self.world.contacts[contact_id] = replace(contact, name=command.sender_name)
        else:
            contact_id = self._new_contact(org, command.sender_name, command.at)
        for address in command.sender:
            if (org, address.scheme, address.value) not in self.world.addresses:
                self._new_address(org, contact_id, address, command.at)
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

    def _expect_media(
        self, command: c.ReceiveMessage, entry: Entry, place: int, id_: int, ref: MediaRef
    ) -> None:
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
            due_at=command.at,
            created_at=command.at,
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
        if transmission is None or not _same_channel(transmission, command):
            return None  # came first: it waits for the message it is about
        told = [receipt]
        if names.transmission_id is None:  # our own id names it before the send was accepted
            self.world.external[key] = ExternalId(
                transmission.thread_id, transmission.entry_id, transmission.id
            )
            told = list(seen.values())
        for each in told:
            self._report(self.world.transmissions[transmission.id], command.external_id, each)
        return transmission.entry_id

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

    def _change_consent(self, command: c.ChangeConsent) -> int | None:
        consent = Consent(
            organisation_id=command.organisation_id,
            channel_id=command.channel_id,
            scheme=command.address.scheme,
            value=command.address.value,
            own_address=command.own_address,
            state=command.state,
            how=command.how,
            by_member_id=command.by_member_id,
            at=command.at,
        )
        contact_id = self.world.addresses.get(
            (command.organisation_id, command.address.scheme, command.address.value)
        )
        thread_id = self.world.thread_of.get(contact_id or 0)
        return self._set_consent(consent, command.entry_id, thread_id)

    def _set_consent(self, consent: Consent, entry_id: int, thread_id: int | None) -> int | None:
        """Keep a consent, with a line in the contact's thread; nothing if it says so already."""
        key = consent_key(consent)
        before = self.world.consents.get(key)
        if before is not None and before.state == consent.state:
            return None
        self.world.consents[key] = consent
        actor = ("system" if consent.by_member_id is None else "member", consent.by_member_id)
        self.changes.audited(
            self.ids.new(),
            consent.organisation_id,
            consent.at,
            actor=actor,
            action=f"consent.{consent.state}",
            object_=("address", f"{consent.channel_id}/{consent.scheme}/{consent.value}"),
            before=None if before is None else before.state,
            after={"state": consent.state, "how": consent.how},
        )
        if thread_id is None:
            return None
        event = {
            "type": f"opted_{consent.state}",
            "address": consent.value,
            "channel": consent.channel_id,
            "how": consent.how,
        }
        self._add_system(entry_id, thread_id, consent.at, event, consent.by_member_id)
        return entry_id

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

    def _send_message(self, command: c.SendMessage) -> int:
        repeated = self._repeated(command.organisation_id, command)
        if repeated is not None:
            return repeated
        thread = self._thread_to_write_to(command)
        self._check_consent(command)
        attachments = [
            self._uploaded(command.organisation_id, id_) for id_ in command.attachment_ids
        ]
        if thread is None:
            thread = self._first_thread(command)
        scheduled = command.due_at > command.at
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
            status="scheduled" if scheduled else "pending",
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
            wire=command.wire,
            status="scheduled" if scheduled else "pending",
            due_at=command.due_at,
            deadline=command.deadline,
            status_at=command.at,
            created_at=command.at,
        )
        self.world.transmissions[transmission.id] = transmission
        self.world.of_entry[entry.id].append(transmission.id)
        for place, attachment in enumerate(attachments):
            self.world.attachments[attachment.id] = replace(
                attachment, entry_id=entry.id, channel_id=command.channel_id, place=place
            )
        self._remember(command.organisation_id, command)
        self._add(threads.after_outbound(thread, entry, answers=command.answers), entry)
        return entry.id

    def _repeated(self, org: int, command: c.SendMessage | c.AddNote) -> int | None:
        """The entry that the same request made before, if it did."""
        if command.idempotency_key is None or command.by_member_id is None:
            return None
        known = self.world.requests.get((org, command.by_member_id, command.idempotency_key))
        if known is None:
            return None
        if known[0] != command.request:
            raise Refusal(
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request; use a new one for each.",
                kind="conflict",
            )
        return known[1]

    def _remember(self, org: int, command: c.SendMessage | c.AddNote) -> None:
        if command.idempotency_key is None or command.by_member_id is None:
            return
        key = (org, command.by_member_id, command.idempotency_key)
        self.world.requests[key] = (command.request, command.entry_id)
        self.changes.insert(
            t.idempotency_keys,
            {
                "organisation_id": org,
                "member_id": command.by_member_id,
                "key": command.idempotency_key,
                "request": command.request,
                "entry_id": command.entry_id,
                "created_at": command.at,
            },
        )

    def _thread_to_write_to(self, command: c.SendMessage) -> Thread | None:
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

    def _check_consent(self, command: c.SendMessage) -> None:
        if self._opted_out(
            command.organisation_id,
            command.channel_id,
            command.address.scheme,
            command.address.value,
            command.own_address,
        ):
            raise Refusal("opted_out", "They have opted out of messages on this channel.")

    def _opted_out(self, org: int, channel: str, scheme: str, value: str, own: str) -> bool:
        return any(
            consent is not None and consent.state == "out"
            for consent in (
                self.world.consents.get((org, channel, scheme, value, "")),
                self.world.consents.get((org, channel, scheme, value, own)),
            )
        )

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
            content=contents.encode(self._signed(command.content, command.by_member_id)),
            preview=command.preview,
            idempotency_key=command.idempotency_key,
            occurred_at=command.at,
            sort_at=command.at,
            created_at=command.at,
        )
        self._remember(command.organisation_id, command)
        self._add(threads.after_note(thread, entry), entry)
        return entry.id

    def _thread(self, org: int, thread_id: int) -> Thread:
        thread = self.world.threads.get(thread_id)
        if thread is None or thread.organisation_id != org:
            raise Refusal("no_thread", "There is no such conversation.", kind="missing")
        return thread

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
        event: dict[str, Any] = {"type": "unassigned"}
        if command.assignee_id is not None:
            name = self.world.members[command.assignee_id].name
            event = {"type": "assigned", "assignee": name}
        self.world.threads[thread.id] = replace(thread, assignee_id=command.assignee_id)
        self._thread_event(command, 0, event, "assignee", thread.assignee_id, command.assignee_id)

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
        self.world.threads[thread.id] = replace(thread, needs_response=wanted)
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
            actor=("system" if by is None else "member", by),
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
        last = self.world.last_inbound.get(thread.id)
        if last is None:
            raise Refusal("nothing_to_read", "The contact has not written yet.")
        if thread.unread == 0:
            self.world.inbound[thread.id] = [last]
            self._set_read(thread, last.seq - 1, command.at)

    def _set_read(self, thread: Thread, through: int, at: int) -> None:
        unread = [entry for entry in self.world.inbound[thread.id] if entry.seq > through]
        self.world.inbound[thread.id] = unread
        changed = threads.read(thread, through, len(unread))
        self.world.threads[thread.id] = changed
        for key, channel in list(self.world.channels.items()):
            if channel.thread_id == thread.id:
                count = sum(entry.channel_id == channel.channel_id for entry in unread)
                if count != channel.unread:
                    self.world.channels[key] = replace(channel, unread=count)
        if changed.unread != thread.unread:
            self.changes.announce("thread.changed", thread.organisation_id, at, thread_id=thread.id)

    def _cancel(self, command: c.CancelEntry) -> int:
        return self._each(command, lambda one: sending.canceled(one, command.at))

    def _retry(self, command: c.RetryEntry) -> int:
        def retried(one: Transmission) -> Transmission:
            if one.status != "failed":
                return one
            if self._opted_out(
                one.organisation_id, one.channel_id, one.scheme, one.address, one.own_address
            ):
                raise Refusal("opted_out", "They have opted out of messages on this channel.")
            return sending.retried(one, command.at, command.deadline)

        if not any(one.status == "failed" for one in self._transmissions(command)):
            raise Refusal("not_failed", "Only a failed message can be retried.", kind="conflict")
        return self._each(command, retried)

    def _resolve(self, command: c.ResolveEntry) -> int:
        def resolved(one: Transmission) -> Transmission:
            if one.status != "unknown":
                return one
            return sending.resolved(one, command.at, command.outcome)

        if not any(one.status == "unknown" for one in self._transmissions(command)):
            raise Refusal("not_unknown", "The outcome of this message is known.", kind="conflict")
        return self._each(command, resolved)

    def _transmissions(
        self, command: c.CancelEntry | c.RetryEntry | c.ResolveEntry
    ) -> list[Transmission]:
        entry = self.world.entries.get(command.entry_id)
        if entry is None or entry.organisation_id != command.organisation_id:
            raise Refusal("no_entry", "There is no such message.", kind="missing")
        found = [self.world.transmissions[id_] for id_ in self.world.of_entry[entry.id]]
        if not found:
            raise Refusal("not_sent_by_us", "This entry is no message that goes out.")
        return found

    def _each(
        self,
        command: c.CancelEntry | c.RetryEntry | c.ResolveEntry,
        change: Callable[[Transmission], Transmission],
    ) -> int:
        changed = [change(one) for one in self._transmissions(command)]
        for transmission in changed:
            self._change_transmission(transmission, command.at)
        return command.entry_id

    # -------------------------------------------------------------- the outbox

    def _transmission(self, command: c.Step | c.SendUnknown | c.SendAbsent) -> Transmission:
        transmission = self.world.transmissions.get(command.transmission_id)
        if transmission is None or transmission.organisation_id != command.organisation_id:
            raise Refusal("no_transmission", "There is no such message.", kind="missing")
        return transmission

    def _start(self, command: c.StartSending) -> int:
        transmission = self._transmission(command)
        if self._opted_out(
            transmission.organisation_id,
            transmission.channel_id,
            transmission.scheme,
            transmission.address,
            transmission.own_address,
        ):
            detail = "They have opted out of messages on this channel."
            refused = sending.failed(
                transmission, command.token, command.at, "opted_out", detail, None
            )
            self._change_transmission(refused, command.at)
            return 0
        self._change_transmission(
            sending.started(transmission, command.token, command.at), command.at
        )
        return transmission.entry_id

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
        for external_id in command.external_ids:
            key = (changed.organisation_id, changed.channel_id, external_id)
            self.world.external[key] = ExternalId(changed.thread_id, changed.entry_id, changed.id)
            for receipt in self.world.receipts[key].values():  # those that came first
                self._report(self.world.transmissions[changed.id], external_id, receipt)
        return changed.entry_id

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
        self.world.entries[entry.id] = entry
        thread = self.world.threads[entry.thread_id]
        if thread.last_entry_id == entry.id:
            self.world.threads[thread.id] = replace(thread, preview_status=status)
        self._announce("entry.changed", entry, at)

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


def _same_channel(transmission: Transmission, command: c.ReceiveReceipt) -> bool:
    """A channel's payload cannot reach another channel's messages."""
    return (
        transmission.organisation_id == command.organisation_id
        and transmission.channel_id == command.channel_id
    )
