"""A few believable conversations, as if they had happened in the last quarter of an hour: what
lies longer ago, the hub shows where it arrived. Pure.

The same however often they are played: their ids are fixed, so that a hub that has them takes
nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from hub_simulator.medium import Medium
from hub_simulator.phone import Card, Content, Mail, Phone, PhoneMessage, Picture, Place
from hub_simulator.talking import Act, acted, agent_seconds, called
from hub_simulator.texting import text

SARAH, BEN, NORA, OMAR, LI, JUNE, RAUL, IVY, FINN = (f"+1555014200{n}" for n in range(1, 10))
MAYA, SAM, ACCOUNTS = "maya.lindqvist@example.com", "sam@example.net", "accounts@example.org"
NAMES = {
    SARAH: "Sarah Whitfield",
    BEN: "Ben Okafor",
    NORA: "Nora Haddad",
    OMAR: "Omar Aziz",
    JUNE: "June Park",
    RAUL: "Raúl Ortega",
    IVY: "Ivy Chen",
    FINN: "Finn O'Rourke",
    MAYA: "Maya Lindqvist",
    SAM: "Sam Doyle",
    ACCOUNTS: "Acme Accounts",
}
"""What they are called wherever a medium tells it; LI only texts, which tells nobody's name."""
Play = Callable[[Phone, str, datetime], Phone]


class Scene(Struct, frozen=True, kw_only=True):
    """Something that happened to the phone ``number`` so many ``minutes`` ago; ``play`` makes it
    happen, given the phone, an id and the time. ``name`` is whose phone it is."""

    number: str
    name: str
    minutes: float
    play: Play


def scenes(medium: Medium, own: str) -> tuple[tuple[str, Scene], ...]:
    """What happens on a medium, each with the id of what it makes, the earliest first."""
    made = {"whatsapp": _whatsapp, "calls": _calls, "email": _mail}.get(medium.name, _texts)
    told = sorted(made(medium, own), key=lambda scene: -scene.minutes)
    return tuple((f"demo-{number}", scene) for number, scene in enumerate(told))


def _texts(medium: Medium, own: str) -> Iterator[Scene]:
    write = partial(_written, medium, own)
    yield write(SARAH, 13.3, "Hi, are you open on Saturday? I would like to bring the bike in.")
    yield write(BEN, 10.5, "The quote looks good. Can we move it to Thursday at 10?")
    yield write(NORA, 6.7, "Is my order ready for pickup yet?")
    yield write(OMAR, 4.2, "Thanks for fixing the boiler so fast!")
    yield write(LI, 1.5, "Sorry, I am running 15 minutes late.")
    yield write(JUNE, 0.6, "Could you send me the invoice again please? I cannot find it 🙈")


def _whatsapp(medium: Medium, own: str) -> Iterator[Scene]:
    write = partial(_written, medium, own)
    window = Picture(
        id="sample-window",
        name="cracked-window.png",
        content_type="image/png",
        size=9905,
        held="phone",
    )
    home = Place(latitude=40.7484, longitude=-73.9857, name="Home", address="12 High Street")
    yield write(RAUL, 11.9, "Hola, ¿tienen cita libre el viernes por la mañana?")
    yield write(BEN, 8.3, "This is the window I meant, the crack is longer now", pictures=(window,))
    yield write(IVY, 2.9, "", content=home)
    yield write(IVY, 2.8, "That is where the van should come. Second gate, please.")
    yield write(NORA, 0.8, "", content=Card(name="Robin, who has the key", phone="+1 202-555-0187"))


def _calls(medium: Medium, own: str) -> Iterator[Scene]:
    ring = partial(_rung, medium, own)
    leak = "Hi, it is Nora. The tap that you mended drips again. Could you call me back, please?"
    heating = "Our heating is cold since this morning, and we have a small child at home."
    yield ring(SARAH, 12.6, "answer", "I would like to come by on Saturday with the bike.")
    yield ring(NORA, 6.2, "voicemail", leak)
    yield ring(FINN, 3.6, "agent_hands_over", heating)
    yield ring(OMAR, 2.5, "agent", "I would like to have the boiler looked after once a year.")
    yield ring(JUNE, 1.2, "nobody", "")
    yield ring(RAUL, 0.4, "nobody", "", withheld=True)


def _mail(medium: Medium, own: str) -> Iterator[Scene]:
    def write(number: str, minutes: float, subject: str, words: str, **more: bool) -> Scene:
        content = Mail(subject=subject, automatic=more.get("automatic", False))
        return _written(medium, own, number, minutes, words, content=content)

    yield write(
        MAYA,
        11.6,
        "Quote for the bathroom",
        "Hello,\n\nthank you for coming by. Could you send us the quote with and without the new "
        "window?\n\nKind regards\nMaya Lindqvist",
    )
    yield write(
        SAM,
        5.3,
        "Invoice 2041",
        "Hi,\n\nthe invoice says 180, we agreed on 160. Would you have a look?\n\nSam",
    )
    yield write(
        ACCOUNTS,
        2.1,
        "Out of office",
        "Our office is closed until Monday. Nobody reads your mail until then.",
        automatic=True,
    )


def _written(
    medium: Medium,
    own: str,
    number: str,
    minutes: float,
    words: str,
    *,
    pictures: tuple[Picture, ...] = (),
    content: Content | None = None,
) -> Scene:
    def play(phone: Phone, message_id: str, at: datetime) -> Phone:
        message = PhoneMessage(
            id=message_id,
            author="customer",
            own_number=own,
            at=at,
            text=words,
            pictures=pictures,
            content=content,
        )
        return text(phone, message, medium)

    return Scene(number=number, name=_named(medium, number), minutes=minutes, play=play)


def _rung(
    medium: Medium,
    own: str,
    number: str,
    minutes: float,
    act: Act,
    said: str,
    *,
    withheld: bool = False,
) -> Scene:
    def play(phone: Phone, call_id: str, at: datetime) -> Phone:
        phone = called(phone, call_id, own, at, medium.ring, withheld=withheld)
        talks = agent_seconds(said) if act in ("agent", "agent_hands_over") else 0.0
        phone = acted(phone, call_id, act, said, at + timedelta(seconds=8 + talks))
        if act == "answer":
            phone = acted(phone, call_id, "hang_up", said, at + timedelta(seconds=49))
        return phone

    return Scene(number=number, name=_named(medium, number), minutes=minutes, play=play)


def _named(medium: Medium, number: str) -> str:
    return NAMES.get(number, "") if "names" in medium.features else ""


def played(phone: Phone, what: tuple[str, Scene], now: datetime) -> Phone:
    """The phone after a scene; one that it has been through already changes nothing. A name that
    somebody has given it stays."""
    message_id, scene = what
    if phone.message(message_id) is not None:
        return phone
    behaviour = phone.behaviour
    name = phone.name or scene.name
    quick = replace(phone, name=name, behaviour=replace(behaviour, delay=0.0))
    after = scene.play(quick, message_id, now - timedelta(minutes=scene.minutes))
    return replace(after, behaviour=behaviour)
