"""Approving, changing, rejecting and withdrawing what waits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hub.store import tables as t
from tests import books
from tests.approvals.conftest import APPROVE, CONFIG, GATED, SEND, VIEW, Queue
from tests.compose.conftest import REMINDER
from tests.host.unruly import PLUGINS, TOKEN
from tests.hubs import HubProcess


def at_once(
    queue: Queue, entry: dict[str, Any], *ways: tuple[Any, str, dict[str, Any]]
) -> list[Any]:
    """All of them decide at the same moment; what each was answered."""
    ready = threading.Barrier(len(ways))

    def decide(way: tuple[Any, str, dict[str, Any]]) -> Any:
        by, what, said = way
        ready.wait()
        return queue.decide(what, entry, by=by, **said)

    with ThreadPoolExecutor(len(ways)) as pool:
        return list(pool.map(decide, ways))


@pytest.mark.feature("APPR-02")
def test_approved_it_goes_out_and_answers(queue: Queue, phone: str) -> None:
    entry = queue.waiting(phone)
    decided = queue.decide("approve", entry).json()
    assert (decided["state"], decided["entry"]["approval"]["decided_by"]) == ("approved", "Admin")
    assert not queue.thread(phone)["needs_response"]
    queue.until(entry["id"], "sent")
    assert len(queue.sent(entry["text"])) == 1
    assert entry["id"] not in queue.queued()
    assert queue.entry(entry["id"])["author"]["name"] == "Gil"
    assert entry["id"] in queue.queued(state="approved")


@pytest.mark.feature("APPR-02")
def test_the_approvers_words_go_out_and_the_authors_are_kept(queue: Queue, phone: str) -> None:
    entry = queue.waiting(phone, f"helo {phone}", subject="Yuor order")
    better = f"Hello {phone}"
    decided = queue.decide("approve", entry, text=better, subject="Your order").json()
    assert (decided["text"], decided["original_text"]) == (better, f"helo {phone}")
    assert (decided["subject"], decided["original_subject"]) == ("Your order", "Yuor order")
    shown = queue.until(entry["id"], "sent")
    assert shown["approval"]["original_text"] == f"helo {phone}"
    assert shown["text"] == better
    assert len(queue.sent(better)) == 1
    assert queue.sent(f"helo {phone}") == []
    found = queue.ana.get("threads", q=better, status="all")["items"]
    assert queue.thread(phone)["id"] in [one["id"] for one in found]


@pytest.mark.feature("APPR-02")
def test_the_same_words_are_no_change(queue: Queue, phone: str) -> None:
    entry = queue.waiting(phone)
    decided = queue.decide("approve", entry, text=entry["text"]).json()
    assert decided["original_text"] is None


@pytest.mark.feature("APPR-02")
def test_changed_words_are_checked_and_held_against_nobody(queue: Queue, phone: str) -> None:
    entry = queue.waiting(phone)
    empty = queue.decide("approve", entry, text="  ")
    assert (empty.status_code, empty.json()["code"]) == (422, "empty")
    assert queue.entry(entry["id"])["status_reason"] is None
    template = {"name": REMINDER["name"], "language": REMINDER["language"]}
    made = queue.write(
        queue.thread(phone), template=template, variables={"day": "Monday", "time": "noon"}
    )
    own_words = queue.decide("approve", made, text="Other words")
    assert (own_words.status_code, own_words.json()["code"]) == (422, "template_and_text")
    (queued,) = [one for one in queue.ana.get("approvals")["items"] if one["id"] == made["id"]]
    assert not queued["can_edit"]
    assert queued["problems"] == []


@pytest.mark.feature("APPR-02")
def test_rejected_its_author_reads_why(queue: Queue, phone: str) -> None:
    entry = queue.waiting(phone)
    for reason in ("", " \n ", "x" * 501):
        refused = queue.decide("reject", entry, reason=reason)
        assert (refused.status_code, refused.json()["code"]) == (422, "bad_reason")
        assert refused.json()["errors"][0]["field"] == "reason"
    decided = queue.decide("reject", entry, reason="Too blunt").json()
    assert decided["state"] == "rejected"
    shown = queue.gil.get(f"entries/{entry['id']}")
    assert (shown["status"], shown["status_reason"]) == ("rejected", "Too blunt")
    assert (shown["approval"]["decided_by"], shown["approval"]["reason"]) == ("Admin", "Too blunt")
    assert queue.thread(phone)["needs_response"]
    assert queue.sent(entry["text"]) == []


@pytest.mark.feature("APPR-02")
def test_nobody_decides_on_their_own(queue: Queue, phone: str) -> None:
    queue.rule("gil", {VIEW, GATED, APPROVE})
    entry = queue.waiting(phone)
    assert queue.gil.get("threads/counts")["approvals"] == len(
        [
            one
            for one in queue.queued()
            if queue.entry(one)["approval"]["member_id"] != member(queue)
        ]
    )
    for what, said in (("approve", {}), ("reject", {"reason": "No"})):
        answer = queue.decide(what, entry, by=queue.gil, **said)
        assert (answer.status_code, answer.json()["code"]) == (403, "own_message")
    assert queue.entry(entry["id"])["status"] == "pending_approval"


def member(queue: Queue) -> str:
    (own,) = queue.gil.me["organisations"]
    return own["member_id"]


@pytest.mark.feature("APPR-02")
def test_its_author_alone_withdraws_it(queue: Queue, phone: str) -> None:
    entry = queue.waiting(phone)
    other = queue.decide("withdraw", entry, by=queue.ana)
    assert (other.status_code, other.json()["code"]) == (403, "not_author")
    taken = queue.decide("withdraw", entry, by=queue.gil).json()
    assert (taken["status"], taken["approval"]["state"]) == ("canceled", "withdrawn")
    late = queue.decide("approve", entry)
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")
    assert late.json()["decision"]["state"] == "withdrawn"


@pytest.mark.feature("APPR-02")
def test_two_at_once_send_it_once_and_one_reads_who_was_faster(queue: Queue, phone: str) -> None:
    for number in range(6):
        entry = queue.waiting(phone, f"Race {number} to {phone}")
        answers = at_once(queue, entry, (queue.ana, "approve", {}), (queue.ada, "approve", {}))
        won, lost = sorted(answers, key=lambda one: one.status_code)
        assert (won.status_code, lost.status_code) == (200, 409)
        decision = lost.json()["decision"]
        assert lost.json()["code"] == "already_decided"
        approval = won.json()["entry"]["approval"]
        assert (decision["by"], decision["at"]) == (approval["decided_by"], approval["decided_at"])
        queue.until(entry["id"], "sent")
        assert len(queue.sent(f"Race {number} to {phone}")) == 1


@pytest.mark.feature("APPR-02")
def test_approve_reject_and_withdraw_at_once(queue: Queue, phone: str) -> None:
    for number in range(4):
        entry = queue.waiting(phone, f"Tussle {number} to {phone}")
        answers = at_once(
            queue, entry,
            (queue.ana, "approve", {}),
            (queue.ada, "reject", {"reason": "No"}),
            (queue.gil, "withdraw", {}),
        )  # fmt: skip
        codes = [one.status_code for one in answers]
        assert sorted(codes) == [200, 409, 409]
        final = ["sent", "rejected", "canceled"][codes.index(200)]
        queue.until(entry["id"], final)
        assert len(queue.sent(f"Tussle {number} to {phone}")) == (final == "sent")


@pytest.mark.feature("APPR-03")
def test_a_closed_window_keeps_it_and_says_so_to_both(queue: Queue, phone: str) -> None:
    entry = queue.waiting(phone)
    closed = queue.told("window", "template")
    (before,) = [one for one in queue.ana.get("approvals")["items"] if one["id"] == entry["id"]]
    assert [one["code"] for one in before["problems"]] == ["window_closed"]
    refused = queue.decide("approve", entry)
    assert (refused.status_code, refused.json()["code"]) == (422, "window_closed")
    assert refused.json()["detail"] == "They wrote too long ago."
    shown = queue.gil.get(f"entries/{entry['id']}")
    assert (shown["status"], shown["status_reason"]) == (
        "pending_approval", "They wrote too long ago.",
    )  # fmt: skip
    closed.unlink()
    assert queue.ana.get(f"approvals/{entry['id']}")["problems"] == [], "it is open again"
    assert queue.decide("approve", entry).status_code == 200
    assert queue.until(entry["id"], "sent")["status_reason"] is None


@pytest.mark.feature("APPR-03")
@pytest.mark.feature("CONT-03")
def test_who_has_opted_out_meanwhile_gets_nothing(queue: Queue, phone: str) -> None:
    entry = queue.waiting(phone)
    queue.consent(phone, "out")
    assert queue.ana.get(f"approvals/{entry['id']}")["problems"][0]["code"] == "opted_out"
    refused = queue.decide("approve", entry)
    assert (refused.status_code, refused.json()["code"]) == (422, "opted_out")
    assert "opted out" in queue.gil.get(f"entries/{entry['id']}")["status_reason"]
    queue.consent(phone, "in")
    assert queue.decide("approve", entry).status_code == 200
    queue.until(entry["id"], "sent")


@pytest.mark.feature("APPR-03")
def test_a_template_that_is_gone_keeps_it(queue: Queue, phone: str) -> None:
    template = {"name": REMINDER["name"], "language": REMINDER["language"]}
    values = {"day": "Friday", "time": phone}
    made = queue.write(queue.text(phone), template=template, variables=values)
    queue.provider()
    refused = queue.decide("approve", made)
    assert (refused.status_code, refused.json()["code"]) == (422, "template_unknown")
    (problem,) = queue.ana.get(f"approvals/{made['id']}")["problems"]
    assert problem["code"] == "template_unknown"
    assert queue.decide("reject", made, reason="It is gone").status_code == 200


@pytest.mark.feature("APPR-03")
def test_opted_out_between_approval_and_sending(queue: Queue, phone: str) -> None:
    entry = queue.waiting(phone)
    queue.ana.post("channels/odd/pause")
    try:
        assert queue.decide("approve", entry).status_code == 200
        queue.consent(phone, "out")
    finally:
        queue.ana.post("channels/odd/resume")
    failed = queue.until(entry["id"], "failed")
    assert "opted out" in failed["status_reason"]
    assert queue.sent(entry["text"]) == []


@pytest.mark.feature("APPR-02")
def test_a_right_that_is_gone_decides_nothing(queue: Queue, phone: str) -> None:
    entry = queue.waiting(phone)
    queue.rule("ada", {VIEW, SEND})
    assert queue.ada.call("GET", "approvals").status_code == 403
    assert queue.decide("approve", entry, by=queue.ada).status_code == 403
    assert queue.ada.get("threads/counts")["approvals"] == 0


@pytest.mark.feature("APPR-02")
def test_whose_author_is_gone_may_be_approved(queue: Queue, phone: str) -> None:
    lea = queue.join(f"lea{phone[-4:]}", {VIEW, GATED})
    entry = queue.write(queue.text(phone), f"Lea's for {phone}", by=lea)

    def leave(connection: Connection) -> None:
        user = sa.select(t.users.c.id).where(t.users.c.email == f"lea{phone[-4:]}@example.com")
        gone = t.members.c.user_id == user.scalar_subquery()
        connection.execute(sa.update(t.members).where(gone).values(deactivated_at=1))

    queue.change(leave)
    assert not queue.ana.get(f"approvals/{entry['id']}")["author_active"]
    assert queue.decide("approve", entry).status_code == 200
    queue.until(entry["id"], "sent")


@pytest.mark.feature("PERM-03")
def test_a_role_limited_to_channels_sees_only_theirs(queue: Queue, phone: str) -> None:
    entry = queue.waiting(phone)
    other = queue.write(queue.text(phone), "By text", channel_id="plain")
    queue.rule("ada", {VIEW, SEND, APPROVE}, ["plain"])
    assert entry["id"] not in queue.queued(by=queue.ada)
    assert other["id"] in queue.queued(queue.ada)
    assert queue.ada.call("GET", f"approvals/{entry['id']}").status_code == 404
    for what, said in (("approve", {}), ("reject", {"reason": "No"})):
        assert queue.decide(what, entry, by=queue.ada, **said).status_code == 404
    assert queue.ada.get("threads/counts")["approvals"] == len(queue.queued(by=queue.ada))
    assert queue.decide("reject", other, by=queue.ada, reason="No").status_code == 200


@pytest.mark.feature("APPR-02")
def test_the_queue_goes_on_page_by_page(queue: Queue, phone: str) -> None:
    made = [queue.waiting(phone, f"Page {number} {phone}")["id"] for number in range(5)]
    found: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = queue.ana.get("approvals", limit=2, **cursor)
        found += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert found == queue.queued()
    assert found[-5:] == made, "the longest waiting first"


@pytest.mark.feature("APPR-02")
def test_the_stream_tells_those_who_may_approve(queue: Queue, phone: str) -> None:
    position = int(queue.ana.http.get(queue.ana.path("threads")).headers["X-Position"])
    entry = queue.waiting(phone)
    queue.decide("reject", entry, reason="No")
    for who, told in ((queue.ana, True), (queue.gil, False)):
        changes = who.get("changes", since=position)["changes"]
        seen = [one["approval"] for one in changes if one["type"] == "approval.changed"]
        assert bool(seen) == told
        if told:
            assert [(one["id"], one["state"]) for one in seen] == [(entry["id"], "rejected")]
        (shown,) = [
            one["entry"] for one in changes if one.get("entry", {}).get("id") == entry["id"]
        ]
        assert shown["status"] == "rejected"


@pytest.mark.feature("ASGN-05")
def test_decisions_are_audited(queue: Queue, phone: str) -> None:
    """Who and how; what a message says stands with the message."""
    rejected, changed = queue.waiting(phone), queue.waiting(phone)
    queue.decide("reject", rejected, reason="Too late")
    queue.decide("approve", changed, text="Better")
    lines = queue.ana.get("audit", limit=50)["items"]
    for entry, after in (
        (rejected, {"state": "rejected", "reason": "Too late"}),
        (changed, {"state": "approved", "changed": True}),
    ):
        (line,) = [one for one in lines if one["object"]["id"] == entry["id"]]
        assert (line["action"], line["actor"]["name"]) == (f"approval.{after['state']}", "Admin")
        assert (line["before"], line["after"]) == ({"state": "waiting"}, after)


@pytest.mark.feature("APPR-03")
def test_whose_channel_was_taken_out_waits_on_and_says_so(tmp_path: Path) -> None:
    config = CONFIG.format(folder=tmp_path)
    environ = {"UNRULY_TOKEN": TOKEN, "PYTHONPATH": str(PLUGINS)}
    with HubProcess(tmp_path / "hub", config=config, environ=environ) as hub:
        queue = Queue(hub, f"sqlite:///{tmp_path / 'hub' / 'data' / 'hub.db'}", tmp_path)
        phone = "+13035550999"
        entry, other = queue.waiting(phone, "First"), queue.waiting(phone, "Second")
        path = hub.folder / "hub.toml"
        path.write_text(config[config.index('[[channels]]\nid = "voice"') :], encoding="utf-8")
        assert hub.run("reload").returncode == 0
        refused = queue.decide("approve", entry)
        assert (refused.status_code, refused.json()["code"]) == (422, "no_channel")
        assert "any more" in refused.json()["detail"] or "no channel" in refused.json()["detail"]
        queued = queue.ana.get(f"approvals/{entry['id']}")
        assert [one["code"] for one in queued["problems"]] == ["no_channel"]
        assert queued["state"] == "waiting"
        assert "no channel" in queue.gil.get(f"entries/{entry['id']}")["status_reason"]
        assert queue.decide("reject", other, reason="The channel is gone").status_code == 200
        path.write_text(config, encoding="utf-8")
        assert hub.run("reload").returncode == 0
        assert queue.decide("approve", entry).status_code == 200
        queue.until(entry["id"], "sent")
        assert len(queue.sent("First")) == 1
        queue.read(books.check)


@pytest.mark.feature("APPR-03")
def test_whose_contact_turned_out_to_be_another_goes_to_the_same_number(
    queue: Queue, phone: str
) -> None:
    """The customer's provider says that they have another number now: the message waits with their
    conversation, and goes where it was to go."""
    entry = queue.waiting(phone)
    other = f"+1404555{phone[-4:]}"
    queue.text(other)
    before = queue.thread(phone)["contact"]["id"]
    queue.tell(
        {
            "type": "contact_changed",
            "old": {"scheme": "phone", "value": phone},
            "new": {"scheme": "phone", "value": other},
        }
    )
    waiting = queue.ana.get("channels/odd/deliveries", state="quarantined")
    assert waiting["items"] == []
    (queued,) = [
        one for one in queue.ana.get("approvals", limit=200)["items"] if one["id"] == entry["id"]
    ]
    assert queued["problems"] == []
    assert queued["contact"]["id"] in {before, queue.thread(other)["contact"]["id"]}
    assert queue.decide("approve", entry).status_code == 200
    queue.until(entry["id"], "sent")
    (sent,) = queue.sent(entry["text"])
    assert sent["address"]["value"] == phone
