"""Load checks: is this class a plugin the hub can run?

Everything that is wrong is found at once and said in words for its author. ``check_package``
looks at a distribution's metadata before anything of it is imported; ``check_class`` at the
class; ``load`` makes the one instance and its manager.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import Distribution
from itertools import chain
from typing import Any, Literal, cast, get_args

import msgspec
import pluggy
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from hub.plugin.hooks import PROJECT, HubSpec
from hub.plugin.types import API_VERSION, Event, Info

PACKAGE = "channel-hub"
MARK = f"{PROJECT}_impl"
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
HOOKS: dict[str, Callable[..., Any]] = {
    name: spec for name, spec in vars(HubSpec).items() if hasattr(spec, f"{PROJECT}_spec")
}
EXTENSION_HOOKS = ("on_change", "enrich_contact", "find_records", "before_send")
EVENTS = frozenset(str(event.__struct_config__.tag) for event in get_args(Event))
ASSISTANT_EVENTS = frozenset({"draft", "summary", "suggestion", "speak", "handoff", "task"})
EVENTS_OF_A_CAPABILITY = {
    "receipts": {"receipt"},
    "edits": {"edited"},
    "deletes": {"deleted"},
    "reactions": {"reaction"},
    "opt_out": {"opt_out", "opt_in"},
    "templates": {"template_changed"},
    "calls": {
        *("call_started", "call_turn", "call_ended", "call_outcome"),
        *("recording", "transcript", "voicemail"),
    },
}


Kind = Literal["info", "settings", "class", "hooks", "mark", "arguments", "claims"]


class Problem(str):
    """What is wrong, in words; ``kind`` says with what: INFO, the settings' type, the class, its
    hooks, their ``@hookimpl``, their arguments, what is claimed."""

    __slots__ = ("kind",)
    kind: Kind

    def __new__(cls, words: str, kind: Kind) -> Problem:
        made = super().__new__(cls, words)
        made.kind = kind
        return made


class LoadFailed(Exception):  # says what happened, not that it is an error
    """The plugin cannot be run; ``problems`` has every reason."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


def check_package(distribution: Distribution, hub_version: str) -> list[str]:
    """What is wrong with the range of hub versions that a plugin's package asks for."""
    name = distribution.metadata["Name"]
    ranges: list[Requirement] = []
    for line in distribution.requires or []:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if applies and canonicalize_name(requirement.name) == PACKAGE:
            ranges.append(requirement)
    if not ranges:
        return [f"{name} does not say which versions of {PACKAGE} it works with: depend on it"]
    if not any(requirement.specifier for requirement in ranges):
        return [f"{name} depends on {PACKAGE} without a range: say from which version to which"]
    return [
        f"{name} needs {PACKAGE} {requirement.specifier}, this is {hub_version}"
        for requirement in ranges
        if not requirement.specifier.contains(hub_version, prereleases=True)
    ]


def check_class(cls: object) -> list[Problem]:
    """What is wrong with a plugin's class; empty when nothing is."""
    if not inspect.isclass(cls):
        return [Problem(f"{cls!r} is not a class", "class")]
    info: object = inspect.getattr_static(cls, "INFO", None)
    current = isinstance(info, Info) and info.api == API_VERSION
    problems = [*(Problem(each, "class") for each in _check_shape(cls))]
    problems += _check_hooks(cls, current=current)
    if not isinstance(info, Info):
        return [Problem("the class has no INFO = Info(...)", "info"), *problems]
    wrong = _check_info(info)
    if wrong:
        return [*wrong, *problems]
    return [*problems, *_check_role(info, set(_implementations(cls)))]


def load(cls: Callable[[Any], object], settings: Any) -> pluggy.PluginManager:
    """A manager that holds exactly one instance of the plugin, made with ``settings``.

    Hooks written ``async def`` give a coroutine when called. Raises ``LoadFailed``."""
    problems = check_class(cls)
    if problems:
        raise LoadFailed(problems)
    return manage(cls, settings)


