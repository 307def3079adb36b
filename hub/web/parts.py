"""What routes work with: the hub's parts, put together by ``hub.app``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from litestar.connection import ASGIConnection

from hub.edge.openid import OpenId
from hub.edge.party import RelyingParty
from hub.edge.second import SecondFactors
from hub.edge.sessions import Sessions
from hub.flow.accounts import Accounts
from hub.flow.approvals import Approvals
from hub.flow.channels import Channels
from hub.flow.compose import Composer
from hub.flow.dial import Dialler
from hub.flow.intake import Intake
from hub.flow.machinery import Machinery
from hub.flow.media import MediaLinks
from hub.flow.outbox import Outbox
from hub.flow.people import People
from hub.flow.pictures import Pictures
from hub.flow.presence import Presence
from hub.flow.push import Pushes
from hub.flow.replay import Replay
from hub.flow.settings import OrganisationSettings
from hub.flow.stream import Stream
from hub.flow.views.present import Presenter
from hub.flow.writer import Writer
from hub.rules.rights import Actor
from hub.store.blobs import Blobs
from hub.store.database import Database
from hub.store.ids import Ids

if TYPE_CHECKING:
    from hub.edge.passkeys import Passkeys


class Parts(Protocol):
    """The parts of a running hub."""

    public_url: str
    database: Database
    blobs: Blobs
    ids: Ids
    writer: Writer
    channels: Channels
    assistants: Channels
    composer: Composer
    approvals: Approvals
    dialler: Dialler
    presenter: Presenter
    sessions: Sessions
    second_factors: SecondFactors
    party: RelyingParty | None
    accounts: Accounts
    openid: OpenId
    people: People
    settings: OrganisationSettings
    stream: Stream
    presence: Presence
    pushes: Pushes
    intake: Intake
    outbox: Outbox
    replay: Replay
    links: MediaLinks
    pictures: Pictures
    machinery: Machinery

    @property
    def passkeys(self) -> Passkeys:
        """Makes them, and asks for them."""
        ...

    async def pause_channel(
        self, organisation_id: int, channel_id: str, reason: str | None, actor: Actor
    ) -> None:
        """Stop a channel's sending, or let it go on (``None``); kept over restarts."""
        ...

    async def warnings(self) -> list[str]:
        """What somebody should look at, though the hub works."""
        ...

    async def check(self) -> list[str]:
        """What keeps the hub from working, in words; empty when nothing does."""
        ...


def parts(connection: ASGIConnection[Any, Any, Any, Any]) -> Parts:
    """The parts of the hub that serves this request."""
    return connection.app.state["parts"]
