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
from msgspec.structs import replace

from hub.edge.attempts import key_of_address
from hub.edge.problems import ProblemError
from hub.edge.rates import Rates
from hub.edge.sessions import COOKIE, CSRF_HEADER, Sessions, named, token_hash
from hub.edge.tokens import Tokens
from hub.rules.rights import CAPABILITIES, Actor, allowed
from hub.store import people
from hub.store.database import Database
from hub.store.scope import Scope

PUBLIC = "public"
"""For anybody: the route says itself whom it trusts."""
SIGNED_IN = "signed_in"
"""For every signed-in user, and every token."""
IN_PERSON = "in_person"
"""For every signed-in user; a token, which may be in a program's hands, will not do."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_BEARER = "bearer"
API = "/api/"
Connection = ASGIConnection[Any, Any, Any, Any]


def right(*names: str) -> dict[str, Any]:
    """A route's declaration: ``@get(..., opt=right(VIEW))``. Of several capabilities any will
    do."""
    alone = len(names) == 1 and names[0] in {PUBLIC, SIGNED_IN, IN_PERSON}
    if not alone and (not names or not CAPABILITIES.keys() >= set(names)):
        raise ValueError(f"{names!r} is no right; known: {', '.join(sorted(CAPABILITIES))}")
    return {"right": names}


class Who(Struct, frozen=True, kw_only=True):
    """Who asks: a member by the cookie of a session, or a program by a token of theirs.
    ``membership`` is theirs in the organisation of the path, if it names one; a token's is always
    its own, with what both it and its member may."""

    user: people.User
    membership: people.Membership | None
    session: str | None
    """The session's token; ``None``: asked by an API token."""
    csrf_token: str | None
    token_id: int | None
    pass_hash: str
    """The hash of the session's token or of the API token: what it all ends with."""
    remote: str | None
    """The network address they ask from."""
    signed_in_at: int | None = None
    """When the session began, in milliseconds."""

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

    @property
    def actor(self) -> Actor:
        """Who they are to the audit."""
        if self.token_id is not None:
            return Actor("token", self.token_id, self.remote)
        return Actor("member", self.member.member_id, self.remote)


