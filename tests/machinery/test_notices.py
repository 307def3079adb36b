"""Notices by mail, against a real mail server: sent once, or marked as what became of them."""

from __future__ import annotations

import asyncio
import email
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from email.message import Message
from email.policy import default
from typing import Any, Literal

import pytest
import sqlalchemy as sa
import trustme
from aiosmtpd import smtp
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from hub.config import MailConfig
from hub.flow.channels import Channels
from hub.flow.host import now_ms
from hub.flow.notices import Notices, Texter, sender
from hub.flow.notices.mail import Mailer
from hub.plugin import Secret
from hub.rules.states import Refusal
from hub.store import notices as store
from hub.store import tables as t
from tests.machinery.conftest import ORG, Rig, until

AUTHORITY = trustme.CA()


class Post:
    """A mail server's mind: what it has taken, and how it answers."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.answers: list[str] = []
        """To the text, in turn; ``die`` takes it and says nothing more."""
        self.logins: list[str] = []
        self.asked: Counter[str] = Counter()

    async def handle_RCPT(  # noqa: N802 — the name aiosmtpd calls
        self, _server: smtp.SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        self.asked[address] += 1
        if address.startswith("nobody@"):
            return "550 5.1.1 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 — the name aiosmtpd calls
        self, server: smtp.SMTP, _session: Session, envelope: Envelope
    ) -> str:
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer[0] not in "45":
            self.taken.append(envelope)
        if answer == "die":
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return "250 OK"
        return answer

    def log_in(self, _server: Any, _session: Any, _env: Any, _mech: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password == b"right", handled=False)

    def message(self, number: int = 0) -> Message:
        content = self.taken[number].content
        assert isinstance(content, bytes)
        return email.message_from_bytes(content, policy=default)


@asynccontextmanager
async def post(
    tls: Literal["starttls", "tls", "none"] = "none", **options: Any
) -> AsyncIterator[tuple[Post, Callable[..., MailConfig]]]:
    """A mail server, and how to reach it."""
    mind = Post()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    if tls == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if "auth_required" in options:
        options["authenticator"] = mind.log_in
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: smtp.SMTP(mind, hostname="post.example.com", loop=loop, **options),
        "127.0.0.1",
        0,
        ssl=context if tls == "tls" else None,
    )

    def config(**changed: Any) -> MailConfig:
        values = {
            "host": "127.0.0.1",
            "port": server.sockets[0].getsockname()[1],
            "tls": tls,
            "username": None,
            "password": None,
            "sender": "Channel Hub <hub@example.com>",
        }
        return MailConfig(**{**values, **changed})

    try:
        yield mind, config
    finally:
        server.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried again at once."""
    monkeypatch.setattr(sender, "backoff", lambda _attempts, _chance: 1)
    monkeypatch.setattr(sender, "IDLE", 0.02)


def nobody(rig: Rig) -> Texter:
    """No channel is set for texts."""
    return Texter(rig.database, Channels(), {})


@asynccontextmanager
async def sending(rig: Rig, config: MailConfig | None) -> AsyncIterator[Notices]:
    trust = ssl.create_default_context()
    AUTHORITY.configure_trust(trust)
    mailer = None if config is None else Mailer(config, tls=trust)
    notices = Notices(rig.database, rig.writer, mailer, nobody(rig))
    await notices.start()
    try:
        yield notices
    finally:
        await notices.stop()


async def queue(rig: Rig, recipient: str, subject: str = "Welcome", **more: Any) -> int:
    id_ = rig.ids.new()
    values: dict[str, Any] = {
        "organisation_id": ORG,
        "recipient": recipient,
        "subject": subject,
        "text": "Grüße, 你好 🙂\n.\nA line with a single dot stood above.",
        "now": now_ms(),
        **more,
    }
    await rig.write(lambda connection: store.queue(connection, id_, **values))
    return id_


async def ended(rig: Rig, id_: int) -> Any:
    """The notice when nothing more is done about it."""

    async def look() -> Any:
        (row,) = [row for row in await rig.rows(t.notices) if row.id == id_]
        return row if row.state in {"sent", "failed", "unknown"} else None

    return await until(look)