def manage(cls: Callable[[Any], object], settings: Any) -> pluggy.PluginManager:
    """The same of a class that was checked before."""
    try:
        plugin = cls(settings)
    except (Exception, SystemExit) as error:
        raise LoadFailed([f"the constructor raised {type(error).__name__}: {error}"]) from error
    if problems := [*_beyond(cls, plugin)]:
        raise LoadFailed(problems)
    manager = _Manager(PROJECT)
    manager.add_hookspecs(HubSpec)
    try:
        manager.register(plugin, name=cast("type", cls).__name__)
    except pluggy.PluginValidationError as error:
        raise LoadFailed([str(error)]) from error
    return manager


def info_of(manager: pluggy.PluginManager) -> Info:
    """What the instance says it is, with its settings."""
    (plugin,) = manager.get_plugins()
    return _own(plugin)


def _own(plugin: Any) -> Info:
    own = getattr(plugin, "info", None)
    return own if isinstance(own, Info) else cast("Info", plugin.INFO)


def _beyond(cls: Callable[[Any], object], plugin: Any) -> Iterator[str]:
    """What an instance says of itself beyond its class."""
    whole, own = cast("Info", cast("Any", cls).INFO), _own(plugin)
    if msgspec.structs.replace(own, can=whole.can) != whole:
        yield "the instance's info differs from INFO in more than can"
        return
    for name in own.can.__struct_fields__:
        ours, most = getattr(own.can, name), getattr(whole.can, name)
        if name == "verifies":
            fine = _PROOFS.index(ours) >= _PROOFS.index(most)
        elif isinstance(most, frozenset):
            fine = ours <= most
        else:
            fine = ours == most or not ours
        if not fine:
            yield f"the instance's info claims can.{name} = {ours!r}, INFO no more than {most!r}"


_PROOFS = ("signature", "basic", "token", "none")
"""The strongest first."""


class _Manager(pluggy.PluginManager):
    """Passes over what can be no hook: each channel has a manager, and pluggy looks long at every
    attribute."""

    def parse_hookspec_opts(self, module_or_class: Any, name: str) -> Any:
        return super().parse_hookspec_opts(module_or_class, name) if name in HOOKS else None

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        marked = name in _marked(plugin.__class__)
        return super().parse_hookimpl_opts(plugin, name) if marked else None


@lru_cache(maxsize=64)
def _marked(cls: type) -> frozenset[str]:
    """The attributes that are implementations of hooks."""
    return frozenset(chain.from_iterable(_implementations(cls).values()))


def _check_info(info: Info) -> list[Problem]:
    """A Struct does not look at the types it is made with; here they are looked at."""
    problems: list[Problem] = []
    for field in msgspec.structs.fields(Info):
        if field.name != "settings":
            try:
                msgspec.convert(msgspec.to_builtins(getattr(info, field.name)), field.type)
            except (msgspec.ValidationError, TypeError) as error:
                problems.append(Problem(f"INFO.{field.name}: {error}", "info"))
    problems += (Problem(each, "settings") for each in _check_settings(info.settings))
    if problems:
        return problems
    if not NAME.fullmatch(info.name):
        words = f"INFO.name {info.name!r} is not of lower-case letters, digits and single hyphens"
        problems.append(Problem(words, "info"))
    if not info.label.strip():
        problems.append(Problem("INFO.label is empty", "info"))
    return [*problems, *(Problem(each, "info") for each in _check_api(info.api))]


def _check_api(api: str) -> Iterator[str]:
    """The same major version and no newer minor one; what came before 1.0 was no promise."""
    wanted, ours = api.split("."), API_VERSION.split(".")
    if len(wanted) != 2 or not all(part.isdecimal() for part in wanted):
        yield f'INFO.api {api!r} is not a version such as "{API_VERSION}"'
        return
    (major, minor), (our_major, our_minor) = map(int, wanted), map(int, ours)
    differ = f"INFO.api is {api}, this hub has {API_VERSION}"
    if (major, minor) > (our_major, our_minor):
        yield f"{differ}: the plugin needs a newer hub"
    elif major != our_major:
        yield f"{differ}: the plugin has to be brought up to it (docs/plugin-guide.md, Versions)"


