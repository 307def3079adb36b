"""Twilio's webhooks, truly signed, and wrk to post them."""

from __future__ import annotations

import base64
import hmac
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

from msgspec import Struct

from bench.machine import LOAD_CPU, on_cpu
from tests.services import Service, by_hand, install

ACCOUNT = "AC" + "0" * 31 + "1"
TOKEN = "the-token-of-the-benchmarks"
NUMBER = "+15550100001"
PATH = "/hooks/main/sms"
PHONES = 5_000
"""Customers who write."""
FASTEST = 9_000
"""Webhooks a second that are made beforehand: more than anything here can take."""
_WORDS = ("order", "invoice", "tomorrow", "please", "call", "back", "the", "leak", "again", "when")
_SCRIPT = Path(__file__).with_name("post.lua")
_LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)\s*$", re.MULTILINE)
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class Load(Struct, frozen=True):
    """What wrk saw. Latencies in milliseconds."""

    seconds: float
    answered: int
    failed: int
    p50: float
    p99: float


def sign(url: str, fields: Sequence[tuple[str, str]]) -> str:
    """``X-Twilio-Signature``: HMAC-SHA1 over the address and the sorted fields, in base64."""
    signed = url + "".join(name + value for name, value in sorted(fields))
    return base64.b64encode(hmac.digest(TOKEN.encode(), signed.encode(), "sha1")).decode()


def webhooks(url: str, count: int) -> Iterator[tuple[str, str]]:
    """Signature and body of texts, the same ones in every run: each of ``PHONES`` customers writes
    once, then any of them again and again."""
    chance = random.Random(1)
    for number in range(count):
        customer = number if number < PHONES else chance.randrange(PHONES)
        fields = text(number, f"+1510555{customer:04d}", " ".join(chance.choices(_WORDS, k=15)))
        yield sign(url, fields), urlencode(fields)


def text(number: int, phone: str, body: str) -> list[tuple[str, str]]:
    """What Twilio says of a text."""
    sid = f"SM{number:032x}"
    return [
        ("ToCountry", "US"),
        ("ToState", "CA"),
        ("SmsMessageSid", sid),
        ("NumMedia", "0"),
        ("ToCity", ""),
        ("SmsSid", sid),
        ("SmsStatus", "received"),
        ("FromCity", "OAKLAND"),
        ("Body", body),
        ("FromCountry", "US"),
        ("To", NUMBER),
        ("NumSegments", "1"),
        ("MessageSid", sid),
        ("AccountSid", ACCOUNT),
        ("From", phone),
        ("ApiVersion", "2010-04-01"),
    ]


def write_webhooks(path: Path, url: str, count: int) -> None:
    """A file of webhooks for ``post``."""
    with path.open("w", encoding="ascii") as lines:
        lines.writelines(f"{signature}\t{body}\n" for signature, body in webhooks(url, count))


class Poster:
    """Posts the webhooks of a file to servers of one hub, every line once."""

    def __init__(self, webhooks: Path) -> None:
        self._webhooks = webhooks
        self.used = 0
        """Lines that are gone."""

    def post(self, urls: Sequence[str], connections: int, seconds: int) -> list[Load]:
        """Post for that long, to all of them at once, in turns line by line."""
        share = connections // len(urls)
        posting = [
            self._start(url, self.used + place, len(urls), share, seconds)
            for place, url in enumerate(urls)
        ]
        loads = [_read(process) for process in posting]
        self.used += max(load.answered + share for load in loads) * len(urls)
        return loads

    def _start(
        self, url: str, first: int, step: int, connections: int, seconds: int
    ) -> subprocess.Popen[str]:
        lines = {"FIRST": first, "STEP": step, "MOST": FASTEST * seconds // step}
        environ = {name: str(value) for name, value in lines.items()}
        command = [wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout=30s"]
        with on_cpu(LOAD_CPU):
            return subprocess.Popen(
                [*command, "-s", str(_SCRIPT), f"{url}{PATH}"],
                env={**os.environ, **environ, "WEBHOOKS": str(self._webhooks)},
                stdout=subprocess.PIPE,
                text=True,
            )


def _read(process: subprocess.Popen[str]) -> Load:
    """Wait for wrk, and read what it says."""
    said, _ = process.communicate()
    counted = re.search(r"(\d+) requests in ([\d.]+)(m?s)", said)
    if counted is None:
        raise RuntimeError(f"wrk failed:\n{said}")
    latencies = {
        share: float(value) * _MILLISECONDS[unit] for share, value, unit in _LATENCY.findall(said)
    }
    seconds = float(counted[2]) * (0.001 if counted[3] == "ms" else 1)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    failed = int(wrong[1]) if wrong else 0
    failed += sum(map(int, broken.groups())) if broken else 0
    return Load(seconds, int(counted[1]), failed, latencies["50"], latencies["99"])


def wrk() -> str:
    """The load generator, installed if it is missing and may be."""
    found = shutil.which("wrk")
    if found is None:
        service = Service("wrk", lambda: None, "wrk", ["wrk"])
        install([service])
        found = shutil.which("wrk")
        if found is None:
            raise SystemExit(f"wrk is missing. {by_hand(service)}")
    return found
