"""What a hook may raise, and what each means to the hub.

Anything else that a hook raises is taken for a bug in the plugin: it is logged with plugin, hook
and channel, an ingested delivery is quarantined, and several in a row open the channel's breaker.
"""

from __future__ import annotations

from typing import Literal, get_args

FailureReason = Literal[
    "bad_address",
    "opted_out",
    "window_closed",
    "too_large",
    "unsupported_content",
    "policy",
    "configuration",
    "other",
]
"""Why a message can never go out as it is. ``bad_address``: the recipient cannot be reached on
this channel. ``policy``: a carrier's or provider's filter. ``configuration``: the organisation's
own set-up (a sender that is not registered). ``other``: see the detail."""

FAILURE_REASONS: frozenset[str] = frozenset(get_args(FailureReason))


class HookError(Exception):
    """Base of every error that has a meaning to the hub. ``detail`` is shown to staff: one line,
    no secrets, no message text. ``accepted``: of ``send``, where one message goes out as several,
    the provider's ids of those that were out before it failed, in order; staff are told how many.
    Set it on what was raised: ``error.accepted = tuple(ids)``. A further attempt goes on after
    them."""

    accepted: tuple[str, ...] = ()

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class Unverified(HookError):
    """The delivery does not come from who it claims: 403, counted, body not kept."""


class Malformed(HookError):
    """The delivery cannot be understood. Before verification: 400, not kept. After it:
    quarantined, the provider is told 200, and it can be replayed."""


class Temporary(HookError):
    """Try again. ``send``: with back-off and jitter until the deadline, not before
    ``retry_after`` seconds. ``ingest`` after verification: quarantined and tried again."""

    def __init__(self, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Permanent(HookError):
    """The message can never go out as it is. ``provider_code`` is the provider's own code."""

    def __init__(
        self, reason: FailureReason, detail: str = "", *, provider_code: str | None = None
    ) -> None:
        if reason not in FAILURE_REASONS:
            raise ValueError(
                f"Permanent: reason {reason!r} is not one of {', '.join(sorted(FAILURE_REASONS))}"
            )
        super().__init__(detail)
        self.reason: FailureReason = reason
        self.provider_code = provider_code


class OutcomeUnknown(HookError):
    """The message may or may not have gone out. It is never repeated blindly: only where the
    provider takes an idempotency key, else ``reconcile`` is asked, else a person decides."""


class CredentialsInvalid(HookError):
    """The provider refuses the channel's credentials: the channel pauses and asks for a person.
    The message waits."""


class BadAddress(HookError):
    """The text is no address of this scheme."""


class Unsupported(HookError):
    """The plugin does not do this. Nothing has touched the network."""