def _check_settings(settings: object) -> Iterator[str]:
    if not (inspect.isclass(settings) and issubclass(settings, msgspec.Struct)):
        yield "INFO.settings is not a msgspec Struct"
    elif not settings.__struct_config__.forbid_unknown_fields:
        yield f"INFO.settings: {settings.__name__} needs forbid_unknown_fields=True"


def _check_shape(cls: type) -> Iterator[str]:
    if cls.__eq__ is not object.__eq__ or cls.__hash__ is not object.__hash__:
        yield "the class defines __eq__ or __hash__: instances are told apart by identity"
    try:
        inspect.signature(cls).bind(object())
    except (TypeError, ValueError):
        yield "the constructor does not take exactly the settings: def __init__(self, settings)"


def _implementations(cls: type) -> dict[str, list[str]]:
    """Hook to the attributes marked as its implementation."""
    found: dict[str, list[str]] = {}
    for attribute in dir(cls):
        options = getattr(_function(cls, attribute), MARK, None)
        if isinstance(options, dict):
            hook = str(cast("dict[str, Any]", options).get("specname") or attribute)
            found.setdefault(hook, []).append(attribute)
    return found


def _function(cls: type, attribute: str) -> Any:
    static: Any = inspect.getattr_static(cls, attribute)
    return static.__func__ if type(static) in (staticmethod, classmethod) else static


