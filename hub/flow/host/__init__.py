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
    role_of,
)
from hub.flow.host.loops import HookTimeout, LoopsExhausted
from hub.flow.host.sockets import LARGEST as LARGEST_MESSAGE
from hub.flow.host.sockets import Refused, Wire
from hub.plugin.kit.secrets import redact

__all__ = [
    "LARGEST_MESSAGE",
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
    "Refused",
    "Services",
    "Wire",
    "check_channel",
    "find",
    "installed",
    "load_channel",
    "now_ms",
    "redact",
    "role_of",
]
