"""Rights, in one place: every route declares the right it needs, and this is what asks for it.

A route without a declaration answers nobody. ``{org}`` in a path is an organisation's slug; what
belongs to another organisation is not found.
"""

from __future__ import annotations

import secrets
from typing import Any, cast
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from msgspec import Struct

from hub.edge.problems import ProblemError
from hub.edge.sessions import COOKIE, CSRF_HEADER, Sessions
from hub.rules.rights import CAPABILITIES
from hub.store import people
from hub.store.database import Database
from hub.store.scope import Scope

PUBLIC = "public"
"""For anybody: the route says itself whom it trusts."""
SIGNED_IN = "signed_in"
"""For every signed-in user."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
Connection = ASGIConnection[Any, Any, Any, Any]


def right(name: str) -> dict[str, Any]:
    """A route's declaration: ``@get(..., opt=right(VIEW))``."""
    if name not in {PUBLIC, SIGNED_IN} and name not in CAPABILITIES:
        raise ValueError(f"{name!r} is no right; known: {', '.join(sorted(CAPABILITIES))}")
    return {"right": name}


class Who(Struct, frozen=True, kw_only=True):
    """Who asks. ``membership`` is theirs in the organisation of the path, if it names one."""

    user: people.User
    csrf_token: str
    token: str
    membership: people.Membership | None

    @property
    def member(self) -> people.Membership:
        """The membership, on routes of an organisation."""
        if self.membership is None:
            raise RuntimeError("the route names no organisation")
        return self.membership

    @property
    def scope(self) -> Scope:
        """Whose eyes they read with."""
        return Scope(self.member.organisation.id, self.member.channels)


class Guard:
    """Asks for the right a route declares."""

    def __init__(self, database: Database, sessions: Sessions, public_url: str) -> None:
        self._database = database
        self._sessions = sessions
        self._origin = _origin(public_url)

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Litestar's guard. Raises ``ProblemError``."""
        declared = handler.opt.get("right")
        if declared is None:
            raise ProblemError(500, "This route declares no right, so it answers nobody.")
        if declared == PUBLIC:
            return
        await self.require(connection, declared, connection.path_params.get("org"))

    async def require(self, connection: Connection, name: str, org: str | None) -> Who:
        """Who asks, if they have the right ``name`` (in organisation ``org``)."""
        who = await self._authenticate(connection)
        scope = cast("dict[str, Any]", connection.scope)
        if scope["type"] == "websocket":
            self._check_origin(connection)
        elif scope.get("method", "GET") not in _SAFE:
            self._check_csrf(connection, who)
        if org is not None:
            membership = await self._membership(who.user.id, org)
            if name != SIGNED_IN and name not in membership.capabilities:
                raise ProblemError(
                    403,
                    f"Your role, {membership.role}, lacks the right {name} "
                    f"({CAPABILITIES[name]}). An admin of {membership.organisation.name} can "
                    "give it.",
                    code=name,
                )
            who = Who(
                user=who.user,
                csrf_token=who.csrf_token,
                token=who.token,
                membership=membership,
            )
        connection.scope["state"]["who"] = who
        return who

    async def _authenticate(self, connection: Connection) -> Who:
        token = connection.cookies.get(COOKIE)
        session = None if not token else await self._sessions.find(token)
        if session is None:
            raise ProblemError(401, "Sign in to go on.")
        return Who(
            user=session.user, csrf_token=session.csrf_token, token=token or "", membership=None
        )

    async def _membership(self, user_id: int, org: str) -> people.Membership:
        memberships = await self._database.read(
            lambda snapshot: people.memberships(snapshot, user_id)
        )
        for membership in memberships:
            if membership.organisation.slug == org:
                return membership
        raise ProblemError(404, "There is no such organisation, or you are no member of it.")

    def _check_csrf(self, connection: Connection, who: Who) -> None:
        given = connection.headers.get(CSRF_HEADER, "")
        if not secrets.compare_digest(given.encode(), who.csrf_token.encode()):
            raise ProblemError(403, f"The header {CSRF_HEADER} is missing or wrong.", code="csrf")

    def _check_origin(self, connection: Connection) -> None:
        """A page of another site may open a socket with the user's cookie; it may not here."""
        origin = connection.headers.get("origin")
        if origin is None:
            return
        own = {self._origin, _origin(f"//{connection.headers.get('host', '')}")}
        if _origin(origin) not in own:
            raise ProblemError(403, f"Sockets from {origin[:200]} are not allowed.")


def who_asks(connection: Connection) -> Who:
    """Who the guard has found."""
    return connection.scope["state"]["who"]


def _origin(url: str) -> str:
    """Host and port; the scheme is a proxy's matter."""
    return urlsplit(url).netloc.lower()


__all__ = ["PUBLIC", "SIGNED_IN", "Guard", "Who", "right", "who_asks"]