def _check_hooks(cls: type, *, current: bool) -> Iterator[Problem]:
    """``current``: it was written for the hub's own API. A method of an older plugin may be called
    as a hook that came later, and is its own."""
    found = _implementations(cls)
    for hook, attributes in found.items():
        if hook not in HOOKS:
            near = get_close_matches(hook, HOOKS, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            words = f"{hook} is marked @hookimpl, but there is no such hook{hint}"
            yield Problem(words, "hooks")
            continue
        if len(attributes) > 1:
            words = f"{hook} is implemented {len(attributes)} times: {', '.join(attributes)}"
            yield Problem(words, "hooks")
        for attribute in attributes:
            yield from _check_hook(cls, hook, attribute)
    for hook in HOOKS:
        if not hasattr(cls, hook) or hook in found:
            continue
        if any(hasattr(_function(base, hook), MARK) for base in _owners(cls, hook)):
            yield Problem(f"{hook} overrides a hook without @hookimpl, which drops it", "mark")
        elif current:
            yield Problem(f"{hook} is not marked @hookimpl", "mark")


def _owners(cls: type, hook: str) -> list[type]:
    return [base for base in cls.__mro__ if hook in vars(base)]


def _check_hook(cls: type, hook: str, attribute: str) -> Iterator[Problem]:
    function = _function(cls, attribute)
    if not inspect.isfunction(function):
        yield Problem(f"{hook} is not a plain method", "hooks")
        return
    options = getattr(function, MARK)
    if options.get("wrapper") or options.get("hookwrapper"):
        words = f"{hook} is a wrapper: the hub calls one implementation and wraps it itself"
        yield Problem(words, "arguments")
    bound = isinstance(inspect.getattr_static(cls, attribute), staticmethod | classmethod)
    if hook == "migrate_settings" and not bound:
        yield Problem(f"{hook} has to be a staticmethod: there is no instance yet", "hooks")
    wants_async = inspect.iscoroutinefunction(HOOKS[hook])
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        yield Problem(f"{hook} yields: it has to return", "hooks")
    elif inspect.iscoroutinefunction(function) != wants_async:
        right = "async def" if wants_async else "def, not async def"
        yield Problem(f"{hook} has to be {right}", "hooks")
    known = list(inspect.signature(HOOKS[hook]).parameters)[1:]
    parameters = list(inspect.signature(function).parameters.values())
    if not isinstance(inspect.getattr_static(cls, attribute), staticmethod):
        parameters = parameters[1:]
    for parameter in parameters:
        for words in _check_parameter(hook, parameter, known):
            yield Problem(words, "arguments")


def _check_parameter(hook: str, parameter: inspect.Parameter, known: list[str]) -> Iterator[str]:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        yield f"{hook}: {parameter} would stay empty: name the arguments"
    elif parameter.name not in known:
        yield f"{hook} has no argument {parameter.name!r}; it has: {', '.join(known)}"
    elif parameter.kind is parameter.KEYWORD_ONLY:
        yield f"{hook}: {parameter.name!r} is keyword-only, so it would never be passed"
    elif parameter.default is not parameter.empty:
        yield f"{hook}: {parameter.name!r} has a default, so it would never be passed"


def _check_role(info: Info, hooks: set[str]) -> Iterator[Problem]:
    for hook in sorted(_required(info) - hooks):
        words = f"{hook} is missing: {_article(info.role)} {info.role} of this INFO has it"
        yield Problem(words, "hooks")
    if info.role == "extension" and not hooks.intersection(EXTENSION_HOOKS):
        yield Problem(f"an extension has at least one of {', '.join(EXTENSION_HOOKS)}", "hooks")
    for words in _check_claims(info, hooks):
        yield Problem(words, "claims")


def _check_claims(info: Info, hooks: set[str]) -> Iterator[str]:
    if info.role != "extension":
        for hook in sorted(hooks.intersection(EXTENSION_HOOKS)):
            yield f"{hook} is a hook of extensions: here it would never be called"
    if info.role != "channel":
        yield from _check_emits(info, EVENTS)
        return
    can = info.can
    for hook, flag, claimed in (
        ("ingest", "can.inbound", bool(can.inbound)),
        ("send", "can.outbound", can.outbound),
        ("poll", 'can.inbound with "poll"', "poll" in can.inbound),
        ("listen", 'can.inbound with "listen"', "listen" in can.inbound),
        ("routes", "can.routes", can.routes),
        ("reconcile", "can.reconciles", can.reconciles),
        ("templates", "can.templates", can.templates),
        ("fetch_media", "can.media_in", can.media_in),
        ("answer", "can.calls", can.calls),
    ):
        if hook in hooks and not claimed:
            yield f"{hook} is there, but INFO does not claim {flag}: it would never be called"
    yield from _check_emits(info, EVENTS - ASSISTANT_EVENTS)


def _required(info: Info) -> set[str]:
    """The hooks that a plugin of this role and these capabilities owes."""
    if info.role == "assistant":
        return {"ingest", "send", "render"}
    if info.role == "extension":
        return set()
    can = info.can
    owed = {
        "ingest": bool(can.inbound),
        "send": can.outbound,
        "render": True,
        "poll": "poll" in can.inbound,
        # What a route emits counts as listening too.
        "listen": "listen" in can.inbound and not can.routes,
        "routes": can.routes,
        "reconcile": can.reconciles,
        "templates": can.templates,
    }
    return {hook for hook, needed in owed.items() if needed}


def _check_emits(info: Info, allowed: frozenset[str]) -> Iterator[str]:
    for tag in sorted(frozenset(info.emits) - allowed):
        known = (
            f"{_article(info.role)} {info.role} does not emit it"
            if tag in EVENTS
            else ("there is no such event")
        )
        yield f"INFO.emits {tag!r}: {known}"
    for flag, tags in EVENTS_OF_A_CAPABILITY.items():
        for tag in sorted(tags.intersection(info.emits)):
            if not getattr(info.can, flag):
                yield f"INFO.emits {tag!r}, but INFO does not claim can.{flag}"


def _article(word: str) -> str:
    return "an" if word[:1] in "aeiou" else "a"
