"""Every route that changes something writes a line of who, when, from where, before and after, or
stands here with the reason why it does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import sqlalchemy as sa
from pyotp.totp import TOTP

from hub.rules import updates
from hub.rules.calls import Call
from hub.rules.news import CallReport
from hub.store import tables as t
from tests.hubs import PASSWORD, Client, HubProcess, wait_for
from tests.people.conftest import CONFIG, House
from tests.people.signing_in import forget_last_code, signed_in, token_in, write
from tests.people.test_passkeys import device_of
from tests.web.asking import DOCUMENT

ORG = "/api/v1/organisations/{org}"
AUDITED = {
    "POST /api/v1/invitations/accept": "invitation.accepted",
    "POST /api/v1/invitations/join": "invitation.accepted",
    "POST /api/v1/me/password": "password.changed",
    "POST /api/v1/me/totp/confirm": "second_factor.added",
    "POST /api/v1/me/recovery-codes": "recovery_codes.made",
    "POST /api/v1/me/totp/remove": "totp.removed",
    "POST /api/v1/me/passkeys/confirm": "passkey.added",
    "PATCH /api/v1/me/passkeys/{passkey_id}": "passkey.renamed",
    "POST /api/v1/me/passkeys/{passkey_id}/remove": "passkey.removed",
    "POST /api/v1/me/second-factor/remove": "second_factor.removed",
    "POST /api/v1/password-resets/use": "password.reset",
    "DELETE /api/v1/sessions/{session_id}": "session.ended",
    "POST /api/v1/sessions/end-others": "session.others_ended",
    f"PATCH {ORG}/threads/{{thread_id}}": "thread.assignee",
    f"PATCH {ORG}/contacts/{{contact_id}}": "contact.account",
    f"POST {ORG}/contacts/{{contact_id}}/consent": "consent.out",
    f"POST {ORG}/approvals/{{approval_id}}/approve": "approval.approved",
    f"POST {ORG}/approvals/{{approval_id}}/reject": "approval.rejected",
    f"POST {ORG}/approvals/{{approval_id}}/withdraw": "approval.withdrawn",
    f"POST {ORG}/entries/{{entry_id}}/cancel": "message.canceled",
    f"POST {ORG}/entries/{{entry_id}}/retry": "message.retried",
    f"POST {ORG}/entries/{{entry_id}}/resolve": "message.resolved",
    f"POST {ORG}/entries/{{entry_id}}/follow-up": "call.followed_up",
    f"POST {ORG}/entries/{{entry_id}}/reassign": "call.reassigned",
    f"PATCH {ORG}/settings": "settings.changed",
    f"POST {ORG}/channels/{{channel_id}}/pause": "channel.paused",
    f"POST {ORG}/channels/{{channel_id}}/resume": "channel.resumed",
    f"POST {ORG}/channels/{{channel_id}}/deliveries/replay": "deliveries.replayed",
    f"POST {ORG}/channels/{{channel_id}}/deliveries/{{delivery_id}}/replay": "delivery.replayed",
    f"PATCH {ORG}/membership": "member.changed",
    f"PATCH {ORG}/members/{{member_id}}": "member.changed",
    f"POST {ORG}/members/{{member_id}}/deactivate": "member.deactivated",
    f"POST {ORG}/members/{{member_id}}/reactivate": "member.reactivated",
    f"POST {ORG}/members/{{member_id}}/password-reset": "password.reset_made",
    f"POST {ORG}/members/{{member_id}}/second-factor/reset": "second_factor.reset",
    f"POST {ORG}/members/invitations": "invitation.made",
    f"POST {ORG}/members/invitations/{{invitation_id}}/send": "invitation.sent_again",
    f"DELETE {ORG}/members/invitations/{{invitation_id}}": "invitation.revoked",
    f"POST {ORG}/roles": "role.made",
    f"PATCH {ORG}/roles/{{role_id}}": "role.changed",
    f"DELETE {ORG}/roles/{{role_id}}": "role.deleted",
    f"POST {ORG}/tokens": "token.made",
    f"DELETE {ORG}/tokens/{{token_id}}": "token.revoked",
}
"""What a route writes; each is walked below."""

SAYS_ITSELF = "the conversation has it, with who wrote it and when"
CHANGES_NOTHING = "it looks, and changes nothing"
OWN = "it concerns nobody but whoever asks, and gives no right"
EXCEPTIONS = {
    "POST /api/v1/session": "signing in is a session, which its owner sees and can end",
    "POST /api/v1/session/second": "the same with a code; a recovery code that is used is audited",
    "DELETE /api/v1/session": OWN,
    "PATCH /api/v1/me": OWN,
    "PUT /api/v1/me/push": OWN,
    "DELETE /api/v1/me/push": OWN,
    "POST /api/v1/session/passkey": CHANGES_NOTHING,
    "POST /api/v1/session/passkey/use": "signing in, as with a password",
    "POST /api/v1/session/second/passkey": CHANGES_NOTHING,
    "POST /api/v1/session/second/passkey/use": "signing in, as with a password",
    "POST /api/v1/me/passkeys": "nothing is asked for until it is confirmed",
    "POST /api/v1/me/totp": "nothing is asked for until it is confirmed",
    "POST /api/v1/password-resets": "anybody may ask; using the link is audited",
    "POST /api/v1/password-resets/look": CHANGES_NOTHING,
    "POST /api/v1/invitations/look": CHANGES_NOTHING,
    f"POST {ORG}/messages": SAYS_ITSELF,
    f"POST {ORG}/threads/{{thread_id}}/messages": SAYS_ITSELF,
    f"POST {ORG}/threads/{{thread_id}}/calls": SAYS_ITSELF,
    f"POST {ORG}/threads/{{thread_id}}/notes": SAYS_ITSELF,
    f"POST {ORG}/entries/{{entry_id}}/correct": SAYS_ITSELF,
    f"POST {ORG}/threads/{{thread_id}}/preview": CHANGES_NOTHING,
    f"POST {ORG}/messages/preview": CHANGES_NOTHING,
    f"POST {ORG}/threads/{{thread_id}}/read": "the team reads all day; it is no status",
    f"POST {ORG}/threads/{{thread_id}}/unread": "the team reads all day; it is no status",
    f"POST {ORG}/attachments": "it is nothing until it is sent",
    f"POST {ORG}/jobs/{{job_id}}/cancel": OWN,
    f"POST {ORG}/channels/{{channel_id}}/check": CHANGES_NOTHING,
    f"POST {ORG}/channels/{{channel_id}}/deliveries/{{delivery_id}}/dry-run": CHANGES_NOTHING,
}
CALLS = """
[[channels]]
id = "calls"
organisation = "main"
plugin = "simulator-calls"
[channels.settings]
numbers = ["+12025550900"]
"""
CHANGING = {
    f"{method.upper()} {path}"
    for path, methods in DOCUMENT["paths"].items()
    for method in methods
    if method.upper() in {"POST", "PUT", "PATCH", "DELETE"}
}


@pytest.mark.feature("ASGN-05")
def test_every_changing_route_is_named() -> None:
    assert AUDITED.keys() | EXCEPTIONS.keys() == CHANGING
    assert not AUDITED.keys() & EXCEPTIONS.keys()


class Walk:
    """Asks for changes and looks at what the audit says of each."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.walked: set[str] = set()
        self._known = {row.id for row in house.rows(t.audit)}

    def new_lines(self) -> list[Any]:
        """What was written since this was asked last."""
        rows = [row for row in self.house.rows(t.audit) if row.id not in self._known]
        self._known |= {row.id for row in rows}
        return rows

    def do(
        self, place: str, client: Client | httpx2.Client, body: Any = None, **names: str
    ) -> httpx2.Response:
        """A change, and its line."""
        self.new_lines()
        method, _, path = place.partition(" ")
        http = client.http if isinstance(client, Client) else client
        address = path.format(org="main", **names)
        answer = http.request(method, address, json=body)
        assert answer.is_success, (place, answer.text)
        lines = [row for row in self.new_lines() if row.action == AUDITED[place]]
        assert lines, f"{place} writes no {AUDITED[place]}"
        for line in lines:
            assert line.actor_kind == "member"
            assert line.actor_id is not None
            assert line.remote == "127.0.0.1"
            assert line.at > 0
            assert line.object_id
        self.walked.add(place)
        return answer


