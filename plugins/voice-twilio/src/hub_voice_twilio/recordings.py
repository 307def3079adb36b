"""Recordings and voicemails, fetched."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from hub_sms_twilio import api, media

from hub.plugin import (
    Context,
    FetchedMedia,
    HookError,
    MediaRef,
    OutcomeUnknown,
    Permanent,
    Temporary,
)
from hub_voice_twilio.settings import Settings

TIMEOUT = 15.0
LARGEST = 50_000_000
"""More than an hour of a call, as Twilio's MP3 has it."""
NOT_FOUND = "20404"
AT_TWILIO = re.compile(r"/Recordings/(RE[0-9a-fA-F]{32})\.mp3")


async def fetch(ctx: Context, ref: MediaRef, settings: Settings) -> FetchedMedia:
    """A sound: Twilio's with the account's credentials, that of another voice agent without."""
    if not media.is_twilios(ref.url):
        return await _elsewhere(ctx, ref)
    try:
        return await media.fetch(ctx, ref, settings, max_bytes=LARGEST)
    except Temporary:
        # A recording may be told of before it is there, and be gone a week later. Both are 404.
        if await _is_gone(ctx, ref, settings):
            raise Permanent("other", "The recording is no longer at Twilio") from None
        raise


async def _is_gone(ctx: Context, ref: MediaRef, settings: Settings) -> bool:
    found = AT_TWILIO.search(ref.url or "")
    if found is None:
        return False
    client = api.client(ctx, settings.account_sid, settings.credentials, TIMEOUT)
    try:
        await client.recordings(found[1]).fetch_async()
    except Permanent as error:
        return error.provider_code == NOT_FOUND
    except HookError:
        return False
    return False


async def _elsewhere(ctx: Context, ref: MediaRef) -> FetchedMedia:
    try:
        secure = urlsplit(ref.url or "").scheme == "https"
    except ValueError:
        secure = False
    if not secure:
        raise Permanent("policy", "A recording is fetched by HTTPS alone")
    try:
        response = await ctx.http.request(
            "GET", ref.url or "", timeout=60.0, max_bytes=LARGEST, redirects=media.REDIRECTS
        )
    except OutcomeUnknown as error:  # nothing is changed by asking again
        raise Temporary("the connection broke") from error
    if response.status == 200:
        return FetchedMedia(body=response.body)
    if response.status in {408, 429} or response.status >= 500:
        raise Temporary(f"the recording cannot be fetched now (HTTP {response.status})")
    raise Permanent("other", f"there is no such recording (HTTP {response.status})")
