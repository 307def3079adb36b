"""Alerts for browsers in which no page of the hub is open, by the push services of their makers.

``Devices`` keeps where each is told, ``Watch`` queues what it is to be told, ``Sender`` hands it
over. What is shown is decided when it is sent (``notes``), and again in the browser: its worker
(``webui/public/worker.js``) shows nothing that a page in view tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from hub.flow.channels import Channels
from hub.flow.presence import Presence
from hub.flow.push.devices import Devices
from hub.flow.push.sender import Sender
from hub.flow.push.watch import Watch
from hub.flow.services import Vault
from hub.flow.views.present import Presenter
from hub.flow.views.shapes import ChannelOut
from hub.flow.writer import Writer
from hub.plugin.kit.http import PluginHttp
from hub.store.database import Database
from hub.store.ids import Ids

__all__ = ["Pushes"]


class Pushes:
    """The three, put together."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        ids: Ids,
        vault: Vault,
        presenter: Presenter,
        presence: Presence,
        *,
        public_url: str,
        routes: Mapping[str, str] | None = None,
    ) -> None:
        self._http = PluginHttp(routes=routes)
        self._channels: Channels = presenter.channels
        self._presenter = presenter
        self.devices = Devices(database, writer, vault)
        self.sender = Sender(
            database,
            writer,
            self.devices,
            self._http,
            contact_of(public_url),
            self._channel,
            presence.is_there,
        )
        self.watch = Watch(database, writer, ids, self.sender.wake)
        self.devices.changed = self.watch.look

    def _channel(self, organisation_id: int, channel_id: str) -> ChannelOut | None:
        found = self._channels.get(organisation_id, channel_id) or self._channels.failed(
            organisation_id, channel_id
        )
        return None if found is None else self._presenter.channel(found)

    async def start(self) -> None:
        """Begin, with channels as they are by now."""
        for channel in self._channels:
            self.watch.channel(channel.organisation_id, channel)
        await self.sender.start()
        self.watch.start()

    async def stop(self) -> None:
        """End."""
        await self.watch.stop()
        await self.sender.stop()
        await self._http.aclose()


def contact_of(public_url: str) -> str:
    """Where push services reach whoever runs the hub: services take nothing but these two kinds of
    addresses."""
    parts = urlsplit(public_url)
    if parts.scheme == "https":
        return public_url
    return f"mailto:hub@{parts.hostname or 'localhost'}"
