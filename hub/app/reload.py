"""A changed configuration, applied to a hub that runs: all of it that can be, or nothing.

The new instances are made and started beside the old ones, which are then replaced in one step.
Nothing that arrives or waits meanwhile is without a channel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import structlog
from msgspec.structs import replace

from hub.app.commands import check_texts
from hub.app.hub import Hub
from hub.app.packages import take_in_new_packages
from hub.app.processes import Outcome
from hub.app.setup import ensure_organisations
from hub.config import (
    AssistantConfig,
    ChannelConfig,
    ConfigErrors,
    HubConfig,
    HubSection,
    Origin,
    Reading,
)
from hub.flow.channels import Channels
from hub.flow.host import Channel, FailedChannel, check_channel, role_of
from hub.flow.notices import Texter
from hub.flow.writer import Unavailable

log = structlog.get_logger()

Reread = Callable[[], Reading]
"""Reads the configuration anew, from where it was read when the hub was started."""
Slot = tuple[str, str]
"""What names a channel or assistant in the file: its organisation's slug and its id."""
Configured = ChannelConfig | AssistantConfig


class Reloader:
    """Reloads one hub, once at a time."""

    def __init__(self, hub: Hub, reread: Reread) -> None:
        self._hub = hub
        self._reread = reread
        self._once = asyncio.Lock()
        self._closed = False

    async def close(self) -> None:
        """Let a reload that is under way come to its end; there is none after it."""
        self._closed = True
        async with self._once:
            pass

    async def reload(self) -> Outcome:
        """Read the configuration and apply it. Never raises."""
        async with self._once:
            if self._closed:
                return _refused(["the hub is stopping"])
            try:
                outcome = await self._reload()
            except Unavailable as error:
                outcome = _refused([f"the database cannot be written to: {error}"])
            except Exception as error:
                log.exception("reload.failed")
                outcome = _refused([f"the hub failed ({type(error).__name__}); its log has more"])
        log.info("reload.done", applied=outcome.applied, told=outcome.lines)
        return outcome

    async def _reload(self) -> Outcome:
        hub, before = self._hub, _enabled(self._hub.config)
        # A plugin may take its time to be imported.
        reading, mistakes = await asyncio.to_thread(self._read, before)
        if mistakes:
            return _refused(mistakes)
        config = _without_new_organisations(hub, reading.config)
        wanted = _enabled(config)
        changed = {
            slot: one
            for slot, one in wanted.items()
            if not _same(one, before.get(slot)) or not _well(hub, slot)
        }
        made = {slot: hub.load(one) for slot, one in changed.items()}
        loaded = {slot: made.get(slot) or _present(hub, slot) for slot in wanted}
        put = {
            role: [
                (hub.organisations[slot[0]], loaded[slot])
                for slot, one in wanted.items()
                if role_of(one) == role
            ]
            for role in ("channel", "assistant")
        }
        candidates = Channels()
        candidates.replace(put["channel"])
        senders = hub.text_senders(config)
        if mistakes := Texter.mistakes(senders, candidates):
            return _refused(mistakes)
        await hub.writer.execute(lambda c: ensure_organisations(c, hub.ids, config))
        await hub.audit_configuration(config, loaded)
        await asyncio.gather(*(one.startup() for one in made.values() if isinstance(one, Channel)))
        hub.put_in_place(put["channel"], put["assistant"])
        hub.texter.use(senders)
        told = [*_told(before, wanted, made), *_after_restart(hub, reading.config)]
        # What waits for a restart is told again by the next reload, until there was one.
        hub.config = replace(
            config, hub=hub.config.hub, mail=hub.config.mail, sign_in=hub.config.sign_in
        )
        hub.name_assistants()
        return Outcome(applied=True, lines=tuple(told or ["Nothing has changed."]))

    def _read(self, before: dict[Slot, Configured]) -> tuple[Reading, list[str]]:
        """The configuration, and everything that is wrong with it."""
        take_in_new_packages()  # perhaps a plugin was installed
        reading = self._reread()
        mistakes = [str(error) for error in ConfigErrors(reading.errors).errors]
        if reading.config.path is None and self._hub.config.path is not None:
            mistakes.append(f"{self._hub.config.path}: is not there any more")
        for slot, one in _enabled(reading.config).items():
            # What is as it was harms nothing: it runs, or is known to be off.
            if not _same(one, before.get(slot)):
                mistakes += check_channel(one)
        return reading, [*mistakes, *check_texts(reading.config)]


