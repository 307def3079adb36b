"""Signing in with a provider: to it, and back from it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import structlog
from litestar import Request, get
from litestar.datastructures import Cookie, State
from litestar.params import FromPath
from litestar.response import Redirect
from litestar.status_codes import HTTP_303_SEE_OTHER

from hub.edge.cookies import browser_of, signed_in
from hub.edge.guards import PUBLIC, right
from hub.edge.openid import Failed
from hub.edge.problems import not_found
from hub.edge.sessions import Unfinished, named
from hub.rules.sign_in import STEP_FOR
from hub.web.account import limit_links
from hub.web.parts import Parts, parts
from hub.web.session import methods

Web = Request[Any, Any, State]
COOKIE = "hub_sign_in"
"""Who comes back is who set out."""
_PATH = "/sign-in"
log = structlog.get_logger()


@get("/sign-in/{provider_id:str}", opt=right(PUBLIC), include_in_schema=False)
async def leave(request: Web, provider_id: FromPath[str]) -> Redirect:
    """Send the browser to the provider."""
    hub = parts(request)
    provider = hub.openid.providers.get(provider_id)
    if provider is None:
        raise not_found("way to sign in")
    await limit_links(request)
    try:
        start = await hub.openid.begin(provider)
    except Failed as failed:
        return _failed(failed, provider_id)
    answer = _to(start.url)
    answer.set_cookie(_binding(hub, start.binding, STEP_FOR // 1000))
    return answer


@get("/sign-in/{provider_id:str}/back", opt=right(PUBLIC), include_in_schema=False)
async def come_back(request: Web, provider_id: FromPath[str]) -> Redirect:
    """What the provider has to say: a session, or the page to sign in with the reason why not."""
    hub = parts(request)
    provider = hub.openid.providers.get(provider_id)
    if provider is None:
        raise not_found("way to sign in")
    given: dict[str, str] = dict(request.query_params.items())
    try:
        found = await hub.openid.finish(
            provider, given, request.cookies.get(_cookie(hub)), browser_of(request)
        )
    except Failed as failed:
        return _failed(failed, provider_id)
    hub.machinery.notices.wake()
    hub.stream.look()
    if isinstance(found, Unfinished):
        return _to(f"/#second={found.ticket}&{'+'.join(await methods(hub, found.ticket))}")
    answer = _to("/")
    for cookie in (*signed_in(found, hub.public_url), _binding(hub, "", 0)):
        answer.set_cookie(cookie)
    return answer


def _to(address: str) -> Redirect:
    return Redirect(address, status_code=HTTP_303_SEE_OTHER)


def _failed(failed: Failed, provider_id: str) -> Redirect:
    log.info("sign_in.failed", provider=provider_id, code=failed.code, reason=str(failed))
    return _to(f"/?refused={quote(failed.code)}")


def _cookie(hub: Parts) -> str:
    return named(COOKIE, hub.public_url, path=_PATH)


def _binding(hub: Parts, value: str, seconds: int) -> Cookie:
    return Cookie(
        key=_cookie(hub),
        value=value,
        httponly=True,
        secure=hub.public_url.startswith("https://"),
        samesite="lax",  # the provider sends the browser back
        path=_PATH,
        max_age=seconds,
    )
