"""Who can be reached on a medium: how addresses are spelled, and which ones there are at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from hub.plugin import Address
from hub_simulator.numbers import display, normalise
from hub_simulator.settings import E164, Settings


@dataclass(frozen=True, kw_only=True)
class People:
    """The business's ``own`` addresses, the ``customers`` that the page offers at once, and the
    spelling: ``typed`` reads what a person types, ``is_one`` says whether a value is an address,
    ``shown`` is a value for people to read, ``what`` names such an address."""

    scheme: str
    own: tuple[str, ...]
    customers: tuple[str, ...]
    typed: Callable[[str], Address]
    is_one: Callable[[str], bool]
    shown: Callable[[str], str]
    what: str

    def address(self, value: str) -> Address:
        """An address that the provider vouches for."""
        return Address(scheme=self.scheme, value=value, display=self.shown(value), verified=True)


def by_phone(settings: Settings) -> People:
    """People with phone numbers."""
    return People(
        scheme="phone",
        own=settings.numbers,
        customers=settings.customers,
        typed=lambda text: normalise(text, settings.region),
        is_one=lambda value: re.fullmatch(E164, value) is not None,
        shown=display,
        what="a phone number",
    )
