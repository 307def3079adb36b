"""Settings of each provider, and keys to prove what they post."""

from __future__ import annotations

from typing import Any

import pytest
from hub_email_inbound.settings import Mailgun, Postmark, SendGrid, Ses, Settings

from hub.plugin import Secret
from tests.standins.mail_hooks import PASSWORD, SIGNING_KEY, TOKEN, TOPIC, Keys


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys()


@pytest.fixture
def settings(keys: Keys) -> dict[str, Settings]:
    """Of each provider, with everything to send by."""
    own: dict[str, Any] = {
        "postmark": Postmark(passwords=(Secret(PASSWORD),), server_token=Secret("a token")),
        "mailgun": Mailgun(signing_keys=(Secret(SIGNING_KEY),), api_key=Secret("an api key")),
        "sendgrid": SendGrid(
            tokens=(Secret(TOKEN),), public_keys=(keys.public_key,), api_key=Secret("an api key")
        ),
        "ses": Ses(
            topics=(TOPIC,),
            region="eu-west-1",
            access_key_id="AKIAIOSFODNN7EXAMPLE",
            secret_access_key=Secret("a secret access key"),
        ),
    }
    return {
        name: Settings(
            provider=name,  # type: ignore[arg-type]
            address="help@example.com",
            aliases=("sales@example.com",),
            name="Example Help",
            **{name: each},
        )
        for name, each in own.items()
    }
