"""Pictures that a formatted message only links to, fetched for whoever asks to see them.

The reader's browser asks the hub and never the sender's server: that learns that somebody looks,
and nothing of who it is or from where.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

from msgspec import Struct

from hub.plugin import Permanent
from hub.plugin.kit.http import PluginHttp
from hub.rules.files import SHOWN, identify

LARGEST = 10_000_000
SECONDS = 15.0
REDIRECTS = 5


class Picture(Struct, frozen=True):
    """Bytes that a page may show, of the type they are."""

    content_type: str
    body: bytes


class Pictures:
    """Asks under the rules of plugins: no private address, nothing endless. Belongs to the loop it
    is first used on."""

    def __init__(self, routes: Mapping[str, str] | None = None) -> None:
        self._http = PluginHttp(routes=routes)

    async def get(self, url: str) -> Picture:
        """The picture at an address. Raises ``HookError`` when there is none, or none that may be
        shown."""
        answer = await self._http.request(
            "GET", url, timeout=SECONDS, max_bytes=LARGEST, redirects=REDIRECTS
        )
        if answer.status != 200:
            raise Permanent("other", f"the server answered {answer.status}")
        found = identify(BytesIO(answer.body), "")
        if found.content_type not in SHOWN or not found.content_type.startswith("image/"):
            raise Permanent("other", f"it is no picture that can be shown ({found.content_type})")
        return Picture(found.content_type, answer.body)

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.aclose()
