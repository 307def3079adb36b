"""The hooks: everything the hub may ask of a plugin.

Three are the heart, and every channel has them: ``ingest`` (outside to hub), ``send`` (hub to
outside, where the channel sends) and ``render`` (how it looks). The rest is optional. A plugin
marks each by ``@hookimpl``::

    from hub.plugin import hookimpl

    class MyChannel:
        INFO = Info(...)

        def __init__(self, settings): ...

        @hookimpl
        async def ingest(self, ctx, delivery): ...

Hooks written ``async def`` here must be ``async def`` there, the others must not be. They run on
the channel's own loop in a thread of its own, except ``render``, ``compose_rules`` and
``normalise_address``, which are pure and fast and run where they are needed.
"""

from __future__ import annotations

from typing import Any

import pluggy

from hub.plugin.context import Context
from hub.plugin.types import (
    Accepted,
    Address,
    CallFacts,
    Change,
    ComposeFacts,
    ComposeRules,
    CrmFacts,
    Delivery,
    FetchedMedia,
    FetchRef,
    Finding,
    Health,
    IngestResult,
    Item,
    MediaRef,
    Outbound,
    PollResult,
    Reconciled,
    RecordRef,
    Rendered,
    Reply,
    Route,
    Surface,
    TemplateInfo,
)

PROJECT = "hub"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a method of a plugin as the implementation of the hook of its name."""


class HubSpec:
    """The hook specifications. One manager per channel holds exactly one plugin, so each hook
    has at most one implementation (``firstresult``)."""

    # ---- the three

    @hookspec(firstresult=True)
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        """Verify, then understand. No network, no clock but ``ctx.clock``: the same bytes give
        the same events, so that any stored delivery can be replayed. Never decide "duplicate"
        or "retry": return events with the provider's ids, the hub stores and de-duplicates."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        """One attempt at the provider; the hub owns retries."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:
        """How ``item`` looks on ``surface``. Pure and fast: same input, same output. ``wire`` is
        what ``send`` is given, so that what a person sees is what goes out."""
        raise NotImplementedError

    # ---- channels, optional

    @hookspec(firstresult=True)
    def normalise_address(self, ctx: Context, text: str) -> Address:
        """What a person typed (``text``), as an address of this channel. Raises ``BadAddress``."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    def compose_rules(self, ctx: Context, facts: ComposeFacts) -> ComposeRules:
        """May one write now: free, template only, closed; until when; why. Pure."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    def own_addresses(self, ctx: Context) -> tuple[Address, ...]:
        """The organisation's own addresses on this channel, from the settings. Pure."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def answer(self, ctx: Context, facts: CallFacts) -> Reply:
        """For providers that wait: what to say, once everything is stored, where ``ingest`` has
        named the question in ``IngestResult.answer``. Ten seconds; the reply is stored and repeated
        when the provider asks again. Without one ``IngestResult.reply`` is what the provider hears,
        or 503."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def templates(self, ctx: Context) -> tuple[TemplateInfo, ...]:
        """The provider's templates with parameters and approval state."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def poll(self, ctx: Context, cursor: str | None) -> PollResult:
        """Look for what arrived since ``cursor``, the one saved last (``None`` at first). Called
        again and again, by one process at a time, within a minute each. ``Temporary`` and faults
        are followed by longer and longer rests (not shorter than ``retry_after``) and shown as the
        channel's health; ``CredentialsInvalid`` asks for a person. What is returned goes through
        ``ingest``. After a crash the same may be asked for again: events have the provider's
        ids."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def listen(self, ctx: Context) -> None:
        """Hold a connection and ``ctx.emit`` what arrives: it is stored when ``emit`` returns, and
        may be confirmed to the provider then. Called again with longer and longer rests when it
        ends or raises, which is shown as the channel's health; runs in one process at a time, and
        is cancelled when the hub stops, the settings change or another process takes over."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def fetch(self, ctx: Context, ref: FetchRef) -> Delivery:
        """Get what ``IngestResult.fetch`` named; the result is stored and fed to ``ingest`` as a
        delivery of source ``fetch``. One attempt, within a minute: the hub tries again after
        ``Temporary`` and faults, eight times in all. After that, or after ``Permanent``, the
        delivery that named it is quarantined with the reason; replayed, it is fetched anew."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def fetch_media(self, ctx: Context, ref: MediaRef) -> FetchedMedia:
        """Get a file. Without this hook the hub fetches ``ref.url`` without credentials."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def reconcile(self, ctx: Context, message: Outbound) -> Reconciled:
        """Did this message of unknown outcome go out? Looks, never sends."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def startup(self, ctx: Context) -> None:
        """Before anything else, on the channel's loop; called again when it has failed, and perhaps
        after ``shutdown``. When the settings are changed, the new instance starts before the old
        one is shut down."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def shutdown(self, ctx: Context) -> None:
        """Let go of everything."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def health(self, ctx: Context) -> Health:
        """How the channel is: ask the provider whether the credentials work. Called every few
        minutes, and when a member asks. ``CredentialsInvalid`` and ``Temporary`` answer, too."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def check(self, ctx: Context) -> tuple[Finding, ...]:
        """Ask the provider whether the credentials, the senders and the webhook address
        (``ctx.public_url()``) are right, and say what to change. Looks, never changes anything;
        a minute. Called by ``hub check --providers`` alone, without ``startup``. Without it
        ``health`` is asked."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    def routes(self, ctx: Context) -> tuple[Route, ...]:
        """HTTP under the channel's own address. Asked once."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    def migrate_settings(self, settings: dict[str, Any], from_api: str) -> dict[str, Any]:
        """``settings`` as this version of the plugin wants them, where ``hub.toml`` says by
        ``api = "1.0"`` that they were written for the plugin API ``from_api`` and ``INFO.api`` is
        another by now. A ``staticmethod``, because there is no instance yet; values of secrets are
        in it as texts. What it returns is checked like any settings, and is not written back."""
        raise NotImplementedError

    # ---- extensions, provisional

    @hookspec(firstresult=True)
    async def on_change(self, ctx: Context, change: Change) -> None:
        """Provisional. A committed change; called for each in order, again after an error."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def enrich_contact(self, ctx: Context, addresses: tuple[Address, ...]) -> CrmFacts | None:
        """Provisional. What another system knows of the contact with these ``addresses``."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def find_records(self, ctx: Context, query: str) -> tuple[RecordRef, ...]:
        """Provisional. Records of another system to link, found by the words of ``query``."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    async def before_send(self, ctx: Context, message: Outbound) -> Outbound:
        """Provisional. The message as it shall go out; ``Permanent("policy")`` vetoes."""
        raise NotImplementedError
