"""How long things of signing in last, how often they may be tried, and what they have to be like.

Times are milliseconds. Why these: ``docs/decisions/0011-signing-in.md``.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal, get_args

from hub.rules.states import Refusal

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

IDLE: Final = DAY
"""A session that nobody uses for so long ends."""
LASTS: Final = 14 * DAY
"""A session ends after so long, however much it is used."""
SEEN_EVERY: Final = 5 * MINUTE
"""How often it is noted that a session is used."""
FRESH: Final = 10 * MINUTE
"""So long after signing in nobody is asked for the password again."""
INVITED_FOR: Final = 7 * DAY
RESET_FOR: Final = HOUR
STEP_FOR: Final = 10 * MINUTE
"""Between two steps of signing in."""
KNOWN_FOR: Final = 365 * DAY
"""A browser that somebody has signed in with is known for so long."""

SHORTEST_PASSWORD: Final = 10
_GOOD_ENOUGH: Final = 2
"""Of five steps, 0 to 4: guessed at the millionth try at the earliest."""
_LOOKED_AT: Final = 64
"""Characters; looking takes longer with each."""
LONGEST_PASSWORD: Final = 1000
LONGEST_EMAIL: Final = 320
LONGEST_NAME: Final = 200
MOST_INVITATIONS: Final = 500
"""That wait in an organisation."""

MOST_PASSKEYS: Final = 20
"""That somebody has."""
LONGEST_PASSKEY_NAME: Final = 60

Way = Literal["password", "provider", "invitation", "code", "recovery_code", "passkey"]
"""By what somebody shows who they are."""
WAYS: Final[tuple[Way, ...]] = get_args(Way)

_EMAIL = re.compile(r"[^@\s\x00-\x1f<>\"(),:;\\\[\]]+@[^@\s\x00-\x1f<>\"(),:;\\\[\]]+")


class Limit:
    """So many tries within so many milliseconds."""

    __slots__ = ("most", "per")

    def __init__(self, most: int, per: int) -> None:
        self.most = most
        self.per = per


BY_EMAIL: Final = Limit(10, 15 * MINUTE)
"""Wrong passwords for an email from browsers that are not known: of a known one they count by
themselves, so that nobody is kept out for good by who guesses elsewhere."""
BY_ADDRESS: Final = Limit(50, 15 * MINUTE)
"""The same from one network address, whatever the email."""
CODES: Final = Limit(10, 15 * MINUTE)
"""Wrong second factors of a user, whose password was right."""
CODES_A_DAY: Final = Limit(30, DAY)
PASSKEYS_BY_ADDRESS: Final = Limit(200, 15 * MINUTE)
"""Passkeys that are asked for before anybody is known, from one network address."""
RESETS: Final = Limit(3, HOUR)
"""Links asked for with one email."""
RESETS_BY_ADDRESS: Final = Limit(20, HOUR)
LINKS_BY_ADDRESS: Final = Limit(100, 15 * MINUTE)
"""Links, right or wrong, that are looked at."""
INVITATIONS_A_DAY: Final = Limit(200, DAY)
"""Mails that an organisation's invitations make."""


def check_password(password: str, field: str, *about: str) -> None:
    """It is long enough, and not among the first million that somebody would guess who
    knows whom it is ``about``: its owner's name and email, say. Raises ``Refusal``."""
    if len(password) < SHORTEST_PASSWORD:
        detail = f"A password has at least {SHORTEST_PASSWORD} characters."
        raise Refusal("password_too_short", detail, fields={field: detail})
    if len(password) > LONGEST_PASSWORD:
        detail = f"A password has at most {LONGEST_PASSWORD} characters."
        raise Refusal("password_too_long", detail, fields={field: detail})
    from zxcvbn import zxcvbn  # noqa: PLC0415 — its lists are needed here only

    words = {
        word
        for text in (*about, "channel hub")
        for word in (text, *text.split("@"), re.sub(r"\W+", "", text), *re.split(r"\W+", text))
    }
    found = zxcvbn(password[:_LOOKED_AT], sorted(words - {""}))
    if found["score"] < _GOOD_ENOUGH:
        why = found["feedback"]["warning"]
        detail = f"This password is easy to guess. {why or 'Add a word or two.'}"
        raise Refusal("password_easy", detail, fields={field: detail})


def check_email(typed: str) -> str:
    """An email as it is kept. Raises ``Refusal``."""
    email = typed.strip().lower()
    if len(email) > LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        detail = "This is no email address."
        raise Refusal("bad_email", detail, fields={"email": detail})
    return email


def check_name(typed: str, *, field: str = "name", longest: int = LONGEST_NAME) -> str:
    """A name, such as a person's, on one line. Raises ``Refusal``."""
    printable = "".join(mark for mark in typed if unicodedata.category(mark) not in {"Cc", "Cs"})
    name = " ".join(printable.split())
    if not name or len(name) > longest:
        detail = "Say a name." if not name else f"A name holds {longest} characters."
        raise Refusal("bad_name", detail, fields={field: detail})
    return name
