"""Files that came in. A webhook names them; the API says where one lies for five minutes, and the
same token opens it there."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from hub.plugin import (
    Context,
    CredentialsInvalid,
    FetchedMedia,
    HookError,
    MediaRef,
    OutcomeUnknown,
    Permanent,
    Temporary,
)
from hub_whatsapp_cloud import graph
from hub_whatsapp_cloud.settings import Settings

MAX_INBOUND = 100_000_000
ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
HOSTS = (".fbsbx.com", ".facebook.com", ".fbcdn.net", ".whatsapp.net")
"""Where Meta keeps files; the token goes nowhere else."""


async def fetch(ctx: Context, ref: MediaRef, settings: Settings) -> FetchedMedia:
    """A file that came in."""
    if ref.provider_id is None or not ID.fullmatch(ref.provider_id):
        raise Permanent("policy", "The file is not at Meta")
    params = {"phone_number_id": settings.phone_number_id}
    try:
        about = await graph.get(ctx, settings, ref.provider_id, params)
    except Permanent as error:
        raise Permanent("other", "Meta has the file no more") from error
    url = about.get("url")
    if not isinstance(url, str) or not _is_metas(url):
        raise Permanent("policy", "Meta names no address of its own for the file")
    kind = about.get("mime_type")
    body = await _body(ctx, url, settings)
    return FetchedMedia(body=body, content_type=kind if isinstance(kind, str) else None)


async def _body(ctx: Context, url: str, settings: Settings) -> bytes:
    try:
        response = await ctx.http.request(
            "GET",
            url,
            headers=graph.bearer(settings),
            max_bytes=MAX_INBOUND,
            timeout=45.0,
        )
    except OutcomeUnknown as error:  # nothing is changed by asking again
        raise Temporary("the connection to Meta broke") from error
    if response.status == 200:
        return response.body
    raise _refusal(response.status)


def _refusal(status: int) -> HookError:
    if status == 401:
        return CredentialsInvalid("Meta refuses the access token")
    if status in {404, 408, 410, 429} or status >= 500:
        # The address is good for minutes; the next attempt asks for a new one.
        return Temporary(f"Meta has no file there (HTTP {status})")
    return Permanent("other", f"Meta refused the file (HTTP {status})")


def _is_metas(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme == "https" and host.endswith(HOSTS)
