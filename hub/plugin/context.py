"""``ctx``: what the hub gives a plugin. One per channel; nothing is global.

The network is reached by ``ctx.http`` and ``ctx.connect`` only: they keep time limits and size
caps, refuse private and link-local addresses unless ``hub.toml`` allows the host, and can be
recorded by tests.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from msgspec import Struct

from hub.plugin.settings import Secret
from hub.plugin.types import CallTask, Delivery, Event, SafeHtml, Verification

T = TypeVar("T")
JwtAlgorithm = Literal[
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
]
"""How a JSON Web Token may be signed."""


class HttpResponse(Struct, frozen=True, kw_only=True):
    """A provider's answer, read whole. ``status``: of HTTP; ``headers`` have lower-case names;
    ``url``: where it came from, after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    def json(self) -> Any:
        """The body as JSON; raises ``ValueError`` (an HTML page of a gateway is not)."""
        return json.loads(self.body)

    def text(self) -> str:
        """The body as UTF-8, what is not replaced."""
        return self.body.decode("utf-8", "replace")


class Upload(Struct, frozen=True, kw_only=True):
    """A file of a form that goes out (``multipart/form-data``): under which ``field``, how it is
    called there (``name``), its bytes (``body``), and what it is (``content_type``)."""

    field: str
    name: str
    body: bytes
    content_type: str = "application/octet-stream"


class Http(Protocol):
    """One attempt per call; the hub owns retries.

    Raises ``Temporary`` when the request never left (name not found, connection refused, TLS
    failed) and ``OutcomeUnknown`` when it may have (time-out while waiting for the answer,
    connection lost), ``Permanent("policy")`` for an address that is not allowed.
    """

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Sequence[tuple[str, str]] | None = None,
        json: Any = None,
        content: bytes | None = None,
        files: Sequence[Upload] = (),
        auth: tuple[str, Secret | str] | None = None,
        timeout: float = 15.0,
        max_bytes: int = 10_000_000,
        redirects: int = 0,
    ) -> HttpResponse:
        """The content is one of ``form`` (fields in order, names may repeat), ``json`` and
        ``content``. With ``files`` it is a form of those files, after the fields of ``form``
        (``multipart/form-data``), the same bytes whenever the same is sent. ``redirects``: how
        many to follow; ``auth`` and ``headers`` go to the first host only. An answer longer than
        ``max_bytes`` raises ``Permanent("too_large")``."""
        ...


class Verify(Protocol):
    """Proofs that a delivery comes from who it claims. Each raises ``Unverified``.

    ``keys`` may be several during rotation; an empty key is never accepted.
    """

    def hmac(
        self,
        *,
        keys: Sequence[Secret],
        header: str | None = None,
        algorithm: Literal["sha1", "sha256", "sha512"] = "sha256",
        encoding: Literal["hex", "base64"] = "hex",
        prefix: str = "",
        signed: bytes | None = None,
        given: str | None = None,
    ) -> Verification:
        """The header holds ``prefix`` and the HMAC of ``signed`` (default: the raw body). Where a
        provider writes it into the body instead, ``given`` is what stands there."""
        ...

    def token(
        self,
        *,
        keys: Sequence[Secret],
        header: str | None = None,
        prefix: str = "",
        query: str | None = None,
    ) -> Verification:
        """The shared token itself stands in ``header`` after ``prefix``, or, where a provider can
        do no better, in the address, as the parameter ``query``."""
        ...

    def basic(self, *, username: str, passwords: Sequence[Secret]) -> Verification:
        """HTTP basic authentication."""
        ...

    def twilio(
        self, *, tokens: Sequence[Secret], shared_keys: Mapping[str, Secret] | None = None
    ) -> Verification:
        """``X-Twilio-Signature``, both schemes: the account's auth token with SHA-1, or a shared
        key with SHA-256 named in ``X-Twilio-Webhooks-Signature-Settings``."""
        ...

    def standard_webhooks(
        self, *, secrets: Sequence[Secret], tolerance: float = 300.0
    ) -> Verification:
        """Standard Webhooks, also as Svix names its headers."""
        ...

    def ecdsa(
        self,
        *,
        keys: Sequence[str],
        header: str,
        timestamp_header: str | None = None,
        tolerance: float | None = 300.0,
    ) -> Verification:
        """The header holds the base64 of an ECDSA signature (SHA-256) of the raw body, made with
        the private key of one of ``keys``: public keys in PEM, or base64 as SendGrid shows them.
        With ``timestamp_header`` that header's text stands before the body in what is signed; as a
        time (seconds since 1970) it may be ``tolerance`` seconds from now, ``None``: any."""
        ...

    def sns(self, *, topics: Sequence[str], tolerance: float = 3600.0) -> Verification:
        """A message of Amazon SNS, signature version 1 or 2, to one of ``topics`` (their ARNs, of
        which there has to be one: anybody can have SNS sign). Also of what confirms or ends a
        subscription. ``Timestamp`` may be ``tolerance`` seconds from now. The hub fetches the
        certificate, from Amazon alone, and calls ``ingest`` again when it has it."""
        ...

    def jwt(
        self,
        *,
        algorithms: Sequence[JwtAlgorithm],
        keys: Sequence[Secret] = (),
        jwks: str | None = None,
        jwks_url: str | None = None,
        header: str = "Authorization",
        prefix: str = "Bearer ",
        audience: str | None = None,
        issuer: str | None = None,
        body_hash: str | None = None,
        tolerance: float = 300.0,
    ) -> Verification:
        """The header holds ``prefix`` and a JSON Web Token signed by one of ``algorithms`` with one
        of ``keys`` (shared secrets, or public keys in PEM), or of a JSON Web Key Set: its text, or
        its address from the settings, which the hub fetches and calls ``ingest`` again.

        ``audience`` and ``issuer`` are compared where they are given. A token says when it was made
        (at most ``tolerance`` seconds ago) or until when it is good. ``body_hash``: the claim with
        the SHA-256 of the raw body in hex; without it the token proves nothing of the body."""
        ...


