"""A message of WhatsApp's as the hub has it: words, files, and what else is worth showing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from msgspec import Struct, field

from hub.plugin import MediaRef
from hub_whatsapp_cloud.payload import (
    Card,
    Choice,
    Content,
    Form,
    Interactive,
    Location,
    Media,
    Order,
    Product,
)


class Said(Struct, frozen=True, kw_only=True):
    """What a message says."""

    text: str = ""
    media: tuple[MediaRef, ...] = ()
    facts: dict[str, str] = field(default_factory=dict[str, str])


def said(content: Content) -> Said | None:
    """What the part of ``content`` that its type names says; ``None`` for a type that is not known,
    or whose part is missing."""
    read = _READERS.get(content.type)
    return None if read is None else read(content)


def unreadable(content: Content) -> dict[str, str]:
    """That a message is there which cannot be shown, and what WhatsApp says about it."""
    facts = {"Unsupported": content.type or "message"}
    for error in content.errors:
        number = "" if error.code is None else f" {error.code}"
        facts[f"Error{number}"] = error.words or "no reason given"
    return facts


def circumstances(content: Content) -> dict[str, str]:
    """How a message came about: forwarded, by an ad, about a product."""
    facts: dict[str, str | None] = {}
    context, referral = content.context, content.referral
    if context is not None:
        if context.frequently_forwarded:
            facts["Forwarded"] = "many times"
        elif context.forwarded:
            facts["Forwarded"] = "yes"
        if context.referred_product is not None:
            facts["Product"] = context.referred_product.product_retailer_id
    if referral is not None:
        facts["Came by"] = referral.source_type
        facts["Headline"] = referral.headline
        facts["Ad text"] = referral.body
        facts["Link"] = referral.source_url
        facts["Ad"] = referral.source_id
    return {name: value for name, value in facts.items() if value}


def _text(content: Content) -> Said | None:
    return None if content.text is None else Said(text=content.text.body)


def _file(content: Content) -> Said | None:
    media = cast("Media | None", getattr(content, content.type))
    if media is None or not media.id:
        return None
    ref = MediaRef(
        provider_id=media.id,
        name=media.filename or None,
        content_type=(media.mime_type or "").partition(";")[0].strip().lower() or None,
    )
    kind = "Voice message" if media.voice else "Sticker" if content.type == "sticker" else None
    facts = {} if kind is None else {"Kind": kind}
    return Said(text=media.caption or "", media=(ref,), facts=facts)


def _location(content: Content) -> Said | None:
    place: Location | None = content.location
    if place is None:
        return None
    facts = {"Place": place.name, "Address": place.address, "Link": place.url}
    if place.latitude is not None and place.longitude is not None:
        facts["Location"] = f"{place.latitude}, {place.longitude}"
    return Said(facts={name: value for name, value in facts.items() if value})


def _contacts(content: Content) -> Said | None:
    if not content.contacts:
        return None
    several = len(content.contacts) > 1
    return Said(
        facts={
            f"Contact {number}" if several else "Contact": _card(card)
            for number, card in enumerate(content.contacts, 1)
        }
    )


def _card(card: Card) -> str:
    name = card.name
    parts: list[str | None] = []
    if name is not None:
        both = " ".join(part for part in (name.first_name, name.last_name) if part)
        parts.append(name.formatted_name or both)
    parts += [each.phone or each.wa_id for each in card.phones]
    parts += [each.email for each in card.emails]
    return ", ".join(part for part in parts if part) or "without a name"


def _button(content: Content) -> Said | None:
    button = content.button
    if button is None:
        return None
    return _chosen("Button", button.text, button.payload)


def _interactive(content: Content) -> Said | None:
    answer: Interactive | None = content.interactive
    if answer is None:
        return None
    if answer.button_reply is not None:
        return _chosen("Button", answer.button_reply.title, answer.button_reply.id)
    if answer.list_reply is not None:
        return _row(answer.list_reply)
    return None if answer.nfm_reply is None else _form(answer.nfm_reply)


def _row(row: Choice) -> Said:
    chosen = _chosen("Choice", row.title, row.id)
    about = {"Description": row.description} if row.description else {}
    return Said(text=chosen.text, facts=chosen.facts | about)


def _chosen(what: str, title: str | None, key: str | None) -> Said:
    """What was pressed: its label as the words, and the key that the business gave it."""
    return Said(text=title or key or "", facts={what: key or title or ""})


def _form(form: Form) -> Said:
    """A flow's answers by name. Meta's part of it is a text that need not be JSON."""
    answers = form.response_json
    if isinstance(answers, str):
        try:
            answers = json.loads(answers)
        except (ValueError, RecursionError):
            return Said(text=form.body or "", facts={"Form": str(form.response_json)})
    return Said(text=form.body or "", facts=answers_of(answers))


def answers_of(answers: object) -> dict[str, str]:
    """A form's answers, each in one line; the token that the form was sent with is left out."""
    if not isinstance(answers, dict):
        return {"Form": _line(answers)}
    named = cast("dict[str, Any]", answers)
    return {name: _line(value) for name, value in named.items() if name != "flow_token"}


def _line(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_line(each) for each in cast("list[object]", value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _order(content: Content) -> Said | None:
    order: Order | None = content.order
    if order is None:
        return None
    return Said(text=order.text or "", facts=dict(_items(order.product_items)))


def _items(products: Sequence[Product]) -> Iterator[tuple[str, str]]:
    for number, product in enumerate(products, 1):
        line = f"{product.quantity or 1} x {product.product_retailer_id or 'an unnamed product'}"
        if product.item_price is not None:
            line += f", {product.item_price} {product.currency or ''} each".replace("  ", " ")
        yield f"Item {number}", line


_READERS: dict[str, Callable[[Content], Said | None]] = {
    "text": _text,
    "image": _file,
    "audio": _file,
    "video": _file,
    "document": _file,
    "sticker": _file,
    "location": _location,
    "contacts": _contacts,
    "button": _button,
    "interactive": _interactive,
    "order": _order,
}
