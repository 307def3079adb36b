"""Files of messages: fetched after the message was stored, uploaded before one is sent, offered
to providers for a time."""

from __future__ import annotations

import asyncio
import io
import random
import time
from typing import Protocol

import msgspec
import structlog
from msgspec.structs import replace

from hub.flow.channels import Channels
from hub.flow.host import (
    ChannelResting,
    HookTimeout,
    LoopsExhausted,
    PluginFault,
    now_ms,
)
from hub.flow.kept import delivery_of
from hub.flow.loop import Loop
from hub.flow.record.world import AttachmentState
from hub.flow.writer import Unavailable, Writer
from hub.plugin import CredentialsInvalid, HookError, MediaRef, Permanent
from hub.rules import commands as c
from hub.rules.files import identify, safe_name
from hub.rules.sending import backoff
from hub.rules.states import Refusal
from hub.store import deliveries
from hub.store import outbox as store
from hub.store import tables as t
from hub.store.blobs import Blobs, Incoming
from hub.store.database import Database
from hub.store.ids import Ids

log = structlog.get_logger()

LARGEST = 100_000_000
TRIES = 8
AT_ONCE = 4
IDLE = 2.0
_LINKS = "links to files"

_ref = msgspec.json.Decoder(MediaRef)


class Fetcher:
    """Fetches the files of inbound messages, with the channels' own credentials."""

    def __init__(
        self, database: Database, writer: Writer, blobs: Blobs, channels: Channels
    ) -> None:
        self._database = database
        self._writer = writer
        self._blobs = blobs
        self._channels = channels
        self._loop = Loop("media", self._step, idle=IDLE)
        self._chance = random.SystemRandom()

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    async def stop(self) -> None:
        """End; what was not fetched is fetched later."""
        await self._loop.stop()

    def wake(self) -> None:
        """Something may be there to fetch."""
        self._loop.wake()

    async def _step(self) -> float:
        due = await self._database.read(
            lambda connection: store.files_due(connection, now_ms(), AT_ONCE)
        )
        await asyncio.gather(*(self._fetch(file) for file in due))
        return 0 if due else IDLE

    async def _fetch(self, file: store.DueFile) -> None:
        channel = self._channels.get(file.organisation_id, file.channel_id)
        if channel is None:
            await self._failed(file, "The channel is switched off.", final=False)
            return
        try:
            fetched = await channel.fetch_media(await self._whole(file))
        except Permanent as error:
            await self._failed(file, error.detail or "It cannot be fetched.", final=True)
        except CredentialsInvalid as error:
            channel.pause(error.detail or "The provider refuses the channel's credentials.")
            await self._failed(file, error.detail, final=False)
        except (HookError, HookTimeout, PluginFault, ChannelResting, LoopsExhausted) as error:
            await self._failed(file, str(error) or type(error).__name__, final=False)
        else:
            await self._keep(file, fetched.body, fetched.name or file.name)

    async def _whole(self, file: store.DueFile) -> MediaRef:
        """Where the file lies; of what it is a part of, all that has arrived. Raises
        ``Permanent``."""
        ref = _ref.decode(file.ref)
        if ref.part is None or ref.delivery is None:
            return ref
        id_ = int(ref.delivery.id)
        row = await self._database.read(
            lambda connection: deliveries.one(
                connection, file.organisation_id, file.channel_id, id_
            )
        )
        try:
            if row is not None:
                return replace(ref, delivery=await delivery_of(row, self._blobs))
        except FileNotFoundError:
            pass
        raise Permanent("other", "What the file arrived in is not kept any more.")

    async def _keep(self, file: store.DueFile, body: bytes, name: str) -> None:
        if len(body) > LARGEST:
            reason = f"The file is larger than {LARGEST // 1_000_000} MB."
            await self._failed(file, reason, final=True)
            return
        found = identify(io.BytesIO(body), name)
        try:
            sha256 = await self._blobs.put(body)
        except OSError as error:
            raise Unavailable(f"the file store cannot be written to: {error.strerror}") from error
        await self._writer.record(
            c.MediaFetched(
                organisation_id=file.organisation_id,
                at=now_ms(),
                attachment_id=file.id,
                name=safe_name(name, found.content_type),
                content_type=found.content_type,
                size=len(body),
                sha256=sha256,
                width=found.width,
                height=found.height,
            )
        )

    async def _failed(self, file: store.DueFile, reason: str, *, final: bool) -> None:
        now = now_ms()
        last = final or file.attempts + 1 >= TRIES
        await self._writer.record(
            c.MediaFailed(
                organisation_id=file.organisation_id,
                at=now,
                attachment_id=file.id,
                reason=reason[:300],
                due_at=None if last else now + backoff(file.attempts + 1, self._chance),
            )
        )


async def upload(
    writer: Writer,
    ids: Ids,
    incoming: Incoming,
    *,
    organisation_id: int,
    member_id: int,
    name: str,
) -> AttachmentState:
    """Keep a file that a member is going to send. Raises ``Refusal``, ``OSError``,
    ``Unavailable``."""
    if not incoming.size:
        raise Refusal("empty_file", "The file is empty.")
    file = await incoming.open()
    found = await asyncio.to_thread(identify, file, name)
    kept = await incoming.keep()
    attachment = AttachmentState(
        id=ids.new(),
        organisation_id=organisation_id,
        entry_id=None,
        channel_id=None,
        place=0,
        name=safe_name(name, found.content_type),
        content_type=found.content_type,
        size=kept.size,
        sha256=kept.sha256,
        state="ready",
        width=found.width,
        height=found.height,
        uploaded_by=member_id,
        created_at=now_ms(),
    )
    row = msgspec.structs.asdict(attachment)

    def insert(connection: store.Connection) -> None:
        connection.execute(t.attachments.insert(), [row])

    await writer.execute(insert)
    return attachment


class Linked(Protocol):
    """The file of a link, and whose it is."""

    @property
    def id(self) -> int:
        """Names it."""
        ...

    @property
    def organisation_id(self) -> int:
        """Whose it is."""
        ...

    @property
    def channel_id(self) -> str | None:
        """The channel that carries it."""
        ...


class Signer(Protocol):
    """Signs with the hub's key (``hub.edge.keys``)."""

    def signed(self, use: str, text: str) -> str:
        """What shows that ``text`` comes from here."""
        ...

    def is_signed(self, use: str, text: str, signature: str) -> bool:
        """Whether it was made here."""
        ...


class MediaLinks:
    """Signed public addresses of files, for providers that fetch them without a login. A channel
    can sign for its own files alone: whose a file is goes into the signature."""

    def __init__(self, signer: Signer, public_url: str) -> None:
        self._signer = signer
        self._public_url = public_url

    def url(self, channel: tuple[int, str], attachment_id: str, seconds: float) -> str:
        """An address that works for ``seconds``, if the file is the channel's."""
        until = int(time.time() + seconds)
        signature = self._signer.signed(_LINKS, _named(*channel, attachment_id, until))
        return f"{self._public_url}/media/{attachment_id}/{until}/{signature}"

    def valid(self, file: Linked, until: int, signature: str) -> bool:
        """Whether an address was made here for that file and still works."""
        channel_id = file.channel_id or ""
        named = _named(file.organisation_id, channel_id, str(file.id), until)
        return self._signer.is_signed(_LINKS, named, signature) and until >= time.time()


def _named(organisation_id: int, channel_id: str, id_: str, until: int) -> str:
    return f"{organisation_id}:{channel_id}:{id_}:{until}"