class Clock(Protocol):
    """The only clock of a plugin. While a delivery is replayed, the time it was received."""

    def now(self) -> datetime:
        """Now, in UTC."""
        ...


class KvEntry(Struct, frozen=True, kw_only=True):
    """A stored ``value`` and its ``version``, which counts its changes."""

    value: str
    version: int


class Kv(Protocol):
    """Small values of this channel, shared by all processes; at most 1,000 keys of 64 kB."""

    async def get(self, key: str) -> KvEntry | None:
        """The value, or ``None``."""
        ...

    async def put(
        self,
        key: str,
        value: str,
        *,
        version: int | None = None,
        expires_in: float | None = None,
    ) -> bool:
        """Store. With ``version`` only if that is still the stored one (0: not there yet), so
        that two processes may refresh one token; ``False`` if somebody was faster. After
        ``expires_in`` seconds it is as if it had been deleted; ``None``: it stays until it is."""
        ...

    async def delete(self, key: str) -> None:
        """Forget."""
        ...


class Media(Protocol):
    """Files of this channel's messages."""

    async def open(self, attachment_id: str) -> bytes:
        """The bytes. ``Permanent`` when it is not this channel's or is gone."""
        ...

    def signed_url(self, attachment_id: str, *, seconds: float = 3600.0) -> str:
        """A public address without a login that works for so long, a week at most; for providers
        that fetch. It opens this channel's files only."""
        ...


class Log(Protocol):
    """Structured log lines with the channel's name; secrets of the settings are redacted."""

    def info(self, event: str, **facts: Any) -> None:
        """Something worth knowing."""
        ...

    def warning(self, event: str, **facts: Any) -> None:
        """Something odd that did no harm."""
        ...

    def error(self, event: str, **facts: Any) -> None:
        """Something failed."""
        ...


class Context(Protocol):
    """What every hook is given first."""

    channel_id: str
    """The channel's id in ``hub.toml``."""
    organisation: str
    """The organisation's slug."""
    http: Http
    """Requests to the provider."""
    verify: Verify
    """Bound to the delivery at hand; outside ``ingest`` and public routes it raises."""
    clock: Clock
    """What time it is."""
    kv: Kv
    """What the channel keeps."""
    media: Media
    """Files of messages."""
    log: Log
    """Log lines."""

    async def connect(
        self, host: str, port: int, *, tls: bool = True, timeout: float = 15.0
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection for a line protocol, under the same rules as ``http``."""
        ...

    async def start_tls(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        host: str,
        *,
        timeout: float = 15.0,
    ) -> None:
        """Go on encrypted where ``connect`` has begun in plain (STARTTLS), once the server has
        agreed: the same ``reader`` and ``writer``, from now on by TLS, with a certificate for
        ``host``. Raises ``Temporary`` when that fails, or when the server has said more than it
        may before; the connection is closed then."""
        ...

    async def emit(self, delivery: Delivery) -> None:
        """Hand over something that arrived by a route or listener; returns once it is stored.
        ``ingest`` reads it like any other."""
        ...

    async def ask(self, task: CallTask) -> tuple[Event, ...]:
        """Provisional. What the channel's assistant answers to ``task``: ``Speak``, ``Handoff``,
        ``Summary`` and other events of assistants, nothing else. Raises ``Unsupported`` when
        ``hub.toml`` names no assistant for the channel, ``Temporary`` when it fails or takes longer
        than ten seconds (a summary: thirty): the channel goes on without."""
        ...

    async def run_blocking(self, function: Callable[..., T], *args: Any) -> T:
        """Run synchronous code in a thread, so that it does not stall the channel's loop."""
        ...

    def clean_html(self, html: str) -> SafeHtml:
        """HTML without scripts, handlers, forms and outside styles."""
        ...

    def public_url(self, path: str = "") -> str:
        """The channel's public address, from the configuration."""
        ...
