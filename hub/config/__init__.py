"""``hub.toml`` and the environment, turned into typed settings.

``load`` gives them or raises with every mistake at once; ``read`` gives the mistakes together with
what can be used all the same, so that channels are checked too. What a channel's plugin expects is
known only to the plugin: ``convert_settings`` checks it against the plugin's own Struct.
"""

from hub.config.convert import convert_settings
from hub.config.errors import ConfigError, ConfigErrors, Origin
from hub.config.load import Reading, load, read
from hub.config.model import (
    AssistantConfig,
    ChannelConfig,
    ExtensionConfig,
    HubConfig,
    HubSection,
    MailConfig,
    Organisation,
    PluginConfig,
    SignInConfig,
    TextsConfig,
)
from hub.config.process import SECRET_KEY_LENGTH

__all__ = [
    "SECRET_KEY_LENGTH",
    "AssistantConfig",
    "ChannelConfig",
    "ConfigError",
    "ConfigErrors",
    "ExtensionConfig",
    "HubConfig",
    "HubSection",
    "MailConfig",
    "Organisation",
    "Origin",
    "PluginConfig",
    "Reading",
    "SignInConfig",
    "TextsConfig",
    "convert_settings",
    "load",
    "read",
]
