"""What a calendar invitation says (RFC 5545, RFC 5546), as facts to show."""

from __future__ import annotations

import re

from hub_email.mime import Part

ASKS = {
    "REQUEST": "Invitation",
    "PUBLISH": "Event",
    "CANCEL": "Cancelled event",
    "REPLY": "Answer to an invitation",
    "COUNTER": "Another time is proposed",
}
LINE = re.compile(r"([A-Za-z-]{1,40})((?:;[^:\"]*(?:\"[^\"]*\")?)*):(.*)")
TIME = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})\d{2}(Z)?)?")
LOOKED_AT = 100_000
ESCAPES = {"\\n": "\n", "\\N": "\n", "\\,": ",", "\\;": ";", "\\\\": "\\"}


def facts(part: Part) -> dict[str, str]:
    """What, when and where of the first event in it; empty where there is none."""
    event = _event(part.text()[:LOOKED_AT])
    if event is None:
        return {}
    label = ASKS.get((part.method or event.get("method", "")).upper(), "Event")
    told = {label: event.get("summary", "")[:300] or "(no title)"}
    begins, ends = _time(event, "dtstart"), _time(event, "dtend")
    if begins:
        told["When"] = f"{begins} to {ends}" if ends and ends != begins else begins
    if event.get("location"):
        told["Where"] = " ".join(event["location"].split())[:300]
    return told


def _event(text: str) -> dict[str, str] | None:
    found: dict[str, str] = {}
    inside = False
    method = ""
    for line in re.sub(r"\n[ \t]", "", text).split("\n"):
        read = LINE.match(line[:5000])
        if read is None:
            continue
        name, parameters, value = read[1].lower(), read[2], read[3].strip()
        if name == "method":
            method = value
        elif name == "begin" and value.upper() == "VEVENT":
            inside = True
        elif name == "end" and value.upper() == "VEVENT" and inside:
            return {**found, "method": method}
        elif inside and name in {"summary", "location", "dtstart", "dtend"} and name not in found:
            found[name] = re.sub(r"\\[nN,;\\]", lambda each: ESCAPES[each[0]], value)
            zone = re.search(r"(?i)TZID=\"?([^;:\"]{1,60})", parameters)
            found[f"{name}-zone"] = zone[1] if zone else ""
    return None


def _time(event: dict[str, str], name: str) -> str:
    read = TIME.match(event.get(name, ""))
    if read is None:
        return ""
    year, month, day, hour, minute, utc = read.groups()
    if hour is None:
        return f"{year}-{month}-{day}"
    zone = "UTC" if utc else event.get(f"{name}-zone", "")
    return f"{year}-{month}-{day} {hour}:{minute} {zone}".strip()
