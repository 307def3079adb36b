"""Pictures a customer may send: samples that come with the simulator, and uploads.

Uploads are kept in pieces in the channel's ``kv``, so that every process can hand them out and a
restart keeps them. Carriers take some 600 kB a message; so does the simulator.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from importlib import resources
from pathlib import PurePosixPath

import msgspec
from msgspec import Struct

from hub.plugin import FetchedMedia, Kv, Permanent
from hub_simulator.phone import Picture
from hub_simulator.sounds import seconds_of, wav

MAX_BYTES = 600_000
MAX_UPLOADS = 20
"""The oldest upload is forgotten first."""
UPLOADS = "uploads"
PIECE = 45_000
"""Bytes of one piece; 60,000 characters in base64, below the 64 kB of one value."""

SAMPLES = {
    "sample-tap": ("dripping-tap.png", "A dripping tap"),
    "sample-window": ("cracked-window.png", "A cracked window"),
    "sample-garden": ("garden.png", "A garden"),
}
"""Id: file of the package, and what it shows."""


class Upload(Struct, frozen=True, kw_only=True):
    """What is known of an uploaded file."""

    name: str
    content_type: str
    size: int
    pieces: int


async def describe(kv: Kv, picture_id: str) -> Picture | None:
    """A picture as a message carries it; ``None`` for one that is not there."""
    if picture_id in SAMPLES:
        file, _ = SAMPLES[picture_id]
        return Picture(
            id=picture_id,
            name=file,
            content_type="image/png",
            size=len(_sample(picture_id)),
            held="phone",
        )
    upload = await _upload(kv, picture_id)
    if upload is None:
        return None
    return Picture(
        id=picture_id,
        name=upload.name,
        content_type=upload.content_type,
        size=upload.size,
        held="phone",
    )


async def fetch(kv: Kv, picture_id: str) -> FetchedMedia:
    """The bytes of a picture, or of a call's sound. Raises ``Permanent`` for one that is not there
    any more."""
    seconds = seconds_of(picture_id)
    if seconds is not None:
        made = await asyncio.to_thread(wav, seconds)
        return FetchedMedia(body=made, name="recording.wav", content_type="audio/wav")
    if picture_id in SAMPLES:
        file, _ = SAMPLES[picture_id]
        return FetchedMedia(body=_sample(picture_id), name=file, content_type="image/png")
    upload = await _upload(kv, picture_id)
    if upload is None:
        raise Permanent("other", "the simulated phone does not have this picture any more")
    pieces: list[bytes] = []
    for number in range(upload.pieces):
        entry = await kv.get(_piece_key(picture_id, number))
        if entry is None:
            raise Permanent("other", "the simulated phone does not have this picture any more")
        pieces.append(base64.b64decode(entry.value))
    return FetchedMedia(body=b"".join(pieces), name=upload.name, content_type=upload.content_type)


async def keep(kv: Kv, body: bytes, name: str, content_type: str) -> Picture:
    """Take an upload; the same bytes get the same id. Raises ``Permanent`` when it is too big."""
    if len(body) > MAX_BYTES:
        raise Permanent("too_large", f"a picture may have {MAX_BYTES // 1000} kB")
    picture_id = f"upload-{hashlib.sha256(body).hexdigest()[:32]}"
    pieces = [body[start : start + PIECE] for start in range(0, len(body), PIECE)]
    for number, piece in enumerate(pieces):
        await kv.put(_piece_key(picture_id, number), base64.b64encode(piece).decode())
    upload = Upload(
        name=PurePosixPath(name.replace("\\", "/")).name[:100] or "picture",
        content_type=content_type,
        size=len(body),
        pieces=len(pieces),
    )
    for forgotten, its_pieces in await _remember(kv, picture_id, upload):
        for number in range(its_pieces):
            await kv.delete(_piece_key(forgotten, number))
    return Picture(
        id=picture_id,
        name=upload.name,
        content_type=content_type,
        size=upload.size,
        held="phone",
    )


async def _upload(kv: Kv, picture_id: str) -> Upload | None:
    uploads, _ = await _uploads(kv)
    return uploads.get(picture_id)


async def _uploads(kv: Kv) -> tuple[dict[str, Upload], int]:
    entry = await kv.get(UPLOADS)
    if entry is None:
        return {}, 0
    return msgspec.json.decode(entry.value, type=dict[str, Upload]), entry.version


async def _remember(kv: Kv, picture_id: str, upload: Upload) -> list[tuple[str, int]]:
    """Add an upload; the result names those that made room, with the number of their pieces."""
    while True:
        uploads, version = await _uploads(kv)
        uploads.pop(picture_id, None)
        kept = dict([*uploads.items(), (picture_id, upload)][-MAX_UPLOADS:])
        if await kv.put(UPLOADS, msgspec.json.encode(kept).decode(), version=version):
            return [(each, it.pieces) for each, it in uploads.items() if each not in kept]


def _sample(picture_id: str) -> bytes:
    file, _ = SAMPLES[picture_id]
    return resources.files("hub_simulator").joinpath("page", "samples", file).read_bytes()


def _piece_key(picture_id: str, number: int) -> str:
    return f"upload:{picture_id}:{number}"
