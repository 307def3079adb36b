"""The mailbox, read by IMAP: what is new, mail that was too large, and whether something was sent.

The place reached is a cursor of UIDVALIDITY, UID and day. The hub saves it in the transaction of
what was brought, so nothing is lost and nothing doubled whenever it is killed.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from hub.plugin import (
    Context,
    Delivery,
    Permanent,
    PollResult,
    Reconciled,
    Temporary,
)
from hub_email import imap, streams
from hub_email.incoming import CUT, PLACE
from hub_email.settings import Settings

WAIT = 40.0
"""Seconds for which the server is asked to tell of new mail (IDLE); a poll has 60."""
AT_ONCE = 100
"""Mails of one poll."""
BYTES_AT_ONCE = 30_000_000
BEGINNING = 300_000
"""Bytes of a mail that is too large."""
LARGEST = 100_000_000
"""Bytes of a mail that is fetched whole as a file: the hub keeps no larger ones."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Place(Struct, frozen=True):
    """How far the folder was read: ``validity`` of its UIDs, the ``last`` one read, and the
    ``day`` on which all that was there had been read."""

    validity: int
    last: int
    day: str

    def __str__(self) -> str:
        return f"{self.validity}.{self.last}.{self.day}"

    @classmethod
    def of(cls, cursor: str | None) -> Place | None:
        """As it was saved."""
        read = re.fullmatch(r"(\d+)\.(\d+)\.(\d{8})", cursor or "")
        return cls(int(read[1]), int(read[2]), read[3]) if read else None


