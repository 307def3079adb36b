"""What Twilio says of the account and its keys, for ``health`` and ``check``."""

from __future__ import annotations

from typing import Any

from hub.plugin import Context, CredentialsInvalid, Finding, Health, HookError
from hub_sms_twilio import api
from hub_sms_twilio.account import Account
from hub_sms_twilio.messages import TIMEOUT


async def health(ctx: Context, account: Account) -> Health:
    """Whether the account is open, and whether the API key may read messages."""
    client = api.client(ctx, account.account_sid, account.owner, TIMEOUT)
    status = str((await client.api.v2010.accounts(account.account_sid).fetch_async()).status)
    if status != "active":
        return Health(state="needs_attention", reason=f"The Twilio account is {status}")
    if account.api_key is not None:
        keyed = api.client(ctx, account.account_sid, account.credentials, TIMEOUT)
        await keyed.messages.page_async(page_size=1)
    return Health(state="ok")


async def findings(ctx: Context, account: Account) -> tuple[Finding, ...]:
    """Whether the account is open, whether ``auth_token`` is its own, and whether the key works."""
    found: list[Finding] = []
    try:
        client = api.client(ctx, account.account_sid, account.owner, TIMEOUT)
        status = str((await client.api.v2010.accounts(account.account_sid).fetch_async()).status)
    except CredentialsInvalid:
        advice = "copy account_sid and auth_token anew from the first page of Twilio's console"
        return (Finding(about="credentials", state="wrong", detail=_REFUSED, advice=advice),)
    except HookError as error:
        return (Finding(about="credentials", state="unknown", detail=error.detail),)
    found.append(Finding(about="credentials", detail="the auth token opens the account"))
    if status != "active":
        advice = "open the account again in Twilio's console"
        detail = f"the account is {status}"
        found.append(Finding(about="account", state="wrong", detail=detail, advice=advice))
    if account.api_key is not None:
        found.append(await _key(ctx, account))
    return tuple(found)


_REFUSED = "Twilio refuses account_sid and auth_token"


async def _key(ctx: Context, account: Account) -> Finding:
    keyed = api.client(ctx, account.account_sid, account.credentials, TIMEOUT)
    try:
        await keyed.messages.page_async(page_size=1)
    except CredentialsInvalid:
        detail = "Twilio refuses api_key and api_secret"
        advice = "make a new API key in Twilio's console; its secret is shown once"
        return Finding(about="API key", state="wrong", detail=detail, advice=advice)
    except HookError as error:
        return Finding(about="API key", state="unknown", detail=error.detail)
    return Finding(about="API key", detail="it opens the account's messages")


async def number(ctx: Context, account: Account, number: str) -> Any:
    """One of the account's phone numbers, as Twilio has it configured; or a ``Finding`` that says
    why that cannot be told."""
    about = f"number {number}"
    client = api.client(ctx, account.account_sid, account.owner, TIMEOUT)
    try:
        page = list(await client.incoming_phone_numbers.page_async(phone_number=number))
    except HookError as error:
        return Finding(about=about, state="unknown", detail=error.detail)
    known = next((one for one in page if one.phone_number == number), None)
    if known is None:
        detail = "it is none of the account's numbers"
        advice = "buy it, or move it to this account; or take it out of numbers"
        return Finding(about=about, state="wrong", detail=detail, advice=advice)
    return known


def delivers(about: str, url: str | None, method: str | None, wanted: str) -> Finding:
    """Whether an address that Twilio posts to is the channel's. ``wanted``: as it should be, with
    what Twilio is to do when it fails behind a ``#``."""
    if (url or "").partition("#")[0] != wanted.partition("#")[0]:
        shown = (url or "nothing").partition("?")[0][:200]
        detail, advice = f"it goes to {shown}", f"set it to {wanted}, by HTTP POST"
        return Finding(about=about, state="wrong", detail=detail, advice=advice)
    if method not in {None, "POST"}:
        detail, advice = f"by {method}", "set it to HTTP POST"
        return Finding(about=about, state="wrong", detail=detail, advice=advice)
    return Finding(about=about, detail="it is delivered here")