@contextmanager
def calling_house(folder: Path) -> Iterator[House]:
    with HubProcess(folder, config=CONFIG + CALLS) as hub:
        house = House(hub, f"sqlite:///{folder / 'data' / 'hub.db'}", hub.client(), [])
        yield house
        for client in house.clients:
            client.close()


@pytest.mark.feature("ASGN-05")
def test_each_of_them_writes_a_line(tmp_path: Path) -> None:
    with calling_house(tmp_path) as house:
        walk = Walk(house)
        people(walk)
        own_accounts(walk)
        conversations(walk)
        channels(walk)
        assert walk.walked == AUDITED.keys()


def people(walk: Walk) -> None:
    house, ana = walk.house, walk.house.ana
    wanted = {"name": "Evening", "capabilities": ["messages.view"]}
    role = walk.do(f"POST {ORG}/roles", ana, wanted).json()["id"]
    walk.do(f"PATCH {ORG}/roles/{{role_id}}", ana, {"name": "Night"}, role_id=role)
    walk.do(f"DELETE {ORG}/roles/{{role_id}}", ana, role_id=role)
    wanted = {"name": "script", "capabilities": ["messages.view"]}
    token = walk.do(f"POST {ORG}/tokens", ana, wanted).json()["id"]
    walk.do(f"DELETE {ORG}/tokens/{{token_id}}", ana, token_id=token)
    ben = house.add().member_id
    member = f"{ORG}/members/{{member_id}}"
    walk.do(f"PATCH {member}", ana, {"role_id": house.role_id("Approver")}, member_id=ben)
    walk.do(f"POST {member}/second-factor/reset", ana, member_id=enrolled(walk))
    link = walk.do(f"POST {member}/password-reset", ana, member_id=ben).json()["link"]
    with httpx2.Client(base_url=house.hub.base_url) as nobody:
        used = {"token": token_in(link), "password": "another-good-password"}
        walk.do("POST /api/v1/password-resets/use", nobody, used)
    walk.do(f"POST {member}/deactivate", ana, member_id=ben)
    walk.do(f"POST {member}/reactivate", ana, member_id=ben)
    invitations = f"{ORG}/members/invitations"
    role = house.role_id("User SMS")

    def invite(email: str) -> dict[str, Any]:
        wanted = {"email": email, "role_id": role}
        return walk.do(f"POST {invitations}", ana, wanted).json()

    made = invite("one@example.com")
    one = {"invitation_id": made["id"]}
    walk.do(f"POST {invitations}/{{invitation_id}}/send", ana, **one)
    walk.do(f"DELETE {invitations}/{{invitation_id}}", ana, **one)
    accepted = {"token": token_in(invite("two@example.com")["link"]), "name": "Two"}
    with httpx2.Client(base_url=house.hub.base_url) as nobody:
        accepted["password"] = "another-good-password"
        walk.do("POST /api/v1/invitations/accept", nobody, accepted)
    lea = house.add("User SMS", "branch")
    joined = {"token": token_in(invite(lea.email)["link"])}
    walk.do("POST /api/v1/invitations/join", lea.client, joined)


