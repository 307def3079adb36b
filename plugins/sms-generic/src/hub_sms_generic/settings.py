"""What ``[channels.settings]`` may say: how a provider is asked, and what it says.

Where a value stands in what a provider says is a JMESPath expression (jmespath.org). Of a form or
an address with parameters the names of the fields are those of the top.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct, field

from hub.plugin import FailureReason, ReceiptStatus, Secret
from hub_sms_generic import paths, templates

Own = Annotated[
    str, Meta(pattern=r"^(\+[1-9][0-9]{6,14}|[0-9]{3,8}|[A-Za-z][A-Za-z0-9 .&_-]{0,10})$")
]
"""A number in E.164, a short code, or a sender's name."""
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s]+$", max_length=2_000)]
Header = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=100)]
Keys = Annotated[tuple[Secret, ...], Meta(min_length=1)]
"""One, or several while it is being replaced."""
Path = str
"""A JMESPath expression."""
Meaning = FailureReason | Literal["temporary", "credentials"]
"""``temporary``: later it may work; ``credentials``: nothing will until a person acts."""

STOP = ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT")
START = ("START", "UNSTOP")


class ByHmac(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="by", tag="hmac"
):
    """A header holds the HMAC of what is ``signed``: ``{body}``, ``{url}`` (the channel's public
    address with its parameters), and headers by their names, ``{header.X-Timestamp}``."""

    keys: Keys
    header: Header
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    signed: str = "{body}"

    def __post_init__(self) -> None:
        for name in templates.NAME.findall(self.signed):
            if name not in {"body", "url"} and not name.startswith("header."):
                raise ValueError(f"signed: {{{name}}} is none of {{body}}, {{url}}, {{header.…}}")
        if "{body}" not in self.signed and "{url}" not in self.signed:
            raise ValueError("signed: neither {body} nor {url} is in it, so it proves nothing")


class ByHeader(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="by", tag="header"
):
    """A header holds a token that the provider was given."""

    keys: Keys
    header: Header
    prefix: str = ""


class ByQuery(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="by", tag="query"
):
    """The address that the provider was given holds a token, as the parameter ``name``."""

    keys: Keys
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$")] = "token"


class ByBasic(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="by", tag="basic"
):
    """HTTP basic authentication."""

    user: Annotated[str, Meta(min_length=1)]
    keys: Keys


class Unverified(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="by", tag="none"
):
    """The provider proves nothing: whoever knows the address can post. The channel is marked."""


Verify = ByHmac | ByHeader | ByQuery | ByBasic | Unverified


