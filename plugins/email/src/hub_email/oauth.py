"""Access tokens (OAuth 2.0, RFC 6749, section 6): fetched by the refresh token, kept until they
are old, shared by all processes."""

from __future__ import annotations

import base64
import hashlib

import msgspec

from hub.plugin import Context, CredentialsInvalid, HookError, OutcomeUnknown, Temporary
from hub_email.settings import Oauth

KEY = "oauth"
EARLY = 120.0
"""Seconds before its end in which a token is not used any more."""
LASTS = 3600.0


class Kept(msgspec.Struct, frozen=True):
    """What is kept: the token, until when it is good (seconds since 1970), the refresh token if
    the server gave another, and for which of the settings' it was given."""

    token: str
    until: float
    of: str
    refresh: str | None = None


class _Answer(msgspec.Struct, frozen=True):
    access_token: str = ""
    expires_in: float | None = None
    refresh_token: str | None = None
    error: str = ""


async def access_token(ctx: Context, oauth: Oauth) -> str:
    """A token that is good now. Raises ``CredentialsInvalid`` when a person has to allow it anew,
    ``Temporary`` when there is none for now."""
    of = hashlib.sha256(oauth.refresh_token.reveal().encode()).hexdigest()
    entry = await ctx.kv.get(KEY)
    kept = _kept(entry.value) if entry is not None else None
    if kept is not None and kept.of != of:
        kept = None  # the settings have another one now
    now = ctx.clock.now().timestamp()
    if kept is not None and kept.token and kept.until - EARLY > now:
        return kept.token
    refresh = kept.refresh if kept is not None and kept.refresh else oauth.refresh_token.reveal()
    answer = await _ask(ctx, oauth, refresh)
    fresh = Kept(
        token=answer.access_token,
        until=now + (answer.expires_in or LASTS),
        of=of,
        refresh=answer.refresh_token or (kept.refresh if kept is not None else None),
    )
    # Whoever was faster has a token as good as this one; both work.
    version = entry.version if entry is not None else 0
    await ctx.kv.put(KEY, msgspec.json.encode(fresh).decode(), version=version)
    return fresh.token


async def forget(ctx: Context) -> None:
    """The token was refused: fetch another next time. What refreshes it stays."""
    entry = await ctx.kv.get(KEY)
    kept = _kept(entry.value) if entry is not None else None
    if entry is not None and kept is not None:
        spent = msgspec.structs.replace(kept, token="", until=0.0)
        await ctx.kv.put(KEY, msgspec.json.encode(spent).decode(), version=entry.version)


def sasl(user: str, token: str) -> bytes:
    """What is said for the mechanism XOAUTH2, in base64."""
    return base64.b64encode(f"user={user}\x01auth=Bearer {token}\x01\x01".encode())


def _kept(value: str) -> Kept | None:
    try:
        return msgspec.json.decode(value, type=Kept)
    except msgspec.DecodeError:
        return None


async def _ask(ctx: Context, oauth: Oauth, refresh: str) -> _Answer:
    form = [
        ("grant_type", "refresh_token"),
        ("client_id", oauth.client_id),
        ("refresh_token", refresh),
    ]
    if oauth.client_secret is not None:
        form.append(("client_secret", oauth.client_secret.reveal()))
    if oauth.scope is not None:
        form.append(("scope", oauth.scope))
    try:
        response = await ctx.http.request("POST", oauth.token_url, form=form)
    except OutcomeUnknown as error:  # no mail is under way yet
        raise Temporary("the token server did not answer") from error
    try:
        answer = msgspec.json.decode(response.body, type=_Answer)
    except msgspec.DecodeError:
        answer = _Answer()
    if response.status == 200 and answer.access_token:
        return answer
    raise _refusal(response.status, answer.error)


def _refusal(status: int, error: str) -> HookError:
    said = error if error.isascii() and error.replace("_", "").isalpha() else ""
    words = f"the token server refuses (HTTP {status} {said[:60]})".replace(" )", ")")
    return CredentialsInvalid(words) if status in {400, 401, 403} else Temporary(words)