def enrolled(walk: Walk) -> str:
    """Somebody who has set up codes; what they ask for besides is walked with it."""
    person = walk.house.add()
    secret = person.client.http.post("/api/v1/me/totp", json={}).json()["secret"]
    code = {"code": TOTP(secret).now()}
    walk.do("POST /api/v1/me/totp/confirm", person.client, code)
    walk.do("POST /api/v1/me/recovery-codes", person.client, {})
    forget_last_code(walk.house)
    return person.member_id


def own_accounts(walk: Walk) -> None:
    house = walk.house
    person = house.add()
    client = person.client
    secret = client.http.post("/api/v1/me/totp", json={}).json()["secret"]
    client.http.post("/api/v1/me/totp/confirm", json={"code": TOTP(secret).now()})
    begun = client.http.post("/api/v1/me/passkeys", json={}).json()
    device = device_of(house)
    made = {"ticket": begun["ticket"], "credential": device.make(begun["options"]), "name": "Key"}
    made = walk.do("POST /api/v1/me/passkeys/confirm", client, made).json()
    passkey = {"passkey_id": made["passkey"]["id"]}
    place = "PATCH /api/v1/me/passkeys/{passkey_id}"
    walk.do(place, client, {"name": "Laptop"}, **passkey)
    walk.do("POST /api/v1/me/totp/remove", client, {})
    walk.do("POST /api/v1/me/passkeys/{passkey_id}/remove", client, {}, **passkey)
    secret = client.http.post("/api/v1/me/totp", json={}).json()["secret"]
    client.http.post("/api/v1/me/totp/confirm", json={"code": TOTP(secret).now()})
    walk.do("POST /api/v1/me/second-factor/remove", client, {})
    walk.do(f"PATCH {ORG}/membership", client, {"available": True})
    signed_in(house, person.email)
    sessions = client.http.get("/api/v1/sessions").json()
    (other,) = [one["id"] for one in sessions if not one["current"]]
    walk.do("DELETE /api/v1/sessions/{session_id}", client, session_id=other)
    signed_in(house, person.email)
    walk.do("POST /api/v1/sessions/end-others", client)
    wanted = {"current_password": PASSWORD, "new_password": "another-good-password"}
    walk.do("POST /api/v1/me/password", client, wanted)


