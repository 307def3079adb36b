"""The channels of this process, by organisation and id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hub.flow.host import Channel, FailedChannel


class Channels:
    """What is switched on, what failed to load."""

    def __init__(self) -> None:
        self._channels: dict[tuple[int, str], Channel] = {}
        self._failed: dict[tuple[int, str], FailedChannel] = {}

    def add(self, organisation_id: int, channel: Channel | FailedChannel) -> None:
        """A channel, running or failed."""
        if isinstance(channel, Channel):
            self._channels[channel.key] = channel
        else:
            self._failed[organisation_id, channel.id] = channel

    def replace(self, channels: Iterable[tuple[int, Channel | FailedChannel]]) -> None:
        """These, with the ids of their organisations, and none but these, from now on."""
        self._channels.clear()
        self._failed.clear()
        for organisation_id, channel in channels:
            self.add(organisation_id, channel)

    def get(self, organisation_id: int, channel_id: str | None) -> Channel | None:
        """A running channel."""
        return self._channels.get((organisation_id, channel_id or ""))

    def failed(self, organisation_id: int, channel_id: str) -> FailedChannel | None:
        """A channel that could not be loaded."""
        return self._failed.get((organisation_id, channel_id))

    def of(self, organisation_id: int) -> list[Channel]:
        """An organisation's running channels, as configured."""
        return [channel for channel in self if channel.organisation_id == organisation_id]

    def failed_of(self, organisation_id: int) -> list[FailedChannel]:
        """An organisation's channels that could not be loaded."""
        return [failed for (org, _), failed in self._failed.items() if org == organisation_id]

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._channels.values())

    @property
    def all_failed(self) -> list[FailedChannel]:
        """Every channel that could not be loaded."""
        return list(self._failed.values())
