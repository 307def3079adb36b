"""Certificates and key sets that deliveries are verified by.

``ingest`` asks nobody: where ``ctx.verify`` needs what lies at an address, the hub fetches it and
has the delivery read again. A copy is kept in memory, for all deliveries of the channel.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from msgspec import Struct

from hub.plugin import HookError, HttpResponse, Temporary, Unverified
from hub.plugin.kit.verify import Missing

LARGEST = 256 * 1024
MOST = 32
"""Documents kept for a channel; who delivers may name many."""
FRESH = 60.0
"""Seconds for which a copy, or that there is none, is taken for the truth."""


class _Copy(Struct, frozen=True):
    at: float
    failed: HookError | None


class Documents:
    """Those of one channel."""

    def __init__(self, get: Callable[[str], Awaitable[HttpResponse]]) -> None:
        self._get = get
        self._one = asyncio.Lock()
        self._copies: dict[str, _Copy] = {}
        self.bodies: dict[str, bytes] = {}
        """What was fetched, by its address."""

    async def bring(self, missing: Missing) -> None:
        """Fetch what is missing. Raises ``Missing`` when it cannot be had now, ``Unverified`` when
        there is no such thing."""
        async with self._one:  # whoever delivers has the hub ask as often as it likes
            await self._bring(missing)

    async def _bring(self, missing: Missing) -> None:
        url = missing.url
        copy = self._copies.get(url)
        if copy is not None and time.monotonic() - copy.at < FRESH:
            if copy.failed is not None:
                raise copy.failed
            if missing.newer:
                raise Unverified("its key is not known")
            return  # another delivery has brought it meanwhile
        failed: HookError | None = None
        try:
            body = _body(await self._get(url))
        except Unverified as error:
            failed = error
        except HookError as error:
            failed = Missing(url)
            failed.detail += f", and cannot be had: {error.detail}"
            failed.args = (failed.detail,)
        else:
            self.bodies[url] = body
        self._copies.pop(url, None)
        self._copies[url] = _Copy(time.monotonic(), failed)
        if len(self._copies) > MOST:
            useless = (each for each, one in self._copies.items() if one.failed is not None)
            oldest = next(useless, next(iter(self._copies)))
            del self._copies[oldest]
            self.bodies.pop(oldest, None)
        if failed is not None:
            raise failed


def _body(response: HttpResponse) -> bytes:
    if response.status == 200:
        return response.body
    if response.status >= 500 or response.status == 429:
        raise Temporary(f"answered {response.status}")
    raise Unverified(f"there is nothing at {response.url} to verify it by")
