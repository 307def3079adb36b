"""The ready settings of the README, and channels made of settings."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from hub_sms_generic import GenericSms
from hub_sms_generic.settings import Settings

from hub.conformance.settings import settings_of

README = Path(__file__).parents[2] / "plugins/sms-generic/README.md"
HOOK = "https://hub.example/hooks/main/texts"
TOKEN = "made-up-by-you-4711"


def ready(provider: str) -> dict[str, Any]:
    """The settings under a provider's heading, with every secret put in."""
    found = re.search(rf"### {provider}\n.*?```toml\n(.*?)```", README.read_text(), re.DOTALL)
    assert found is not None
    (channel,) = tomllib.loads(found[1])["channels"]
    return put_in(channel["settings"])


def put_in(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"env"}:
            return TOKEN if value["env"].endswith("HOOK_TOKEN") else f"secret {value['env']}"
        return {key: put_in(each) for key, each in value.items()}
    return [put_in(each) for each in value] if isinstance(value, list) else value


def settings(given: dict[str, Any], **change: Any) -> Settings:
    return settings_of(Settings, given | change)


def channel(given: dict[str, Any], **change: Any) -> GenericSms:
    return GenericSms(settings(given, **change))
