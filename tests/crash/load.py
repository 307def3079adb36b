"""Load on a hub that may be killed at any moment: a provider that delivers, members who write,
and a record of what each of them was told."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Coroutine
from itertools import count
from typing import Any
from urllib.parse import urlencode

import httpx2
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import ImmutableMultiDict

from tests.hubs import EMAIL, PASSWORD
from tests.patience import PATIENCE
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN, Stored

CUSTOMERS = tuple(f"+1555010{number:04}" for number in range(1, 13))
PROVIDERS = 6
MEMBERS = 3
UNREPORTED = 5
"""Of every so many messages one is never reported on, as if its callbacks were lost."""


class Load:
    """Keeps a hub busy. ``up`` says when it can be reached."""

    def __init__(self, base_url: str, hook: str, chance: random.Random) -> None:
        self.up = asyncio.Event()
        self.posted: set[str] = set()
        """Ids of messages that were posted, whatever came of it."""
        self.answered: set[str] = set()
        """Those of them that the hub answered with success."""
        self.asked: set[str] = set()
        """Texts of messages that members asked to send."""
        self.accepted: dict[str, str] = {}
        """Those that the hub accepted, and the entry it named."""
        self.made: list[Stored] = []
        """What the provider made a message of."""
        self.reported: set[str] = set()
        """Texts of messages whose every receipt the hub has taken."""
        self.happened: Counter[str] = Counter()
        """How often each kind of thing happened."""
        self._anything = asyncio.Event()
        self._hook = hook
        self._chance = chance
        self._numbers = count(1)
        self._going = True
        self._api = httpx2.AsyncClient(base_url=base_url, timeout=PATIENCE)
        self._provider = httpx2.AsyncClient(timeout=PATIENCE)
        self._receipts: asyncio.Queue[Stored | None] = asyncio.Queue()
        self._reporting: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Until ``finish``; then what was begun is brought to its end."""
        await self._sign_in()
        work: list[Coroutine[Any, Any, None]] = [self._provide() for _ in range(PROVIDERS)]
        work += [self._write() for _ in range(MEMBERS)]
        reporting = asyncio.create_task(self._report_all())
        await asyncio.gather(*work)
        self._receipts.put_nowait(None)
        await reporting

    async def until(self, kind: str, times: int) -> None:
        """Wait until something of a kind has happened so many times more."""
        goal = self.happened[kind] + times
        while self.happened[kind] < goal:
            self._anything.clear()
            await self._anything.wait()

    def _tell(self, kind: str) -> None:
        self.happened[kind] += 1
        self._anything.set()

    def finish(self) -> None:
        """Begin nothing more."""
        self._going = False

    def took(self, stored: Stored) -> None:
        """The provider made a message; called on a thread of its own."""
        self._loop.call_soon_threadsafe(self._note, stored)

    def _note(self, stored: Stored) -> None:
        self.made.append(stored)
        self._tell("made")
        self._receipts.put_nowait(stored)

    async def get(self, rest: str, **params: str) -> Any:
        answer = await self._api.get(f"/api/v1/organisations/main/{rest}", params=params)
        return answer.raise_for_status().json()

    async def close(self) -> None:
        await self._api.aclose()
        await self._provider.aclose()

    # ---------------------------------------------------------------- a provider that delivers

    async def _provide(self) -> None:
        while self._going:
            await self.up.wait()
            sid = f"MM{next(self._numbers):032x}"
            fields = {
                "MessageSid": sid,
                "AccountSid": ACCOUNT,
                "From": self._chance.choice(CUSTOMERS),
                "To": NUMBER,
                "Body": f"in {sid}",
                "NumMedia": "0",
            }
            copies = self._chance.choice((1, 1, 2, 3))
            await asyncio.gather(*(self._deliver(sid, fields) for _ in range(copies)))

    async def _deliver(self, sid: str, fields: dict[str, str]) -> None:
        """Post it until it is answered; now and then a provider gives up."""
        self.posted.add(sid)
        while not await self._post(self._hook, fields):
            if self._chance.random() < 0.3:
                return
        self.answered.add(sid)
        self._tell("delivered")

    async def _post(self, url: str, fields: dict[str, str]) -> bool:
        """Post a signed form when the hub is up; whether it was answered with success."""
        await self.up.wait()
        pairs = ImmutableMultiDict(list(fields.items()))
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(url, pairs),
        }
        try:
            answer = await self._provider.post(url, content=urlencode(fields), headers=headers)
        except httpx2.TransportError:
            return False
        assert answer.status_code in {200, 503}, answer.text
        return answer.status_code == 200

    # ---------------------------------------------------------------- members who write

    async def _sign_in(self) -> None:
        known = {"email": EMAIL, "password": PASSWORD}
        while "X-CSRF-Token" not in self._api.headers:
            await self.up.wait()
            with contextlib.suppress(httpx2.TransportError):
                answer = (await self._api.post("/api/v1/session", json=known)).raise_for_status()
                self._api.headers["X-CSRF-Token"] = answer.json()["csrf_token"]

    async def _write(self) -> None:
        while self._going:
            await self.up.wait()
            text = f"out {next(self._numbers)}"
            self.asked.add(text)
            message = {
                "channel_id": "sms",
                "to": self._chance.choice(CUSTOMERS),
                "body": text,
            }
            copies = self._chance.choice((1, 1, 2))
            await asyncio.gather(*(self._send(text, message) for _ in range(copies)))
            if self._chance.random() < 0.2:
                await self._read()

    async def _send(self, text: str, message: dict[str, str]) -> None:
        """Ask until it is accepted, always under the same key; now and then a member gives up."""
        while True:
            entry = await self._ask("messages", message, key=text)
            if entry is not None:
                assert self.accepted.setdefault(text, entry["id"]) == entry["id"]
                self._tell("accepted")
                return
            if self._chance.random() < 0.2:
                return

    async def _read(self) -> None:
        """Read the first conversation that is unread."""
        try:
            page = await self.get("threads", status="unread", limit="1")
            for thread in page["items"]:
                last = await self.get(f"threads/{thread['id']}/entries", limit="1")
                up_to = {"up_to": last["items"][0]["id"]}
                await self._ask(f"threads/{thread['id']}/read", up_to)
        except httpx2.TransportError:
            return

    async def _ask(self, rest: str, json: Any, *, key: str | None = None) -> Any:
        """A change; ``None`` when the hub was killed under it."""
        await self.up.wait()
        headers = {} if key is None else {"Idempotency-Key": key}
        try:
            answer = await self._api.post(
                f"/api/v1/organisations/main/{rest}", json=json, headers=headers
            )
        except httpx2.TransportError:
            return None
        assert answer.is_success or answer.status_code == 503, answer.text
        return answer.json() if answer.is_success else None

    # ---------------------------------------------------------------- what became of them

    async def _report_all(self) -> None:
        for number in count(1):
            stored = await self._receipts.get()
            if stored is None:
                break
            if number % UNREPORTED:
                task = asyncio.create_task(self._report(stored))
                self._reporting.add(task)
                task.add_done_callback(self._reporting.discard)
        await asyncio.gather(*self._reporting)

    async def _report(self, stored: Stored) -> None:
        """Every status, in any order, some twice: each until the hub has taken it."""
        statuses = ["sent", "delivered", self._chance.choice(("sent", "delivered"))]
        self._chance.shuffle(statuses)
        assert stored.status_callback is not None
        await asyncio.gather(
            *(self._report_one(stored, status, stored.status_callback) for status in statuses)
        )
        self.reported.add(stored.body)

    async def _report_one(self, stored: Stored, status: str, url: str) -> None:
        fields = {"MessageSid": stored.sid, "MessageStatus": status, "AccountSid": ACCOUNT}
        while not await self._post(url, fields):
            pass
        self._tell("reported")
