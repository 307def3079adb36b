"""The configuration as the rest of the hub sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from hub.config.errors import Origin
from hub.plugin.settings import Secret


class HubSection(Struct, frozen=True, kw_only=True):
    """``[hub]``: what concerns the process."""

    database: str
    """``sqlite:///absolute/path`` or ``postgresql+asyncpg://…``; may hold a password."""
    redis: str | None
    """``redis://…``, ``rediss://…`` or ``unix://…``; may hold a password."""
    public_url: str
    """How the world reaches the hub, without a slash at the end."""
    data: Path
    """The absolute path of the folder for blobs and all else the hub keeps on disk."""
    host: str
    port: int
    secret_key: Secret | None
    """Of it all keys are made. Without one the hub makes its own and keeps it in ``data``; several
    processes that share no ``data`` need the same one here."""
    accepted_secret_keys: tuple[Secret, ...] = ()
    """What is there is read with these as well, while ``secret_key`` is replaced."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of reverse proxies: from these alone ``X-Forwarded-For`` and
    ``X-Forwarded-Proto`` are believed."""
    requests_a_minute: int = 6000
    """Requests to the API by one session, one token, or one network address that shows neither;
    0: as many as come."""


class MailConfig(Struct, frozen=True, kw_only=True):
    """``[notices]``: the mail server through which notices go."""

    host: str
    port: int
    tls: Literal["starttls", "tls", "none"]
    """``starttls`` (the usual, on port 587) and ``tls`` (465) insist on it and on a certificate
    that the system trusts; ``none`` (25) is for a server on the same machine."""
    username: str | None
    password: Secret | None
    sender: str
    """``from``: ``Name <name@example.com>``, or the address alone."""


class TextsConfig(Struct, frozen=True, kw_only=True):
    """``[[notices.texts]]``: the channel through which an organisation's notices go as texts."""

    organisation: str
    """A slug that an ``Organisation`` has."""
    channel: str
    """The id of a channel that the organisation has switched on."""
    sender: str | None
    """``from``: one of the channel's own addresses; its first one otherwise."""
    origin: Origin
    """Places mistakes that only the channel's plugin can tell."""


class SignInConfig(Struct, frozen=True, kw_only=True):
    """``[[sign_in]]``: a provider that people sign in with, by OpenID Connect."""

    id: str
    """Part of the address that the provider sends them back to: ``/sign-in/{id}/back``."""
    issuer: str
    client_id: str
    client_secret: Secret
    label: str
    """What the button says."""
    email_domains: tuple[str, ...] = ()
    """Who is let in; empty: whoever the provider knows."""
    organisation: str | None = None
    """Where who is not known becomes a member, with ``role``; ``None``: only who is invited, or has
    an account, comes in."""
    role: str | None = None
    allow_hosts: tuple[str, ...] = ()
    """Names of private hosts that the provider's own addresses may name besides the issuer's."""


class Organisation(Struct, frozen=True, kw_only=True):
    """``[[organisations]]``."""

    slug: str
    name: str
    time_zone: str
    """A name of the IANA database; the organisation's days begin by it."""


class PluginConfig(Struct, frozen=True, kw_only=True):
    """A plugin that is switched on by name, with its settings as they were written."""

    id: str
    """Unique among everything the organisation has configured."""
    organisation: str
    """A slug that an ``Organisation`` has."""
    plugin: str
    """The name of the plugin's entry point."""
    enabled: bool
    name: str | None
    """What people call it; the plugin's own name otherwise."""
    allow_hosts: tuple[str, ...] = ()
    """Names of private hosts that the plugin may reach; all others have to be public."""
    api: str | None = None
    """The plugin API that ``settings`` were written for, where the plugin has moved on since."""
    settings: dict[str, Any]
    """References replaced by their values, nothing else checked: see ``convert_settings``. Where
    ``enabled`` is false the references are left unresolved."""
    origin: Origin
    """Places mistakes in the settings."""


class ChannelConfig(PluginConfig, frozen=True, kw_only=True):
    """``[[channels]]``."""

    assistant: str | None = None
    """The id of an assistant of the same organisation that is switched on: it is asked what the
    channel asks by ``ctx.ask``."""


class AssistantConfig(PluginConfig, frozen=True, kw_only=True):
    """``[[assistants]]``."""


class ExtensionConfig(PluginConfig, frozen=True, kw_only=True):
    """``[[extensions]]``."""


class HubConfig(Struct, frozen=True, kw_only=True):
    """A whole configuration."""

    path: Path | None
    """The file it came from, if there was one."""
    hub: HubSection
    mail: MailConfig | None = None
    texts: tuple[TextsConfig, ...] = ()
    sign_in: tuple[SignInConfig, ...] = ()
    organisations: tuple[Organisation, ...]
    channels: tuple[ChannelConfig, ...]
    assistants: tuple[AssistantConfig, ...]
    extensions: tuple[ExtensionConfig, ...]
