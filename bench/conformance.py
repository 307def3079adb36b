"""How long the author of a channel waits for the conformance suite."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.options import Options
from bench.results import Figure, Samples, Section

PLUGIN = Path(__file__).parents[1] / "plugins" / "sms-twilio"
TARGET = "hub_sms_twilio:TwilioSms"
KINDS = ("ingest", "send", "render", "reconcile", "vectors")
RUN = "hub plugin test"
METHOD = """\
`hub plugin test` on the channel `sms-twilio` with its recorded cases, from the start of the process
to its end: every check that the channel's claims turn on, with what each does besides the cases
(changed values, broken bodies, many at once). CPU is the process's own."""


def measure(options: Options) -> Section:
    """Runs, one after the other."""
    samples = Samples()
    cases = sum(1 for kind in KINDS for _ in (PLUGIN / "cases" / kind).iterdir())
    at = f"{cases} cases"
    for _ in range(options.repeat):
        options.say(f"conformance: {at}")
        before, began = os.times(), time.perf_counter()
        command = [sys.executable, "-m", "hub.cli", "plugin", "test", TARGET]
        subprocess.run(command, cwd=PLUGIN, check=True, stdout=subprocess.DEVNULL)
        seconds, after = time.perf_counter() - began, os.times()
        cpu = sum(after[2:4]) - sum(before[2:4])
        samples.add(RUN, at, {"s": seconds, "CPU s": cpu})
    return Section(
        title="The conformance suite",
        method=METHOD,
        rows=samples.rows(),
        figures=[
            Figure(
                what=f"A conformance run with {at}",
                values=samples.values(RUN, at, "s"),
                unit="s",
                goal=10.0,
                better="less",
            )
        ],
    )
