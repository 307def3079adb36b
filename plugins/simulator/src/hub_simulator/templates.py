"""The templates of the simulated WhatsApp account: some approved, some not."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hub.plugin import TemplateInfo, TemplateUse

MARK = re.compile(r"\{\{\s*([a-z0-9_]+)\s*\}\}")

TEMPLATES = (
    TemplateInfo(
        name="appointment_reminder",
        language="en_US",
        header="Your appointment",
        body="Hi {{name}}, we are coming on {{day}} at {{time}}. Does that still suit you?",
        footer="Reply any time",
        buttons=("Yes, see you then", "I need another time"),
        parameters=("name", "day", "time"),
        examples=("Alex", "Thursday", "9:30"),
    ),
    TemplateInfo(
        name="invoice_ready",
        language="en_US",
        header="Invoice {{number}}",
        body="Hi {{name}}, your invoice over {{amount}} is ready. Thank you for your business!",
        parameters=("number", "name", "amount"),
        examples=("2041", "Alex", "$180"),
    ),
    TemplateInfo(
        name="invoice_ready",
        language="es",
        header="Factura {{number}}",
        body="Hola {{name}}: su factura por {{amount}} está lista. ¡Gracias por su confianza!",
        parameters=("number", "name", "amount"),
        examples=("2041", "Alex", "180 €"),
    ),
    TemplateInfo(
        name="we_are_back",
        language="en_US",
        body="Sorry that it took us a while. Shall we go on where we stopped?",
        buttons=("Yes, please", "No, thanks"),
    ),
    TemplateInfo(
        name="spring_check",
        language="en_US",
        body="Hi {{name}}, shall we look after your heating this spring?",
        parameters=("name",),
        examples=("Alex",),
        state="pending",
        reason="WhatsApp has not looked at it yet",
    ),
    TemplateInfo(
        name="win_a_boiler",
        language="en_US",
        body="{{name}}, WIN a boiler! Only today!",
        parameters=("name",),
        examples=("Alex",),
        state="rejected",
        reason="Prize draws are not allowed",
    ),
)


def approved(name: str, language: str) -> TemplateInfo | None:
    """The template of that name, if it may go out."""
    wanted = (each for each in TEMPLATES if (each.name, each.language) == (name, language))
    found = next(wanted, None)
    return found if found is not None and found.state == "approved" else None


def paragraphs(use: TemplateUse) -> tuple[str, ...]:
    """What the recipient reads: header, text and footer; a mark without a value stays."""
    template = use.template
    parts = (template.header, template.body, template.footer)
    return tuple(_filled(part, use.values) for part in parts if part)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return MARK.sub(lambda mark: " ".join(values.get(mark[1], mark[0]).split()), text)
