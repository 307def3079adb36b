"""What the configuration switches on, audited: whoever starts a hub or reloads its configuration
decides by it which channels and assistants there are, and how they are set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from sqlalchemy import Connection

from hub.config import AssistantConfig, ChannelConfig
from hub.edge.keys import Keys
from hub.flow.audited import tell
from hub.flow.host import Channel, FailedChannel, redact, role_of
from hub.rules.rights import OPERATOR
from hub.store import audit, audit_log
from hub.store.ids import Ids

SET = "configured"
GONE = "removed"
_MARK = "configured secrets"
_KINDS = ("assistant", "channel")

About = tuple[str, str]
"""``channel`` or ``assistant``, and its id."""


def tell_configured(
    connection: Connection,
    ids: Ids,
    keys: Keys,
    organisation_id: int,
    switched_on: Iterable[tuple[ChannelConfig | AssistantConfig, Channel | FailedChannel]],
) -> None:
    """A line for each channel and assistant of an organisation that is not as the last line about
    it says. Of one that failed to load nobody knows which settings are secret: it stays as it was
    told of last."""
    audit.lock(connection, organisation_id)  # processes that start at once tell of it once
    before = _told(connection, organisation_id)
    after = {(role_of(one), one.id): _facts(one, runs, keys, before) for one, runs in switched_on}
    for about in sorted({*before, *after}):
        was, is_ = before.get(about), after.get(about, {})
        if is_ is None or (was or {}) == is_:
            continue
        action = f"{about[0]}.{SET if is_ else GONE}"
        tell(
            connection, ids, organisation_id, OPERATOR, action, about, before=was, after=is_ or None
        )


def _told(connection: Connection, organisation_id: int) -> dict[About, dict[str, Any]]:
    """How each was when it was told of last, of those that have not gone since."""
    actions = [f"{kind}.{how}" for kind in _KINDS for how in (SET, GONE)]
    found: dict[About, dict[str, Any]] = {}
    for line in audit_log.lines_of(connection, organisation_id, actions):
        if line.after is None:
            found.pop((line.object_kind, line.object_id), None)
        else:
            found[line.object_kind, line.object_id] = json.loads(line.after)
    return found


def _facts(
    config: ChannelConfig | AssistantConfig,
    runs: Channel | FailedChannel,
    keys: Keys,
    before: Mapping[About, dict[str, Any]],
) -> dict[str, Any] | None:
    if isinstance(runs, FailedChannel):
        return before.get((role_of(config), config.id))
    facts: dict[str, Any] = {
        "plugin": config.plugin,
        "name": config.name,
        "assistant": config.assistant if isinstance(config, ChannelConfig) else None,
        "allow_hosts": list(config.allow_hosts),
        "api": config.api,
        "settings": _shown(config.settings, runs.secrets),
    }
    if runs.secrets:
        known = before.get((role_of(config), config.id), {}).get("secrets")
        facts["secrets"] = _mark(keys, runs.secrets, known)
    return {name: value for name, value in facts.items() if value}


def _mark(keys: Keys, secrets: tuple[str, ...], known: str | None) -> str:
    """What differs when a secret does, and says nothing else of it."""
    text = json.dumps(sorted(secrets))
    if known is not None and keys.is_signed(_MARK, text, known):
        return known
    return keys.signed(_MARK, text)


def _shown(value: Any, secrets: tuple[str, ...]) -> Any:
    """Settings as they are written, without secrets, and with what JSON cannot say as text."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {redact(name, secrets): _shown(one, secrets) for name, one in items}
    if isinstance(value, (list, tuple)):
        return [_shown(one, secrets) for one in cast("list[Any]", value)]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return redact(str(value), secrets)
