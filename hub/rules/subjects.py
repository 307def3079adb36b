"""Subject lines of answers."""

from __future__ import annotations

import re

# What mail programs put before the subject of an answer, in the languages they speak: "Re:",
# "AW:", "Sv:", also counted ("Re[2]:", "Re(2):"), and with the wide colon of Chinese and Japanese.
_ANSWER = re.compile(
    r"\s*(?:re|r|aw|antw|antwort|sv|vs|réf|rif|odp|odpověď|vá|ynt|atb|bls|ответ|отв|σχετ|απ|השב|رد|"
    r"回复|回覆|答复|答覆|返信|回信|답장|trả lời)"
    r"\s*(?:\[\d+\]|\(\d+\))?\s*[:\uff1a]",
    re.IGNORECASE,
)


def answer_to(subject: str) -> str:
    """The subject of an answer to a message about ``subject``: one "Re:", however many answers
    there were, and in whatever language they were marked."""
    subject = " ".join(subject.split())
    return subject if not subject or _ANSWER.match(subject) else f"Re: {subject}"
