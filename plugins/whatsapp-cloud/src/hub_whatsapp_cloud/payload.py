"""What Meta posts, as far as it is read. Fields appear without notice, and any but an id may be
missing; what is not named is passed over.

Sources: Meta's webhook reference for the WhatsApp Business Platform (2026), and recorded webhooks.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct, field

from hub.plugin.reading import Id

Stamp = str | int | None
"""Seconds since 1970, as text in most places."""
Number = str | int | float | None


class Body(Struct, frozen=True):
    """The whole of a delivery."""

    object: str = ""
    entry: tuple[Entry, ...] = ()


class Entry(Struct, frozen=True):
    """What is told of one business account."""

    id: str = ""
    changes: tuple[Change, ...] = ()


class Change(Struct, frozen=True):
    """One thing told; ``field`` says of which kind ``value`` is."""

    field: str = ""
    value: Raw = Raw(b"{}")


class Metadata(Struct, frozen=True):
    """Which of the business's numbers it is about."""

    phone_number_id: str = ""
    display_phone_number: str = ""


class Profile(Struct, frozen=True):
    """What somebody calls themselves."""

    name: str | None = None
    username: str | None = None


class Person(Struct, frozen=True):
    """Somebody named beside the messages of theirs."""

    profile: Profile | None = None
    wa_id: str | None = None
    user_id: str | None = None


class ErrorData(Struct, frozen=True):
    """More on an error."""

    details: str | None = None


class Error(Struct, frozen=True):
    """What went wrong, by Meta's code."""

    code: int | None = None
    title: str | None = None
    message: str | None = None
    error_data: ErrorData | None = None

    @property
    def words(self) -> str:
        """The most that is said of it."""
        details = None if self.error_data is None else self.error_data.details
        return details or self.message or self.title or ""


class Media(Struct, frozen=True):
    """A file: a picture, a sound, a video, a document or a sticker."""

    id: str | None = None
    mime_type: str | None = None
    caption: str | None = None
    filename: str | None = None
    voice: bool | None = None


class Words(Struct, frozen=True):
    """A text."""

    body: str = ""


class Location(Struct, frozen=True):
    """A place."""

    latitude: Number = None
    longitude: Number = None
    name: str | None = None
    address: str | None = None
    url: str | None = None


class CardName(Struct, frozen=True):
    """The name on a card."""

    formatted_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class CardPhone(Struct, frozen=True):
    """A number on a card."""

    phone: str | None = None
    wa_id: str | None = None


class CardEmail(Struct, frozen=True):
    """A mail address on a card."""

    email: str | None = None


class Card(Struct, frozen=True):
    """A contact that was shared."""

    name: CardName | None = None
    phones: tuple[CardPhone, ...] = ()
    emails: tuple[CardEmail, ...] = ()


class Button(Struct, frozen=True):
    """A template's quick reply that was pressed."""

    text: str | None = None
    payload: str | None = None


class Choice(Struct, frozen=True):
    """A button or row that was chosen."""

    id: str | None = None
    title: str | None = None
    description: str | None = None


class Form(Struct, frozen=True):
    """A flow that was filled in; ``response_json`` is a text that should be JSON."""

    name: str | None = None
    body: str | None = None
    response_json: Any = None


class Interactive(Struct, frozen=True):
    """An answer to an interactive message."""

    type: str | None = None
    button_reply: Choice | None = None
    list_reply: Choice | None = None
    nfm_reply: Form | None = None


class Emoji(Struct, frozen=True):
    """A reaction; without ``emoji`` it is taken back."""

    message_id: Id
    emoji: str | None = None


class Product(Struct, frozen=True):
    """A line of an order, or what a message asks about."""

    product_retailer_id: str | None = None
    quantity: Number = None
    item_price: Number = None
    currency: str | None = None
    catalog_id: str | None = None


class Order(Struct, frozen=True):
    """What somebody ordered from the catalogue."""

    text: str | None = None
    product_items: tuple[Product, ...] = ()


class System(Struct, frozen=True):
    """Something that WhatsApp itself says in a conversation."""

    type: str | None = None
    body: str | None = None
    wa_id: str | None = None
    new_wa_id: str | None = None
    user_id: str | None = None
    previous_user_id: str | None = None


class Context(Struct, frozen=True):
    """What a message belongs to."""

    id: str | None = None
    forwarded: bool | None = None
    frequently_forwarded: bool | None = None
    referred_product: Product | None = None


class Referral(Struct, frozen=True):
    """The ad or post that somebody came by."""

    source_type: str | None = None
    source_id: str | None = None
    source_url: str | None = None
    headline: str | None = None
    body: str | None = None


class Revoked(Struct, frozen=True):
    """Which message was taken back."""

    original_message_id: Id


class Content(Struct, frozen=True, kw_only=True):
    """What a message says, under the name of its ``type``."""

    type: str = ""
    text: Words | None = None
    image: Media | None = None
    audio: Media | None = None
    video: Media | None = None
    document: Media | None = None
    sticker: Media | None = None
    location: Location | None = None
    contacts: tuple[Card, ...] = ()
    button: Button | None = None
    interactive: Interactive | None = None
    order: Order | None = None
    context: Context | None = None
    referral: Referral | None = None
    errors: tuple[Error, ...] = ()


class Rewritten(Struct, frozen=True):
    """Which message was edited, and what it says now."""

    original_message_id: Id
    message: Content


class Incoming(Content, frozen=True, kw_only=True):
    """A message, a reaction, an edit or something else that has a sender."""

    id: Id
    from_: str | None = field(default=None, name="from")
    from_user_id: str | None = None
    to: str | None = None
    to_user_id: str | None = None
    timestamp: Stamp = None
    group_id: str | None = None
    reaction: Emoji | None = None
    edit: Rewritten | None = None
    revoke: Revoked | None = None
    system: System | None = None


class Status(Struct, frozen=True, kw_only=True):
    """What became of a message that went out."""

    id: Id
    status: str = ""
    timestamp: Stamp = None
    biz_opaque_callback_data: str | None = None
    errors: tuple[Error, ...] = ()


class Messages(Struct, frozen=True):
    """``value`` of the field ``messages``, and of echoes."""

    metadata: Metadata = Metadata()
    contacts: tuple[Person, ...] = ()
    messages: tuple[Incoming, ...] = ()
    message_echoes: tuple[Incoming, ...] = ()
    statuses: tuple[Status, ...] = ()
    errors: tuple[Error, ...] = ()


class TemplateNews(Struct, frozen=True, kw_only=True):
    """``value`` of the fields about templates."""

    message_template_name: Id
    event: str | None = None
    reason: str | None = None
    new_category: str | None = None
    new_quality_score: str | None = None


class Ban(Struct, frozen=True):
    """Whether an account is shut."""

    waba_ban_state: str | None = None
    waba_ban_date: str | None = None


class Restriction(Struct, frozen=True):
    """What an account may not do for now."""

    restriction_type: str | None = None


class Violation(Struct, frozen=True):
    """What an account has done."""

    violation_type: str | None = None


class AccountNews(Struct, frozen=True, kw_only=True):
    """``value`` of the fields about the account or one of its numbers."""

    event: str | None = None
    decision: str | None = None
    display_phone_number: str | None = None
    phone_number: str | None = None
    current_limit: str | None = None
    alert_type: str | None = None
    alert_severity: str | None = None
    alert_description: str | None = None
    requested_verified_name: str | None = None
    rejection_reason: str | None = None
    ban_info: Ban | None = None
    restriction_info: tuple[Restriction, ...] = ()
    violation_info: Violation | None = None
