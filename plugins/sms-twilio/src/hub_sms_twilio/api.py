"""Twilio's REST API, by the official client, over ``ctx.http``.

Imported when the first message goes out: the client's package takes a tenth of a second and 300
modules.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from hub.plugin import Context, OutcomeUnknown, Secret
from hub_sms_twilio import failures
from hub_sms_twilio.failures import Failure


class OverContext(AsyncHttpClient):
    """The client's transport: the hub's network, with the hub's rules. One attempt a request; an
    answer that is no success is raised as what it means to the hub."""

    def __init__(self, ctx: Context, timeout: float, codes: Mapping[int, Failure]) -> None:
        super().__init__(None, True, timeout)  # pyright: ignore[reportArgumentType]  # no log
        self._ctx = ctx
        self._limit = timeout
        self._codes = codes

    async def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
        allow_redirects: bool = False,  # noqa: ARG002  # the client never asks for it
    ) -> Response:
        response = await self._ctx.http.request(
            method,
            uri,
            params=_pairs(params) or None,
            form=_pairs(data) if method == "POST" else None,
            headers=headers,
            auth=None if auth is None else (auth[0], Secret(auth[1])),
            timeout=timeout or self._limit,
        )
        if not 200 <= response.status < 300:
            raise failures.of_response(response, self._ctx.clock.now(), self._codes)
        try:
            answer = response.json()
        except (ValueError, RecursionError) as error:
            raise OutcomeUnknown("Twilio's answer is no JSON") from error
        if not isinstance(answer, dict):
            raise OutcomeUnknown("Twilio's answer is no object")
        return Response(response.status, response.text(), response.headers)


def client(
    ctx: Context,
    account_sid: str,
    credentials: tuple[str, Secret],
    timeout: float,
    codes: Mapping[int, Failure] = failures.CODES,
) -> Client:
    """The official client; ``codes`` say what its errors mean. It would read a region from the
    environment, and move the channel to another host by it: it is given one that names none."""
    user, password = credentials
    return Client(
        user,
        password.reveal(),
        account_sid,
        http_client=OverContext(ctx, timeout, codes),
        environment={"TWILIO_REGION": ""},
    )


def _pairs(values: Mapping[str, object] | None) -> list[tuple[str, str]]:
    """Lists become repeated names, as the API has them (``MediaUrl``)."""
    pairs: list[tuple[str, str]] = []
    for name, value in (values or {}).items():
        several = cast("list[object]", value) if isinstance(value, list) else [value]
        pairs += [(name, str(each)) for each in several]
    return pairs