@pytest.mark.parametrize("tls", ["starttls", "tls", "none"])
async def test_it_arrives_as_it_was_written(
    rig: Rig, tls: Literal["starttls", "tls", "none"]
) -> None:
    async with post(tls) as (mind, config), sending(rig, config()):
        id_ = await queue(rig, "ben@example.com", "Grüße 🙂", html="<p>Grüße</p>")
        row = await ended(rig, id_)
    assert (row.state, row.reason, row.attempts) == ("sent", None, 1)
    (envelope,) = mind.taken
    assert (envelope.mail_from, envelope.rcpt_tos) == ("hub@example.com", ["ben@example.com"])
    message = mind.message()
    assert message["Message-ID"] == f"<notice.{id_}@example.com>"
    assert message["From"] == "Channel Hub <hub@example.com>"
    assert (message["To"], message["Subject"]) == ("ben@example.com", "Grüße 🙂")
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = message.iter_parts()  # type: ignore[attr-defined]
    assert text.get_content().splitlines() == [
        "Grüße, 你好 🙂",
        ".",
        "A line with a single dot stood above.",
    ]
    assert html.get_content().strip() == "<p>Grüße</p>"


async def test_a_login(rig: Rig) -> None:
    async with post("starttls", auth_required=True) as (mind, config):
        async with sending(rig, config(username="hub", password=Secret("wrong"))) as notices:
            id_ = await queue(rig, "ben@example.com")
            told = await until(notices.trouble)
            assert "1 notices wait to be mailed: The mail server refuses: 535" in told
            assert "wrong" not in told
        assert mind.taken == []
        async with sending(rig, config(username="hub", password=Secret("right"))) as notices:
            row = await ended(rig, id_)
            assert await notices.trouble() is None
    assert (row.state, row.reason) == ("sent", None)
    assert set(mind.logins) == {"hub"}
    assert len(mind.taken) == 1


async def test_a_certificate_nobody_trusts_is_given_nothing(rig: Rig) -> None:
    async with post("starttls") as (mind, config):
        notices = Notices(rig.database, rig.writer, Mailer(config()), nobody(rig))
        await notices.start()
        await queue(rig, "ben@example.com")
        told = await until(notices.trouble)
        await notices.stop()
    assert "certificate" in told.lower()
    assert mind.taken == []
    assert not mind.asked


async def test_an_address_that_is_refused_fails_at_once(rig: Rig) -> None:
    async with post() as (mind, config), sending(rig, config()):
        refused = await queue(rig, "nobody@example.com")
        broken = await queue(rig, "ben@example.com", subject="two\r\nBcc: all@example.com")
        row, other = await ended(rig, refused), await ended(rig, broken)
    assert (row.state, row.attempts) == ("failed", 1)
    assert row.reason == "550 5.1.1 no such person"
    assert (other.state, other.attempts) == ("failed", 1)
    assert mind.taken == []


async def test_a_passing_refusal_is_tried_again(rig: Rig) -> None:
    async with post() as (mind, config):
        mind.answers += ["451 come back later", "452 still no room"]
        async with sending(rig, config()) as notices:
            id_ = await queue(rig, "ben@example.com")
            row = await ended(rig, id_)
        assert notices.outcomes == {"deferred": 2, "sent": 1}
    assert (row.state, row.attempts) == ("sent", 3)
    assert len(mind.taken) == 1


async def test_what_is_refused_for_too_long_fails(rig: Rig) -> None:
    async with post() as (mind, config):
        mind.answers += ["451 come back later"]
        async with sending(rig, config()):
            row = await ended(
                rig, await queue(rig, "ben@example.com", now=now_ms() - 25 * 3_600_000)
            )
    assert (row.state, row.reason) == ("failed", "451 come back later")


async def test_no_answer_to_the_text_is_unknown_and_not_repeated(rig: Rig) -> None:
    async with post() as (mind, config):
        mind.answers += ["die"]
        async with sending(rig, config()):
            lost = await ended(rig, await queue(rig, "ben@example.com"))
            after = await ended(rig, await queue(rig, "ben@example.com"))
    assert (lost.state, lost.attempts) == ("unknown", 1)
    assert "did not answer" in lost.reason
    assert after.state == "sent"
    names = [mind.message(number)["Message-ID"] for number in range(len(mind.taken))]
    assert names == [f"<notice.{row.id}@example.com>" for row in (lost, after)]


