"""Templates: what Meta has approved, with its parameters, and one filled in as Meta takes it.

A template has a header, a text, a footer and buttons, each with marks of its own (``{{1}}`` in both
header and text). The hub has one name for each parameter: a mark of the text keeps its own, that of
the header is ``header``, and that of the second button is ``button_2``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast
from urllib.parse import parse_qsl, urlsplit

from msgspec import DecodeError, Struct, ValidationError, convert

from hub.plugin import Context, TemplateInfo, TemplateUse, Temporary, Unsupported
from hub_whatsapp_cloud import graph
from hub_whatsapp_cloud.settings import Settings
from hub_whatsapp_cloud.showing import MARK, parameters_of, values_of

State = Literal["approved", "pending", "rejected", "paused"]

FIELDS = "name,language,status,category,components,parameter_format,rejected_reason"
PAGE = 100
MOST = 1000
"""Templates that are looked at."""

STATES: dict[str, State] = {
    "APPROVED": "approved",
    "PENDING": "pending",
    "IN_APPEAL": "pending",
    "REJECTED": "rejected",
    "PAUSED": "paused",
}
"""``status``; whatever else there is (``DISABLED``, ``ARCHIVED``) cannot be used either."""

FILES = frozenset({"IMAGE", "VIDEO", "DOCUMENT"})
"""Headers that are a file; its address is the value."""
BUTTONS = frozenset({"URL", "PHONE_NUMBER", "QUICK_REPLY", "COPY_CODE", "FLOW", "OTP"})


class Given(Struct, frozen=True):
    """A template, as Meta lists it."""

    name: str
    language: str
    status: str = ""
    parameter_format: str | None = None
    rejected_reason: str | None = None
    components: tuple[Component, ...] = ()


class Component(Struct, frozen=True):
    """A part of a template."""

    type: str
    format: str | None = None
    text: str | None = None
    example: Any = None
    buttons: tuple[GivenButton, ...] = ()


class GivenButton(Struct, frozen=True):
    """A button of a template."""

    type: str
    text: str = ""
    url: str | None = None
    example: Any = None


async def listed(ctx: Context, settings: Settings) -> tuple[TemplateInfo, ...]:
    """All templates of the account, page by page."""
    found: list[TemplateInfo] = []
    params = {"fields": FIELDS, "limit": str(PAGE)}
    path = f"{settings.business_account_id}/message_templates"
    while len(found) < MOST:
        page = await graph.get(ctx, settings, path, params)
        try:
            given = convert(page.get("data"), tuple[Given, ...])
        except (ValidationError, DecodeError) as error:
            raise Temporary("Meta's list of templates is not as expected") from error
        found += [info(each) for each in given]
        after = _after(page)
        if after is None:
            break
        params = params | {"after": after}
    return tuple(found)


def info(given: Given) -> TemplateInfo:
    """A template as the hub has it. One that cannot be filled in here is listed, with the reason
    why."""
    parts = {each.type.upper(): each for each in given.components}
    body = parts.get("BODY")
    text = (body.text if body is not None else None) or ""
    named = given.parameter_format == "NAMED"
    header, header_parameter, header_plan = _header(parts.get("HEADER"), named=named)
    buttons = parts["BUTTONS"].buttons if "BUTTONS" in parts else ()
    planned = list(_button_plans(buttons))
    in_text = parameters_of([text])
    examples = dict(zip(in_text, _body_examples(body, named=named), strict=False))
    if header_parameter is not None:
        examples.setdefault(header_parameter, _header_example(parts["HEADER"], named=named))
    examples |= {plan["parameter"]: example for plan, example in planned if "parameter" in plan}
    names = [*([] if header_parameter is None else [header_parameter]), *in_text]
    names += [plan["parameter"] for plan, _ in planned if "parameter" in plan]
    names = list(dict.fromkeys(names))
    state, reason = _state(given, parts)
    footer = parts.get("FOOTER")
    return TemplateInfo(
        name=given.name,
        language=given.language,
        body=text,
        parameters=tuple(names),
        examples=tuple(examples.get(name, "") for name in names),
        header=header,
        footer=footer.text if footer is not None else None,
        buttons=tuple(button.text or button.type.replace("_", " ") for button in buttons),
        state=state,
        reason=reason,
        data={
            "named": named,
            "header": header_plan,
            "body": list(in_text),
            "buttons": [plan for plan, _ in planned],
        },
    )


def pack(use: TemplateUse) -> dict[str, Any]:
    """The template with its values, as a message has it. Raises ``Unsupported`` where one is
    missing: Meta would refuse it."""
    if missing := [name for name in use.template.parameters if name not in use.values]:
        raise Unsupported(f"The template has no value for {missing[0]}.")
    template, values, plan = use.template, values_of(use), use.template.data
    components = [*_packed_header(plan, values), *_packed_body(plan, values)]
    components += _packed_buttons(plan, values)
    packed: dict[str, Any] = {"name": template.name, "language": {"code": template.language}}
    return packed | ({"components": components} if components else {})


# ---- as Meta lists them


def _state(given: Given, parts: Mapping[str, Component]) -> tuple[State, str | None]:
    state = STATES.get(given.status)
    if state is None:
        return "paused", f"Meta says {given.status.replace('_', ' ').lower() or 'nothing of it'}"
    if state == "approved":
        odd = _odd(parts)
        return ("approved", None) if odd is None else ("paused", f"The hub cannot fill in {odd}")
    reason = given.rejected_reason
    return state, None if reason in {None, "", "NONE"} else reason


def _odd(parts: Mapping[str, Component]) -> str | None:
    """What of a template cannot be filled in here."""
    unknown = sorted(set(parts) - {"HEADER", "BODY", "FOOTER", "BUTTONS"})
    if unknown:
        return f"the part {unknown[0].lower()}"
    header = parts.get("HEADER")
    if header is not None and (header.format or "TEXT") not in {"TEXT", *FILES}:
        return f"a header that is a {(header.format or '').lower()}"
    buttons = parts["BUTTONS"].buttons if "BUTTONS" in parts else ()
    odd = next((each.type for each in buttons if each.type not in BUTTONS), None)
    return None if odd is None else f"a button of the kind {odd.lower()}"


def _header(
    header: Component | None, *, named: bool
) -> tuple[str | None, str | None, dict[str, str] | None]:
    """What stands above the text, the parameter in it, and how it is filled in."""
    if header is None:
        return None, None, None
    kind = (header.format or "TEXT").upper()
    if kind in FILES:
        plan = {"type": kind.lower(), "parameter": "header"}
        return f"[{kind.capitalize()}: {{{{header}}}}]", "header", plan
    text = header.text or ""
    mark = MARK.search(text)
    if mark is None:
        return text or None, None, None
    if named:
        return text, mark[1], {"type": "text", "parameter": mark[1]}
    return MARK.sub("{{header}}", text), "header", {"type": "text", "parameter": "header"}


def _button_plans(buttons: tuple[GivenButton, ...]) -> Iterator[tuple[dict[str, Any], str]]:
    """What has to be said of buttons, and an example of each value."""
    for index, button in enumerate(buttons):
        parameter = f"button_{index + 1}"
        if button.type in {"URL", "OTP"} and MARK.search(button.url or ""):
            plan = {"index": index, "sub_type": "url", "parameter": parameter}
            yield plan, _button_example(button)
        elif button.type == "COPY_CODE":
            plan = {"index": index, "sub_type": "copy_code", "parameter": parameter}
            yield plan, _first(button.example)
        elif button.type == "FLOW":
            yield {"index": index, "sub_type": "flow"}, ""


def _body_examples(body: Component | None, *, named: bool) -> list[str]:
    example = body.example if body is not None else None
    if not isinstance(example, dict):
        return []
    given = cast("dict[str, Any]", example)
    if named:
        rows: Any = given.get("body_text_named_params")
        return [str(row.get("example", "")) for row in _dicts(rows)]
    rows = given.get("body_text")
    first: Any = cast("list[Any]", rows)[0] if isinstance(rows, list) and rows else None
    row = cast("list[Any]", first) if isinstance(first, list) else []
    return [str(each) for each in row]


def _header_example(header: Component, *, named: bool) -> str:
    example = header.example
    if not isinstance(example, dict):
        return ""
    given = cast("dict[str, Any]", example)
    if (header.format or "TEXT").upper() in FILES:
        return _first(given.get("header_handle"))
    if named:
        rows = _dicts(given.get("header_text_named_params"))
        return str(rows[0].get("example", "")) if rows else ""
    return _first(given.get("header_text"))


def _button_example(button: GivenButton) -> str:
    """Meta has the whole address as the example; what stands for the mark is its end."""
    whole = _first(button.example)
    before = MARK.split(button.url or "")[0]
    return whole.removeprefix(before)


def _first(example: Any) -> str:
    if isinstance(example, list):
        return str(cast("list[Any]", example)[0]) if example else ""
    return example if isinstance(example, str) else ""


def _dicts(rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, list):
        return []
    given = cast("list[Any]", rows)
    return [cast("dict[str, Any]", row) for row in given if isinstance(row, dict)]


def _after(page: Mapping[str, Any]) -> str | None:
    """Where the next page begins; the page is only asked for with our own address, whatever Meta's
    link says."""
    paging = page.get("paging")
    link = cast("dict[str, Any]", paging).get("next") if isinstance(paging, dict) else None
    if not isinstance(link, str):
        return None
    return dict(parse_qsl(urlsplit(link).query)).get("after")


# ---- as a message has them


def _packed_header(plan: Mapping[str, Any], values: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    header: dict[str, str] | None = plan.get("header")
    if header is None:
        return
    value = values[header["parameter"]]
    if header["type"] == "text":
        parameter: dict[str, Any] = {"type": "text", "text": value}
        if plan.get("named"):
            parameter["parameter_name"] = header["parameter"]
    else:
        parameter = {"type": header["type"], header["type"]: {"link": value}}
    yield {"type": "header", "parameters": [parameter]}


def _packed_body(plan: Mapping[str, Any], values: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    names: list[str] = plan.get("body") or []
    if not names:
        return
    parameters: list[dict[str, str]] = []
    for name in names:
        named = {"parameter_name": name} if plan.get("named") else {}
        parameters.append({"type": "text", **named, "text": values[name]})
    yield {"type": "body", "parameters": parameters}


def _packed_buttons(plan: Mapping[str, Any], values: Mapping[str, str]) -> list[dict[str, Any]]:
    packed: list[dict[str, Any]] = []
    buttons: list[dict[str, Any]] = plan.get("buttons") or []
    for button in buttons:
        component: dict[str, Any] = {
            "type": "button",
            "sub_type": button["sub_type"],
            "index": str(button["index"]),
        }
        if button["sub_type"] == "url":
            text = {"type": "text", "text": values[button["parameter"]]}
            component["parameters"] = [text]
        elif button["sub_type"] == "copy_code":
            code = {"type": "coupon_code", "coupon_code": values[button["parameter"]]}
            component["parameters"] = [code]
        packed.append(component)
    return packed
