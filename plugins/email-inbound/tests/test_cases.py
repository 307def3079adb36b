"""The cases of each provider, by the suite; ``cases/`` itself is Postmark's."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from hub.conformance.command import suite_of
from hub.conformance.report import story
from hub.conformance.subject import find

HERE = Path(__file__).parents[1]
PASSED_OVER: dict[str, set[str]] = {
    "cases-mailgun": set(),
    "cases-sendgrid": set(),
    # What goes out is base64, in which the check finds no words; and nothing in the settings is a
    # secret that two instances would have of their own for what comes in.
    "cases-ses": {"CON-01", "CON-02"},
}


@pytest.mark.feature("CONF-04")
@pytest.mark.parametrize("folder", PASSED_OVER)
def test_the_cases_of_a_provider(folder: str) -> None:
    suite = suite_of(find("hub_email_inbound:EmailInbound"), HERE / folder)
    suite = replace(suite, mutations=100)
    results = [each for each in suite.results() if each.counts]
    others = [each for each in results if each.id not in PASSED_OVER[folder]]
    assert others == [], "\n".join(story(each, suite.subject.target, None) for each in others)
