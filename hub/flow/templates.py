"""Templates: which ones a channel's provider has, and one of them with values."""

from __future__ import annotations

from collections.abc import Mapping

from hub.flow.host import Channel, ChannelResting, HookTimeout, LoopsExhausted, PluginFault
from hub.flow.views import shapes
from hub.plugin import HookError, TemplateInfo, TemplateUse, Temporary
from hub.rules.content import storable
from hub.rules.states import Refusal

NOT_APPROVED = {
    "pending": "waits for the provider's approval",
    "rejected": "was rejected by the provider",
    "paused": "was paused by the provider",
}


class TemplatesAway(Exception):
    """A channel cannot say which templates there are; ``passing``: it may be asked again soon."""

    def __init__(self, detail: str, *, passing: bool) -> None:
        super().__init__(detail)
        self.passing = passing


async def of(channel: Channel) -> tuple[TemplateInfo, ...]:
    """The templates of a channel, as they were a minute ago at the most; none where it has no
    such thing. Raises ``TemplatesAway``."""
    try:
        return await channel.templates()
    except (HookError, PluginFault, HookTimeout, ChannelResting, LoopsExhausted) as error:
        why = str(error) or type(error).__name__
        raise TemplatesAway(
            f"{channel.name} cannot say which templates there are: {why}",
            passing=isinstance(error, Temporary | ChannelResting),
        ) from error


async def approved(channel: Channel, name: str, language: str) -> TemplateInfo:
    """The template of that name and language. Raises ``TemplatesAway``, ``Refusal``."""
    found = await of(channel)
    template = next((one for one in found if (one.name, one.language) == (name, language)), None)
    if template is None:
        detail = f'{channel.name} has no template "{name[:80]}" ({language[:20]}).'
        raise Refusal("template_unknown", detail, fields={"template": detail})
    if template.state != "approved":
        detail = f'The template "{template.name}" {NOT_APPROVED[template.state]}'
        detail += f": {template.reason}" if template.reason else "."
        raise Refusal("template_not_approved", detail, fields={"template": detail})
    return template


def filled(template: TemplateInfo, values: Mapping[str, str]) -> TemplateUse:
    """A template with ``values``. Raises ``Refusal`` unless there is one for each of its parameters
    and for nothing else."""
    wrong = _unknown(template, values)
    wrong |= {f"variables.{name}": "A value is missing." for name in missing(template, values)}
    if wrong:
        detail = "The template takes other values: " + ", ".join(sorted(wrong)) + "."
        raise Refusal("template_values", detail, fields=wrong)
    kept = {name: storable(value) for name, value in values.items()}
    return TemplateUse(template=template, values=kept)


def half_filled(template: TemplateInfo, values: Mapping[str, str]) -> TemplateUse:
    """A template while its values are being written: what is missing reads as the name of its
    parameter. Raises ``Refusal`` for values that it has no parameters for."""
    if wrong := _unknown(template, values):
        detail = "The template takes other values: " + ", ".join(sorted(wrong)) + "."
        raise Refusal("template_values", detail, fields=wrong)
    return filled(template, {**values, **{name: f"[{name}]" for name in missing(template, values)}})


def missing(template: TemplateInfo, values: Mapping[str, str]) -> list[str]:
    """The parameters without a value, in order."""
    return [name for name in template.parameters if not values.get(name, "").strip()]


def _unknown(template: TemplateInfo, values: Mapping[str, str]) -> dict[str, str]:
    return {
        f"variables.{name[:80]}": "The template has no such parameter."
        for name in values
        if name not in template.parameters
    }


def shape(template: TemplateInfo) -> shapes.TemplateOut:
    """A template as the API shows it."""
    examples = [*template.examples, *([None] * len(template.parameters))]
    return shapes.TemplateOut(
        name=template.name,
        language=template.language,
        body=template.body,
        parameters=[
            shapes.TemplateParameter(name=name, example=example or None)
            for name, example in zip(template.parameters, examples, strict=False)
        ],
        header=template.header,
        footer=template.footer,
        buttons=list(template.buttons),
        state=template.state,
        reason=template.reason,
    )
