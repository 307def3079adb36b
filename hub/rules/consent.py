"""What a message means that is nothing but a word, and whether somebody wants to be written to."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple, Protocol, TypeVar

from hub.rules.settings import Consent as Said
from hub.rules.settings import Language

Meaning = Literal["stop", "start", "help", "yes"]
"""``yes``: it opts in whoever has opted out, and is an answer of everybody else."""
LONGEST = 80
"""Characters; what is longer is no single word."""


class Words(NamedTuple):
    """The usual words of a language."""

    stop: frozenset[str]
    start: frozenset[str]
    help: frozenset[str]


def _words(stop: str, start: str, help_: str) -> Words:
    return Words(*(frozenset(each.split(", ")) for each in (stop, start, help_)))


EVERYWHERE = _words("stop", "start, unstop", "help")
"""Carriers know these in every country."""
WORDS: dict[Language, Words] = {
    "en": _words(
        "stopall, stop all, unsubscribe, cancel, end, quit, revoke, optout, opt out, opt-out",
        "optin, opt in, opt-in, subscribe",
        "info",
    ),
    "es": _words(
        "parar, pare, alto, detener, baja, darme de baja, cancelar",
        "alta, iniciar, comenzar, suscribir",
        "ayuda, info",
    ),
    "fr": _words(
        "arret, arreter, desabonner, desinscrire, annuler, stop sms",
        "demarrer, reprendre, abonner",
        "aide, info",
    ),
    "de": _words(
        "stopp, anhalten, abmelden, abmeldung, abbestellen, austragen",
        "starten, anmelden, anmeldung",
        "hilfe, info",
    ),
    "pt": _words(
        "parar, pare, sair, cancelar, descadastrar, remover",
        "iniciar, comecar, voltar, cadastrar",
        "ajuda, info",
    ),
    "it": _words(
        "ferma, fermare, basta, annulla, cancella, disiscrivimi",
        "inizia, iniziare, iscrivimi",
        "aiuto, info",
    ),
    "nl": _words(
        "stoppen, afmelden, uitschrijven, opzeggen",
        "starten, aanmelden, inschrijven",
        "hulp, info",
    ),
}


def meaning_of(text: str, said: Said) -> Meaning | None:
    """What a whole message means that says one of the words and nothing else. Stopping wins where
    a word of the organisation's own stands in several lists."""
    if len(text) > LONGEST:
        return None
    word = normalised(text)
    if not word:
        return None
    stop, start, help_ = _known(said)
    if word in stop:
        return "stop"
    if word in start:
        return "start"
    if word in help_:
        return "help"
    return "yes" if said.yes_opts_in and word == "yes" else None


def normalised(text: str) -> str:
    """A word without what people put around it: case, accents, punctuation and spaces."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in letters if not "\u0300" <= letter <= "\u036f")
    whole = " ".join(unicodedata.normalize("NFC", plain).split())
    first, last = 0, len(whole)
    while first < last and not _counts(whole[first]):
        first += 1
    while last > first and not _counts(whole[last - 1]):
        last -= 1
    return whole[first:last]


def _counts(letter: str) -> bool:
    """Letters, digits and marks; neither punctuation nor symbols, spaces or what cannot be seen."""
    return unicodedata.category(letter)[0] in "LNM"


@lru_cache(maxsize=256)
def _known(said: Said) -> Words:
    lists = [EVERYWHERE, *(WORDS[language] for language in said.languages)]
    own = (said.stop_words, said.start_words, said.help_words)
    return Words(
        *(
            frozenset().union(*(each[place] for each in lists), map(normalised, own[place]))
            for place in range(3)
        )
    )


class _Consent(Protocol):
    @property
    def own_address(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def at(self) -> int: ...


C = TypeVar("C", bound=_Consent)


def in_force(consents: Iterable[C], own: str) -> C | None:
    """Which of the consents of one address on one channel holds for messages from ``own``: what was
    said last, of this address or of all. Where the provider chooses from which address a message
    goes out (``own`` is empty), an opt-out from any of them that holds does."""
    known = list(consents)
    if own:
        return _last(one for one in known if one.own_address in {"", own})
    holding = [in_force(known, one.own_address) for one in known if one.own_address]
    of_all = _last(one for one in known if not one.own_address)
    out = [one for one in (*holding, of_all) if one is not None and one.state == "out"]
    return _last(out) or of_all


def _last(consents: Iterable[C]) -> C | None:
    """Of two that were said at the same moment the opt-out."""
    return max(consents, key=lambda one: (one.at, one.state == "out"), default=None)
