"""Which messages wait for somebody's approval, and what may become of one that does.

Whatever sends (a member, a program with a token, an automation, an assistant) asks ``gated`` before
anything else, so that there is one answer to whether a message goes out directly, through the
queue, or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hub.rules.content import TemplateName
from hub.rules.rights import APPROVE, SEND, SEND_GATED
from hub.rules.states import Approval, Refusal

Source = Literal["member", "api", "automation", "assistant"]
"""Who writes a message. ``api``: a program, with a member's token."""
AUTHORS: Final[Mapping[Source, str]] = MappingProxyType(
    {"member": "member", "api": "member", "automation": "automation", "assistant": "assistant"}
)
"""As which kind of author its entry has them: a program writes as the member whose token it has."""

LONGEST_REASON = 500
"""Characters of why a message is rejected."""
OF_THE_WORDS = frozenset({"empty", "too_long", "template_and_text"})
"""Refusals that are about the words that an approver has changed, and not about the message."""


class Proposal(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What is asked for, so that it can be made ready for sending when it is approved: the author's
    words, from where, when at the earliest (milliseconds), in answer to which entry; to whom stands
    at the entry. ``answers``: as of ``SendMessage``."""

    text: str = ""
    subject: str | None = None
    own_address: str = ""
    attachment_ids: tuple[int, ...] = ()
    reply_to: int | None = None
    template: TemplateName | None = None
    variables: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    answers: bool = True
    due_at: int
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()


class Words(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What a message says."""

    text: str = ""
    subject: str | None = None


_encoder = msgspec.json.Encoder()
_proposals = msgspec.json.Decoder(Proposal)
_words = msgspec.json.Decoder(Words)


def encode(what: Proposal | Words) -> str:
    """As stored."""
    return _encoder.encode(what).decode()


def proposal_of(approval: Approval) -> Proposal:
    """What is asked for."""
    return _proposals.decode(approval.proposal)


def words_of(original: str) -> Words:
    """What the author wrote."""
    return _words.decode(original)


class AlreadyDecided(Refusal):
    """Somebody was faster. ``by`` is a name, ``at`` in milliseconds."""

    def __init__(self, approval: Approval) -> None:
        self.state = approval.state
        self.by = approval.decided_name
        self.at = approval.decided_at
        done = "withdrew" if approval.state == "withdrawn" else approval.state
        super().__init__(
            "already_decided", f"{self.by or 'Somebody'} {done} this already.", kind="conflict"
        )


def gated(source: Source, capabilities: Collection[str], policy: Collection[str]) -> bool:
    """Whether a message waits for approval. ``capabilities`` are those of the member behind it:
    automations and assistants have none of their own, and go by ``policy`` alone, which names the
    sources whose messages always wait. Raises ``Refusal`` where nothing may be sent."""
    if AUTHORS[source] != "member":
        return source in policy
    if not {SEND, SEND_GATED} & set(capabilities):
        raise Refusal(SEND, "You may read here, but not send messages.", kind="right")
    return source in policy or SEND not in capabilities


def missing() -> Refusal:
    """No such message waits, or has waited, in the queue that they see."""
    return Refusal("no_approval", "There is no such message.", kind="missing")


def own_message() -> Refusal:
    """Nobody approves what they wrote themselves."""
    return Refusal("own_message", "Somebody else has to decide on what you wrote.", kind="right")


def check_decider(
    approval: Approval,
    member_id: int,
    capabilities: Collection[str],
    *,
    seen: bool,
) -> None:
    """Whether a member may approve or reject now; ``seen``: whether they may see it. Raises
    ``Refusal``."""
    if not seen:
        raise missing()
    if APPROVE not in capabilities:
        raise Refusal(APPROVE, "You may no longer approve messages.", kind="right")
    if approval.member_id == member_id:
        raise own_message()


def decided(
    approval: Approval,
    state: Literal["approved", "rejected", "withdrawn"],
    *,
    by: int,
    name: str | None,
    at: int,
    reason: str | None = None,
    original: str | None = None,
) -> Approval:
    """It waits no more. Raises ``AlreadyDecided``."""
    if approval.state != "waiting":
        raise AlreadyDecided(approval)
    return replace(
        approval,
        state=state,
        original=original,
        problem=None,
        reason=reason,
        decided_by=by,
        decided_name=name,
        decided_at=at,
    )
