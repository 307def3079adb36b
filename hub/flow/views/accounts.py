"""Signing in and one's own account, invitations and links, as the API carries them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from hub.rules.sign_in import Way


class SecondStep(Struct, kw_only=True):
    """The password was right; what is sent with the ticket within ten minutes signs in."""

    ticket: str
    methods: list[Literal["passkey", "code", "recovery_code"]]
    """Any of them will do. ``code``: a code of an authenticator app, or a recovery code;
    ``recovery_code``: that alone; ``passkey``: what ``POST /api/v1/session/second/passkey`` asks
    for."""


class SecondFactor(Struct, kw_only=True, forbid_unknown_fields=True):
    ticket: str
    code: str


class PasskeyAsked(Struct, kw_only=True):
    """A passkey is asked for, once and within ten minutes."""

    ticket: str
    """Comes back with the answer."""
    options: dict[str, Any]
    """For ``navigator.credentials.create()`` or ``.get()``, as ``PublicKeyCredential`` reads them
    from JSON."""


class PasskeyShown(Struct, kw_only=True, forbid_unknown_fields=True):
    ticket: str
    credential: dict[str, Any]
    """What ``navigator.credentials.get()`` gave, as its ``toJSON()`` writes it."""


class TicketGiven(Struct, kw_only=True, forbid_unknown_fields=True):
    ticket: str


class ProviderOut(Struct, kw_only=True):
    """Where else one may sign in: at ``/sign-in/{id}``."""

    id: str
    label: str


class SignInWays(Struct, kw_only=True):
    """How one may sign in here."""

    providers: list[ProviderOut]

    mails: bool
    """Whether a forgotten password can be reset by a mailed link; otherwise by an admin."""
    passkey_origin: str | None
    """At which address pages can ask for a passkey; ``null``: this hub has no address at which
    browsers know of any."""


class SessionOut(Struct, kw_only=True):
    """Somewhere one is signed in."""

    id: str
    current: bool
    """Whether this is the session that asks."""
    user_agent: str | None
    remote: str | None
    """The network address it was begun from."""
    created_at: datetime
    seen_at: datetime
    """To five minutes."""
    expires_at: datetime
    begun_with: list[Way]
    """What was shown to begin it, in that order; empty where that is not known."""
    notifications: bool
    """Whether its browser is told of alerts while no page of the hub is open."""


class PushState(Struct, kw_only=True):
    """Whether the browser that asks is told of alerts while no page of the hub is open."""

    on: bool
    public_key: str
    """By which push services know the hub, in base64url: for ``applicationServerKey``."""


class PushKeys(Struct, kw_only=True, forbid_unknown_fields=True):
    """What only the browser reads with, in base64url."""

    p256dh: str
    auth: str


class PushGiven(Struct, kw_only=True, forbid_unknown_fields=True):
    """Of a subscription's ``PushSubscription.toJSON()`` what pushes need."""

    endpoint: str
    keys: PushKeys


class PasswordGiven(Struct, kw_only=True, forbid_unknown_fields=True):
    """``password`` may be left out within ten minutes after signing in."""

    password: str | None = None


class FactorRemoved(PasswordGiven, kw_only=True, forbid_unknown_fields=True):
    last: bool = False
    """Whether it may be the last one though an organisation asks for one."""


class PasskeyMade(Struct, kw_only=True, forbid_unknown_fields=True):
    ticket: str
    name: str
    credential: dict[str, Any]
    """What ``navigator.credentials.create()`` gave, as its ``toJSON()`` writes it."""


class NameGiven(Struct, kw_only=True, forbid_unknown_fields=True):
    name: str


class PasskeyOut(Struct, kw_only=True):
    """A passkey of one's own."""

    id: str
    name: str
    created_at: datetime
    used_at: datetime | None
    """When it signed in last; ``null``: it never has."""
    host: str
    """Where it signs in."""
    usable: bool
    """Whether that is this hub's address still."""


class PasskeyAdded(Struct, kw_only=True):
    """It is asked for from now on."""

    passkey: PasskeyOut
    recovery_codes: list[str]
    """Shown this once; empty where some are left from before."""


class CodeGiven(Struct, kw_only=True, forbid_unknown_fields=True):
    code: str


class TotpOffered(Struct, kw_only=True):
    """What an authenticator app is given, to be shown this once."""

    secret: str
    uri: str
    svg: str
    """``uri`` as a QR code."""


class RecoveryCodes(Struct, kw_only=True):
    """Shown this once; each signs in once in place of another factor. Empty where some are left
    from before, and none were asked for."""

    recovery_codes: list[str]


class SecondFactorOut(Struct, kw_only=True):
    """What is asked for besides the password."""

    totp_since: datetime | None
    """Since when codes of an authenticator app are; ``null``: they are not."""
    passkeys: list[PasskeyOut]
    passkey_origin: str | None
    """At which address pages can ask for them; ``null``: nowhere."""
    recovery_codes: int
    """How many are left."""


class EmailGiven(Struct, kw_only=True, forbid_unknown_fields=True):
    email: str


class ResetAsked(Struct, kw_only=True):
    mailed: bool
    """Whether mails can be sent: if so, one was if there is such a user."""


class LinkGiven(Struct, kw_only=True, forbid_unknown_fields=True):
    token: str
    """What stands behind ``#`` in the link."""


class ResetOffered(Struct, kw_only=True):
    email: str


class ResetUsed(Struct, kw_only=True, forbid_unknown_fields=True):
    token: str
    password: str


class Invite(Struct, kw_only=True, forbid_unknown_fields=True):
    email: str
    role_id: str
    name: str | None = None


class InvitationOut(Struct, kw_only=True):
    """Somebody who may become a member."""

    id: str
    email: str
    name: str | None
    role: str | None
    """Its name; ``null`` where it was deleted since."""
    created_at: datetime
    expires_at: datetime
    expired: bool


class InvitationMade(InvitationOut, kw_only=True):
    mailed: bool
    link: str | None
    """To be handed over, where no mail server is configured. It works once."""


class LinkMade(Struct, kw_only=True):
    """A link to choose a new password."""

    mailed: bool
    link: str | None
    """To be handed over, where no mail server is configured. It works once."""
    expires_at: datetime


class InvitationOffered(Struct, kw_only=True):
    """What a link offers."""

    organisation: str
    email: str
    name: str | None
    expires_at: datetime
    known: bool
    """Whether there is a user with this email, who signs in to accept."""


class InvitationAccepted(Struct, kw_only=True, forbid_unknown_fields=True):
    token: str
    name: str
    password: str
