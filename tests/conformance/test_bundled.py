"""The bundled channels pass the suite that third parties are asked to pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.conformance.command import suite_of
from hub.conformance.report import report_on, story
from hub.conformance.subject import find

PLUGINS = Path(__file__).parents[2] / "plugins"
BUNDLED = {
    "sms-twilio": "hub_sms_twilio:TwilioSms",
    "simulator": "hub_simulator:Simulator",
}


def test_none_is_left_out() -> None:
    assert {path.parent.name for path in PLUGINS.glob("*/pyproject.toml")} == set(BUNDLED)


@pytest.mark.feature("CONF-04")
@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_channel_conforms(name: str) -> None:
    suite = suite_of(find(BUNDLED[name]), PLUGINS / name / "cases")
    results = suite.results()
    report = report_on(suite, results)
    failed = [story(each, suite.subject.target, None) for each in results if each.counts]
    assert report.state == "conformant", "\n".join([report.line, *failed])