async def test_one_whose_process_died_while_it_was_handed_over_is_unknown(rig: Rig) -> None:
    id_, leased = await queue(rig, "ben@example.com"), await queue(rig, "ben@example.com")

    def die(connection: store.Connection) -> None:
        store.lease(
            connection, token="dead", now=now_ms(), until=now_ms() + 200, limit=2, media=["mail"]
        )
        assert store.start(connection, id_, "dead")

    await rig.write(die)
    async with post() as (mind, config), sending(rig, config()):
        row, other = await ended(rig, id_), await ended(rig, leased)
    assert row.state == "unknown"
    assert (other.state, other.attempts) == ("sent", 2), "it had not begun: it is sent"
    assert len(mind.taken) == 1


async def test_two_processes_send_each_once(rig: Rig) -> None:
    async with post() as (mind, config), sending(rig, config()), sending(rig, config()):
        ids = [await queue(rig, f"ben{number}@example.com") for number in range(12)]
        rows = [await ended(rig, id_) for id_ in ids]
    assert {row.state for row in rows} == {"sent"}
    assert len(mind.taken) == 12


async def test_without_a_mail_server_they_wait_and_it_is_said(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, logged, waits = asyncio.Event(), list[str](), store.waits

    def look(connection: store.Connection, now: int, media: Collection[store.Medium]) -> bool:
        loop.call_soon_threadsafe(looked.set)
        return waits(connection, now, media)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(store, "waits", look)
    monkeypatch.setattr(sender.log, "warning", lambda event, **_: logged.append(event))
    async with sending(rig, None) as notices:
        assert await notices.trouble() is None
        id_ = await queue(rig, "ben@example.com")
        told = await until(notices.trouble)
        assert told.startswith("1 notices wait to be mailed: no mail server is configured")
        for _ in range(5):  # it looks again, and says it no more
            looked.clear()
            notices.wake()
            await looked.wait()
        assert logged.count("notices.not_configured") == 1
    async with post() as (_mind, config), sending(rig, config()):
        assert (await ended(rig, id_)).state == "sent"


async def test_one_that_another_process_has_taken_over_is_not_handed_over(rig: Rig) -> None:
    """The lease ran out while the server was slow to take the address."""
    id_ = await queue(rig, "ben@example.com")
    now = now_ms()

    def lease(token: str, at: int) -> Callable[[store.Connection], list[store.Notice]]:
        return lambda connection: store.lease(
            connection, token=token, now=at, until=at, limit=1, media=["mail"]
        )

    (notice,) = await rig.write(lease("slow", now))

    async def begin() -> bool:
        assert await rig.write(lease("fast", now + 1))
        return await rig.write(lambda connection: store.start(connection, id_, "slow"))

    async with post() as (mind, config):
        assert not await Mailer(config()).send(notice, begin)
    assert mind.asked == {"ben@example.com": 1}
    assert mind.taken == []
    await rig.write(
        lambda connection: store.settle(connection, id_, "slow", "sent", now=now, due_at=now)
    )
    (row,) = await rig.rows(t.notices)
    assert row.state == "queued", "who is late settles nothing"


async def test_a_text_that_nobody_could_send_is_refused_where_it_is_asked_for(rig: Rig) -> None:
    async with sending(rig, None) as notices:
        id_ = rig.ids.new()
        with pytest.raises(Refusal, match=r"no channel is set.*\[\[notices\.texts\]\]"):
            await rig.write(
                lambda connection: notices.queue_text(
                    connection, id_, organisation_id=ORG, recipient="+1", text="1", now=now_ms()
                )
            )
        assert await rig.rows(t.notices) == []
        # One that was queued while there was a channel is given up after a while.
        await rig.write(
            lambda connection: store.queue_text(
                connection, id_, organisation_id=ORG, recipient="+1", text="1", now=now_ms()
            )
        )
        told = await until(notices.trouble)
        assert told.startswith("1 notices wait to be texted: Of this organisation no channel is")
        old = sa.update(t.notices).values(created_at=now_ms() - 3_600_000)
        await rig.write(lambda connection: connection.execute(old).rowcount)
        assert (await ended(rig, id_)).state == "failed"
        assert await notices.trouble() is None
