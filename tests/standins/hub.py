"""A real hub to which the stand-in is Twilio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from tests.hubs import HubProcess
from tests.services import free_port
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN, TwilioStandIn


class TwilioHub(HubProcess):
    """A hub with the channel ``sms``, always on the same port: Twilio signs its address."""

    def __init__(
        self,
        folder: Path,
        twilio: TwilioStandIn,
        database_url: str,
        *,
        numbers: Iterable[str] = (NUMBER,),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._own_port = free_port()
        self.public_url = f"http://127.0.0.1:{self._own_port}"
        self.hook = f"{self.public_url}/hooks/main/sms"
        """Where Twilio delivers."""
        quoted = ", ".join(f'"{number}"' for number in numbers)
        config = f"""
[hub]
public_url = "{self.public_url}"

[[organisations]]
slug = "main"
name = "Main"

[[notices.texts]]
channel = "sms"

[[channels]]
id = "sms"
organisation = "main"
plugin = "sms-twilio"
[channels.settings]
account_sid = "{ACCOUNT}"
auth_token = "{TOKEN}"
numbers = [{quoted}]
"""
        routes = ",".join(f"{host}={base}" for host, base in twilio.routes.items())
        super().__init__(
            folder,
            config=config,
            database_url=database_url,
            environ={"HUB_HTTP_ROUTES": routes, **(environ or {})},
        )

    def start(self, *, port: int = 0) -> Self:
        return super().start(port=port or self._own_port)
