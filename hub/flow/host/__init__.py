"""The host: it finds, loads and calls plugins, and keeps the hub safe from them."""

from hub.flow.host.channel import (
    Channel,
    ChannelGone,
    ChannelResting,
    Ingested,
    Limits,
    PluginFault,
)
from hub.flow.host.context import Services, now_ms
from hub.flow.host.loader import (
    FailedChannel,
    InstalledPlugin,
    check_channel,
    find,
    installed,
    load_channel,
)
from hub.flow.host.loops import HookTimeout, LoopsExhausted
from hub.plugin.kit.secrets import redact

__all__ = [
    "Channel",
    "ChannelGone",
    "ChannelResting",
    "FailedChannel",
    "HookTimeout",
    "Ingested",
    "InstalledPlugin",
    "Limits",
    "LoopsExhausted",
    "PluginFault",
    "Services",
    "check_channel",
    "find",
    "installed",
    "load_channel",
    "now_ms",
    "redact",
]