def _refused(mistakes: list[str]) -> Outcome:
    return Outcome(applied=False, lines=(*mistakes, "Nothing was changed."))


def _enabled(config: HubConfig) -> dict[Slot, Configured]:
    both = (*config.channels, *config.assistants)
    return {(one.organisation, one.id): one for one in both if one.enabled}


def _same(one: Configured, other: Configured | None) -> bool:
    """Whether both say the same; where they stand in the file does not matter."""
    return (
        type(one) is type(other)
        and other is not None
        and replace(one, origin=Origin()) == replace(other, origin=Origin())
    )


def _without_new_organisations(hub: Hub, config: HubConfig) -> HubConfig:
    known = hub.organisations
    return replace(
        config,
        organisations=tuple(one for one in config.organisations if one.slug in known),
        channels=tuple(one for one in config.channels if one.organisation in known),
        assistants=tuple(one for one in config.assistants if one.organisation in known),
        texts=tuple(one for one in config.texts if one.organisation in known),
    )


def _running(hub: Hub, slot: Slot) -> Channel | None:
    key = hub.organisations[slot[0]], slot[1]
    return hub.channels.get(*key) or hub.assistants.get(*key)


def _well(hub: Hub, slot: Slot) -> bool:
    """Whether the channel runs; one that failed to load, or is off for good, is made anew."""
    channel = _running(hub, slot)
    return channel is not None and not channel.lost


def _present(hub: Hub, slot: Slot) -> Channel | FailedChannel:
    channel = _running(hub, slot)
    assert channel is not None  # noqa: S101 — one that does not run is among the new ones
    return channel


def _told(
    before: dict[Slot, Configured],
    wanted: dict[Slot, Configured],
    made: dict[Slot, Channel | FailedChannel],
) -> Iterator[str]:
    for slot, channel in made.items():
        if isinstance(channel, FailedChannel):
            yield f"{_named(slot, wanted[slot])} is off: {'; '.join(channel.problems)}"
            continue
        if slot not in before:
            what = "added"
        else:
            what = "started again" if _same(wanted[slot], before[slot]) else "changed"
        state = channel.health
        unwell = "" if state.state == "ok" else f"; it is {_words(state.state)}: {state.reason}"
        yield f"{_named(slot, wanted[slot])} {what}{unwell}"
    for slot, one in before.items():
        if slot not in wanted:
            history = "; its history stays" if role_of(one) == "channel" else ""
            yield f"{_named(slot, one)} taken out{history}"


def _words(state: str) -> str:
    return "in need of attention" if state == "needs_attention" else state


def _named(slot: Slot, one: Configured) -> str:
    return f'{role_of(one)} "{slot[1]}" of {slot[0]}'


def _after_restart(hub: Hub, new: HubConfig) -> Iterator[str]:
    """What has changed and cannot be applied to a process that runs."""
    for name in HubSection.__struct_fields__:
        if getattr(hub.config.hub, name) != getattr(new.hub, name):
            yield f"[hub] {name}: takes effect when the hub is restarted"
    if hub.config.mail != new.mail:
        yield "[notices]: takes effect when the hub is restarted"
    if hub.config.sign_in != new.sign_in:
        yield "[[sign_in]]: takes effect when the hub is restarted"
    for organisation in new.organisations:
        if organisation.slug not in hub.organisations:
            named = f'organisation "{organisation.slug}"'
            yield f"{named}: it and its channels are added when the hub is restarted"