def conversations(walk: Walk) -> None:
    house, ana = walk.house, walk.house.ana
    thread = written(house, "+12025559001")
    here = {"thread_id": thread["id"]}
    wanted: dict[str, Any] = {"assignee_id": ana.get("members")[0]["id"]}
    walk.do(f"PATCH {ORG}/threads/{{thread_id}}", ana, wanted, **here)
    walk.do(f"PATCH {ORG}/settings", ana, {"approvals": {"sources": ["api"]}})
    entry = {"channel_id": "front", "contact_id": thread["contact"]["id"], "body": "x"}
    send = f"threads/{thread['id']}/messages"
    ana.post("channels/front/pause")
    held = ana.post(send, entry)["id"]
    walk.do(f"POST {ORG}/entries/{{entry_id}}/cancel", ana, entry_id=held)
    ana.post("channels/front/resume")
    ana.behave("+12025559001", channel="front", answer="refuse", reason="policy")
    refused = until(ana, ana.post(send, entry)["id"], "failed")
    ana.behave("+12025559001", channel="front")
    walk.do(f"POST {ORG}/entries/{{entry_id}}/retry", ana, entry_id=refused)
    ana.behave("+12025559001", channel="front", answer="lost_arrived", lookup=False)
    lost = until(ana, ana.post(send, entry)["id"], "unknown")
    place = f"POST {ORG}/entries/{{entry_id}}/resolve"
    walk.do(place, ana, {"outcome": "sent"}, entry_id=lost)
    ana.behave("+12025559001", channel="front")
    ana.post("roles", {"name": "Gated", "capabilities": ["messages.view", "messages.send_gated"]})
    author = house.add("Gated").client
    for what, body in (("approve", {}), ("reject", {"reason": "no"}), ("withdraw", None)):
        approval = author.post(send, entry)["id"]
        by = author if what == "withdraw" else ana
        walk.do(f"POST {ORG}/approvals/{{approval_id}}/{what}", by, body, approval_id=approval)
    contact = {"contact_id": thread["contact"]["id"]}
    wanted = {"channel_id": "front", "state": "out"}
    walk.do(f"POST {ORG}/contacts/{{contact_id}}/consent", ana, wanted, **contact)
    walk.do(f"PATCH {ORG}/contacts/{{contact_id}}", ana, {"account": "Acme"}, **contact)
    call = called(ana, "+12025559003")
    promised(house, call)
    place = f"POST {ORG}/entries/{{entry_id}}/follow-up"
    walk.do(place, ana, {"done": True}, entry_id=call)
    walk.do(f"POST {ORG}/entries/{{entry_id}}/reassign", ana, contact, entry_id=call)


def channels(walk: Walk) -> None:
    ana = walk.house.ana
    channel = f"{ORG}/channels/{{channel_id}}"
    front = {"channel_id": "front"}
    walk.do(f"POST {channel}/pause", ana, **front)
    walk.do(f"POST {channel}/resume", ana, **front)
    delivery = ana.get("channels/front/deliveries")["items"][0]["id"]
    place = f"POST {channel}/deliveries/{{delivery_id}}/replay"
    walk.do(place, ana, delivery_id=delivery, **front)
    walk.do(f"POST {channel}/deliveries/replay", ana, **front)


def written(house: House, number: str) -> dict[str, Any]:
    house.ana.text(number, "hello", channel="front")

    def look() -> dict[str, Any] | None:
        shown = (one for one in house.ana.threads())
        return next((one for one in shown if one["contact"]["display"].endswith(number[-4:])), None)

    return wait_for(look, what="the conversation")


def called(ana: Client, number: str) -> str:
    """A call that nobody has answered; its entry."""
    wanted = {"number": number, "own_number": "+12025550900"}
    begun = ana.http.post("/hooks/main/calls/calls", json=wanted)
    assert begun.is_success, begun.text

    def look() -> str | None:
        found = (one for one in ana.threads() if one["contact"]["display"].endswith(number[-4:]))
        thread = next(found, None)
        calls = [] if thread is None else ana.entries(thread["id"])
        return next((one["id"] for one in calls if one["kind"] == "call"), None)

    return wait_for(look, what="the call")


def promised(house: House, entry_id: str) -> None:
    """Something was promised in a call, which is to be done."""
    report = CallReport(at=1, summary="x", facts={}, follow_up="Call back")
    known = updates.Updates(call=Call(outcome="missed", report=report))
    told = msgspec.json.encode(known).decode()
    own = t.entries
    write(house, sa.update(own).where(own.c.id == int(entry_id)).values(updates=told))


def until(client: Client, entry_id: str, status: str) -> str:
    def look() -> bool:
        return client.get(f"entries/{entry_id}")["status"] == status

    wait_for(look, what=f"a message that is {status}")
    return entry_id