class Basic(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """HTTP basic authentication of requests to the provider."""

    user: Annotated[str, Meta(min_length=1)]
    password: Secret


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to the provider. ``{secret.NAME}`` is the secret of that name. The content is
    one of ``json`` and ``form``, or there is none."""

    url: Url
    method: Literal["GET", "POST", "PUT"] = "POST"
    headers: dict[Header, str] = field(default_factory=dict[str, str])
    query: dict[str, str] = field(default_factory=dict[str, str])
    form: dict[str, str] | None = None
    json: dict[str, Any] | list[Any] | None = None
    basic: Basic | None = None
    ok: Path | None = None
    """True of an answer that is a success; ``None``: its status says so."""
    error: Path | None = None
    """The provider's code of what went wrong."""
    errors: dict[str, Meaning] = field(default_factory=dict[str, Meaning])
    """What the codes mean. ``"HTTP 402"`` is an answer of that status."""

    def __post_init__(self) -> None:
        if self.form is not None and self.json is not None:
            raise ValueError("form and json: a request has one of them")
        if self.method == "GET" and not (self.form is None and self.json is None):
            raise ValueError("method: a GET has no form and no json; put them into query")
        paths.check("ok", self.ok)
        paths.check("error", self.error)

    def places(self) -> Iterator[tuple[str, Any]]:
        """Every template, with its key."""
        yield from (
            ("url", self.url),
            ("headers", self.headers),
            ("query", self.query),
            ("form", self.form),
            ("json", self.json),
        )


class Send(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a message is handed to the provider, and how its answer is understood."""

    id: Path | None = None
    """The provider's id of the message; ``None``: ours, ``{id}``, names it."""
    id_pattern: str | None = None
    """Of an answer that is no JSON: a regular expression whose first group is the id."""

    def __post_init__(self) -> None:
        super().__post_init__()
        paths.check("id", self.id)
        if self.id is not None and self.id_pattern is not None:
            raise ValueError("id and id_pattern: one of them says the id")
        _check_pattern("id_pattern", self.id_pattern)
        named = {name for _, place in self.places() for name in templates.names(place)}
        if self.id is None and self.id_pattern is None and "id" not in named:
            raise ValueError("id: where the answer says none, {id} has to be in the request")


class Times(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a time stands. It may be ISO 8601, seconds or milliseconds since 1970, or as in the
    head of a mail; anything else by ``time_format``, as of Python's ``strptime``."""

    time: Path | None = None
    time_format: str | None = None
    time_zone: str = "UTC"
    """Of a time that names none."""

    def __post_init__(self) -> None:
        paths.check("time", self.time)
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"time_zone: {self.time_zone[:60]!r} is no time zone") from error
        if self.time_format is not None:
            now = datetime(2026, 3, 2, 9, 30)  # noqa: DTZ001 — only whether it can be read
            try:
                datetime.strptime(now.strftime(self.time_format), self.time_format)  # noqa: DTZ007
            except (ValueError, TypeError) as error:
                raise ValueError(f"time_format: {self.time_format[:60]!r} is no format") from error


class Incoming(Times, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a message that came in stands. ``each``: the messages in what was posted, where it is
    not one message alone; the other paths begin at each of them. ``when``: true of a message;
    without it is one what has a sender or a text, and is no receipt."""

    id: Path
    sender: Path = field(name="from")
    text: Path
    to: Path | None = None
    each: Path | None = None
    when: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("id", "text", "to", "each", "when"):
            paths.check(key, getattr(self, key))
        paths.check("from", self.sender)


class Receipts(Times, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the report of what became of a message stands; ``each`` and ``when`` as of incoming
    messages: without ``when`` is one what has a status and no text. It names the message by the
    provider's ``id``, by ``own_id``, or by both."""

    status: Path
    statuses: Annotated[dict[str, ReceiptStatus], Meta(min_length=1)]
    """The provider's words for a status, and what each means. Others are passed over."""
    id: Path | None = None
    own_id: Path | None = None
    """The ``{id}`` that the request had."""
    error: Path | None = None
    """The provider's code of why it failed."""
    errors: dict[str, Meaning] = field(default_factory=dict[str, Meaning])
    """What the codes mean."""
    each: Path | None = None
    when: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("status", "id", "own_id", "error", "each", "when"):
            paths.check(key, getattr(self, key))
        if self.id is None and self.own_id is None:
            raise ValueError("id and own_id: a receipt is named by one of them, or by both")


class OptOut(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a message takes its sender off the list, and back on. ``stop`` and ``start``: words
    that count when they are the whole text. ``stop_when`` and ``start_when``: true of a message
    of which the provider says so."""

    stop: tuple[str, ...] = STOP
    start: tuple[str, ...] = START
    stop_when: Path | None = None
    start_when: Path | None = None

    def __post_init__(self) -> None:
        paths.check("stop_when", self.stop_when)
        paths.check("start_when", self.start_when)


class Answer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a webhook is answered."""

    body: str = ""
    content_type: Annotated[str, Meta(pattern=r"^[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w-]+)?$")] = (
        "text/plain; charset=utf-8"
    )


class Encodings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``{encoding}`` is for a text of SMS letters alone, and for any other."""

    gsm7: str = "GSM-7"
    ucs2: str = "UCS-2"


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider's account and the numbers of it that are this channel."""

    verify: Verify
    """How webhooks prove where they come from."""
    send: Send | None = None
    """Without it the channel only takes in."""
    incoming: Incoming | None = None
    receipts: Receipts | None = None
    health: Request | None = None
    """A request that works if the credentials do."""
    secrets: dict[str, Secret] = field(default_factory=dict[str, Secret])
    """What requests name as ``{secret.NAME}``."""
    encodings: Encodings = Encodings()
    opt_out: OptOut = OptOut()
    answer: Answer = Answer()
    numbers: tuple[Own, ...] = ()
    """Own numbers, short codes or sender's names; the first sends where no other is asked for."""
    digits: Literal["international", "national"] = "international"
    """What the provider means by digits without a plus."""
    country: Country | None = None
    """Where a number in the national way belongs (ISO 3166, ``US``); else the country of the
    first own number."""
    max_length: Annotated[int, Meta(ge=1, le=100_000)] = 1_600
    """Letters of a message."""

    def __post_init__(self) -> None:
        for request, key in ((self.send, "send"), (self.health, "health")):
            if request is not None:
                self._check(request, key)
        if self.send is None and self.incoming is None:
            raise ValueError("send and incoming: a channel has one of them, or both")
        if self.receipts is not None and self.send is None:
            raise ValueError("receipts: they are of messages that send lets out, and there is none")

    def _check(self, request: Request, key: str) -> None:
        known = templates.NAMES if key == "send" else frozenset({"callback"})
        for place, template in request.places():
            for name in templates.names(template):
                secret = name.removeprefix(templates.SECRET)
                if name != secret and secret not in self.secrets:
                    raise ValueError(f"secrets: {key}.{place} names {secret!r}, which is not there")
                if name == secret and name not in known:
                    raise ValueError(f"{key}.{place}: {{{name}}} is not known here")
                if name in {"from", "from_digits"} and not self.numbers:
                    raise ValueError(f"numbers: {key}.{place} has {{{name}}}, and there is none")


def _check_pattern(key: str, pattern: str | None) -> None:
    if pattern is None:
        return
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"{key}: {pattern[:60]!r} is no regular expression: {error}") from error
    if groups < 1:
        raise ValueError(f"{key}: {pattern[:60]!r} has no group in parentheses, which is the id")