class Mailbox:
    """Reads the folder, on a connection that is kept between polls."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: imap.Session | None = None
        self._patience = streams.Patience()

    async def poll(self, ctx: Context, cursor: str | None) -> PollResult:
        """What has arrived since; where nothing has, it waits for the server to tell."""
        try:
            async with imap.told():
                one = await self._connected(ctx)
                return await self._look(ctx, one, Place.of(cursor))
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """End the connection that is kept."""
        one, self._session = self._session, None
        if one is not None and one.loop is asyncio.get_running_loop():
            one.drop()

    async def _connected(self, ctx: Context) -> imap.Session:
        one = self._session
        if one is None or one.loop is not asyncio.get_running_loop():
            self._session = one = await imap.connected(ctx, self._settings)
        return one

    async def _look(self, ctx: Context, one: imap.Session, place: Place | None) -> PollResult:
        now = ctx.clock.now()
        opened = await self._open(one)
        reached = await self._begin(one, opened, place, now)
        found = await self._bring(one, reached, opened, now)
        if found.deliveries or found.more:
            return found
        if not await one.can("IDLE"):
            return found
        if await one.idle(WAIT):
            opened = await self._open(one)
            return await self._bring(one, reached, opened, ctx.clock.now())
        return PollResult(cursor=found.cursor, next_in=1.0)

    async def _open(self, one: imap.Session) -> imap.Opened:
        try:
            return await one.open(self._settings.folder)
        except imap.Failed as error:
            raise Permanent(
                "configuration", f"the folder {self._settings.folder!r} cannot be opened: {error}"
            ) from error

    async def _begin(
        self, one: imap.Session, opened: imap.Opened, place: Place | None, now: datetime
    ) -> Place:
        """Where to go on. When the server has numbered the folder anew, from the day before all of
        it had been read, or from the beginning where that is wanted: what is already there is known
        by its Message-ID."""
        if place is not None and place.validity == opened.validity:
            return place
        if place is None:
            last = 0 if self._settings.since_beginning else opened.next_uid - 1
            return Place(opened.validity, last, _day(now))
        if self._settings.since_beginning:
            return Place(opened.validity, 0, place.day)
        since = datetime.strptime(place.day, "%Y%m%d").replace(tzinfo=UTC) - timedelta(days=1)
        words = f"SINCE {since.day}-{MONTHS[since.month - 1]}-{since.year}"
        known = await one.search(words.encode("ascii"))
        last = known[0] - 1 if known else opened.next_uid - 1
        return Place(opened.validity, last, place.day)

    async def _bring(
        self, one: imap.Session, place: Place, opened: imap.Opened, now: datetime
    ) -> PollResult:
        """The next mails after a place. ``n:*`` names the last mail of a folder in any case."""
        found = await one.search(b"UID %d:*" % (place.last + 1))
        new = [uid for uid in found if uid > place.last]
        sizes = await self._sizes(one, new[:AT_ONCE])
        basket = streams.Basket()
        reached = place.last
        for uid in _some(sizes):
            if basket.full or not await basket.put(self._mail(one, opened, uid, sizes[uid])):
                break
            reached = uid
        if basket.broken:
            self.drop()
        # Those without a size were taken away since they were found.
        left = len(new) > AT_ONCE or any(uid > reached for uid in sizes)
        if left:
            return PollResult(
                deliveries=tuple(basket.deliveries),
                cursor=str(Place(opened.validity, reached, place.day)),
                more=True,
            )
        last = max(place.last, new[-1] if new else 0, opened.next_uid - 1)
        return PollResult(
            deliveries=tuple(basket.deliveries),
            cursor=str(Place(opened.validity, last, _day(now))),
            next_in=1.0 if basket.deliveries else None,
        )

    async def _sizes(self, one: imap.Session, uids: list[int]) -> dict[int, int]:
        """How large mails are, in order, of those that are there still."""
        if not uids:
            return {}
        told = await one.fetch(",".join(map(str, uids)), "(UID RFC822.SIZE)")
        return {uid: int(told[uid].get(b"RFC822.SIZE", 0)) for uid in uids if uid in told}

    async def _mail(
        self, one: imap.Session, opened: imap.Opened, uid: int, size: int
    ) -> Delivery | None:
        """One mail; ``None``: it was taken away meanwhile."""
        place = f"{opened.validity}.{uid}"
        headers = [("Content-Type", "message/rfc822"), (PLACE, place)]
        share = self._patience.share(place)
        body: bytes | None = b""
        if share == "whole" and size <= self._settings.max_bytes:
            body = await _body(one, uid, "BODY.PEEK[]")
        else:
            headers.append((CUT, str(size)))
            if share != "nothing":
                body = await _body(one, uid, f"BODY.PEEK[]<0.{BEGINNING}>")
        self._patience.had(place)
        if body is None:
            return None
        return Delivery(body=body, headers=tuple(headers), received_at=datetime.now(UTC))

    # ---- a mail that was too large

    async def whole(self, ctx: Context, place: str) -> bytes:
        """The mail at a ``PLACE``, however large, if it is in the folder still."""
        read = re.fullmatch(r"(\d{1,20})\.(\d{1,20})", place)
        if read is None:
            raise Permanent("policy", "this is no mail of the mailbox")
        async with imap.told(), imap.session(ctx, self._settings, most=LARGEST) as one:
            opened = await self._open(one)
            if opened.validity == int(read[1]):
                body = await _body(one, int(read[2]), "BODY.PEEK[]")
                if body is not None:
                    return body
        raise Permanent("other", "the mail is not in the mailbox any more")

    # ---- what was sent

    async def reconcile(self, ctx: Context, message_id: str) -> Reconciled:
        """Look for a mail among what was sent. That it is not there proves nothing: not every
        server keeps a copy of what it sends."""
        async with imap.told(), imap.session(ctx, self._settings) as one:
            folder = self._settings.sent_folder or await one.sent_folder()
            if folder is None:
                return Reconciled(outcome="unknown")
            try:
                await one.open(folder)
            except imap.Failed as error:
                raise Temporary(f"the folder {folder!r} cannot be opened: {error}") from error
            if await one.search(_by_message_id(message_id)):
                return Reconciled(outcome="found", external_id=message_id, status="sent")
        return Reconciled(outcome="unknown")


async def look(ctx: Context, settings: Settings) -> None:
    """Log in and open the folder; raises what is wrong with it."""
    async with imap.told(), imap.session(ctx, settings) as one:
        try:
            await one.open(settings.folder)
        except imap.Failed as error:
            raise Permanent(
                "configuration", f"the folder {settings.folder!r} cannot be opened: {error}"
            ) from error


async def _body(one: imap.Session, uid: int, item: str) -> bytes | None:
    told = (await one.fetch(str(uid), f"(UID {item})")).get(uid, {})
    return next((value for key, value in told.items() if key.startswith(b"BODY[]")), None)


def _by_message_id(message_id: str) -> bytes:
    # Without the brackets: some servers keep them, some do not.
    return b"HEADER Message-ID " + imap.quoted(message_id.strip("<>").encode("utf-8", "replace"))


def _some(sizes: dict[int, int]) -> list[int]:
    """As many of them, the oldest first, as fit into one poll: at least one."""
    wanted: list[int] = []
    total = 0
    for uid, size in sizes.items():
        total += size
        if wanted and (len(wanted) == AT_ONCE or total > BYTES_AT_ONCE):
            break
        wanted.append(uid)
    return wanted


def _day(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y%m%d")
