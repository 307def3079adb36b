"""Sounds of calls, made when they are asked for: a beep, and a hum that rises and falls as speech
does. The id says how long one is, so none has to be kept."""

from __future__ import annotations

import io
import math
import re
import wave

from hub_simulator.sms import MediaItem

RATE = 8_000
LONGEST = 20
_ID = re.compile(r"sound-([1-9][0-9]?)")


def sound(seconds: float) -> MediaItem:
    """A sound about as long as that, as a delivery names it."""
    whole = max(1, min(LONGEST, round(seconds)))
    return MediaItem(
        id=f"sound-{whole}",
        name="recording.wav",
        content_type="audio/wav",
        size=len(wav(whole)),
    )


def seconds_of(sound_id: str) -> int | None:
    """How long the sound of that id is; ``None`` for an id that is none."""
    found = _ID.fullmatch(sound_id)
    return None if found is None or int(found[1]) > LONGEST else int(found[1])


def wav(seconds: int) -> bytes:
    """The sound: a quarter of a second's beep, then the hum. One channel of eight bits."""
    samples = bytes(_sample(place) for place in range(seconds * RATE))
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(RATE)
        file.writeframes(samples)
    return made.getvalue()


def _sample(place: int) -> int:
    now = place / RATE
    if now < 0.25:
        return 128 + round(60 * math.sin(2 * math.pi * 880 * now))
    loud = abs(math.sin(math.pi * 3 * now)) * 50
    return 128 + round(loud * math.sin(2 * math.pi * (140 * now + 4 * math.sin(2 * now))))