class Guard:
    """Asks for the right a route declares."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        tokens: Tokens,
        public_url: str,
        rates: Rates,
    ) -> None:
        self._database = database
        self._rates = rates
        self._cookie = named(COOKIE, public_url)
        self._sessions = sessions
        self._tokens = tokens
        self._origin = _origin(public_url)

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Litestar's guard. Raises ``ProblemError``."""
        declared: tuple[str, ...] | None = handler.opt.get("right")
        if declared is None:
            raise ProblemError(500, "This route declares no right, so it answers nobody.")
        if declared == (PUBLIC,):
            scope = cast("dict[str, Any]", connection.scope)
            if scope.get("method", "GET") not in _SAFE:
                self._check_origin(connection)  # nobody is signed in from another site's page
            if connection.url.path.startswith(API):
                self._count_address(connection)
            return
        await self.require(connection, declared, connection.path_params.get("org"))
        if any("\0" in str(value) for value in connection.path_params.values()):
            raise ProblemError(404, "There is no such thing.")  # no database could be asked for it

    async def require(
        self, connection: Connection, declared: tuple[str, ...], org: str | None
    ) -> Who:
        """Who asks, if they have any of the rights ``declared`` (in organisation ``org``)."""
        given = bearer(connection)
        try:
            if given is None:
                who = await self._by_session(connection)
            else:
                who = await self._by_token(connection, given)
        except ProblemError:
            self._count_address(connection)
            raise
        self._rates.count(who.pass_hash)
        scope = cast("dict[str, Any]", connection.scope)
        if scope["type"] == "websocket":
            self._check_origin(connection)
        elif who.csrf_token is not None and scope.get("method", "GET") not in _SAFE:
            self._check_csrf(connection, who.csrf_token)
        if org is not None:
            who = replace(who, membership=await self._membership(who, org))
        if IN_PERSON in declared and who.session is None:
            raise ProblemError(
                403,
                "This is for members themselves: sign in; a token cannot do it.",
                code=IN_PERSON,
            )
        if org is not None:
            _check_second_factor(who)
            _check_right(who.member, declared)
        connection.scope["state"]["who"] = who
        return who

    def _count_address(self, connection: Connection) -> None:
        self._rates.count(key_of_address("rate", remote_of(connection) or "?"))

    async def _by_session(self, connection: Connection) -> Who:
        token = connection.cookies.get(self._cookie)
        session = None if not token else await self._sessions.find(token)
        if session is None or token is None:
            raise ProblemError(401, "Sign in to go on.")
        return Who(
            user=session.user,
            membership=None,
            session=token,
            csrf_token=session.csrf_token,
            token_id=None,
            pass_hash=token_hash(token),
            remote=remote_of(connection),
            signed_in_at=session.created_at,
        )

    async def _by_token(self, connection: Connection, token: str) -> Who:
        """A token that is wrong is wrong, whatever cookie comes with it."""
        held = await self._tokens.find(token)
        if held is None:
            raise ProblemError(
                401,
                "The token is wrong, has expired or was revoked.",
                code="bad_token",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return Who(
            user=held.user,
            membership=held.membership,
            session=None,
            csrf_token=None,
            token_id=held.id,
            pass_hash=token_hash(token),
            remote=remote_of(connection),
        )

    async def _membership(self, who: Who, org: str) -> people.Membership:
        if who.membership is not None:
            memberships = [who.membership]
        else:
            memberships = await self._database.read(
                lambda snapshot: people.memberships(snapshot, who.user.id)
            )
        for membership in memberships:
            if membership.organisation.slug == org:
                return membership
        raise ProblemError(404, "There is no such organisation, or you are no member of it.")

    def _check_csrf(self, connection: Connection, expected: str) -> None:
        given = connection.headers.get(CSRF_HEADER, "")
        if not secrets.compare_digest(given.encode(), expected.encode()):
            raise ProblemError(403, f"The header {CSRF_HEADER} is missing or wrong.", code="csrf")

    def _check_origin(self, connection: Connection) -> None:
        """A page of another site may open a socket with the user's cookie, or sign its visitor in
        as somebody else; it may not here."""
        origin = connection.headers.get("origin")
        if origin is None:
            return
        own = {self._origin, _origin(f"//{connection.headers.get('host', '')}")}
        if _origin(origin) not in own:
            raise ProblemError(403, f"Requests from {origin[:200]} are not allowed.")


def _check_second_factor(who: Who) -> None:
    if who.session is not None and who.member.needs_second_factor and not who.user.second_factor:
        raise ProblemError(
            403,
            f"{who.member.organisation.name} asks for two-factor sign-in: set it up on the page of "
            "your account first.",
            code="second_factor_needed",
        )


def who_asks(connection: Connection) -> Who:
    """Who the guard has found."""
    return connection.scope["state"]["who"]


def bearer(connection: Connection) -> str | None:
    """The token that a request brings; ``None`` where it brings none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == _BEARER else None


def remote_of(connection: Connection) -> str | None:
    """The network address that a request comes from."""
    return None if connection.client is None else connection.client.host[:100]


def _check_right(member: people.Membership, declared: tuple[str, ...]) -> None:
    if {SIGNED_IN, IN_PERSON} & set(declared) or allowed(member.capabilities, declared):
        return
    named = " or ".join(f"{name} ({CAPABILITIES.get(name, name)})" for name in declared)
    raise ProblemError(
        403,
        f"Your role, {member.role}, lacks the right {named}. "
        f"An admin of {member.organisation.name} can give it.",
        code=declared[0],
    )


def _origin(url: str) -> str:
    """Host and port; the scheme is a proxy's matter."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return "?"


__all__ = ["IN_PERSON", "PUBLIC", "SIGNED_IN", "Guard", "Who", "bearer", "right", "who_asks"]
