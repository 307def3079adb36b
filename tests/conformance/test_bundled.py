"""The bundled channels pass the suite that third parties are asked to pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from hub.conformance.command import suite_of
from hub.conformance.report import report_on, story
from hub.conformance.subject import find

PLUGINS = Path(__file__).parents[2] / "plugins"
BUNDLED = {
    "email": "hub_email:Email",
    "email-inbound": "hub_email_inbound:EmailInbound",
    "email-resend": "hub_email_resend:EmailResend",
    "sms-generic": "hub_sms_generic:GenericSms",
    "sms-twilio": "hub_sms_twilio:TwilioSms",
    "simulator": "hub_simulator:Simulator",
    "simulator-calls": "hub_simulator:CallSimulator",
    "simulator-email": "hub_simulator:EmailSimulator",
    "simulator-whatsapp": "hub_simulator:WhatsAppSimulator",
    "voice-twilio": "hub_voice_twilio:TwilioVoice",
    "whatsapp-cloud": "hub_whatsapp_cloud:WhatsAppCloud",
    "whatsapp-twilio": "hub_whatsapp_twilio:TwilioWhatsApp",
}

CASES = {
    "simulator-calls": "simulator/calls-cases",
    "simulator-email": "simulator/email-cases",
    "simulator-whatsapp": "simulator/whatsapp-cases",
}
"""Where the cases are of a channel that shares its distribution with another."""
MUTATIONS = 100
"""Of each case; there are many cases."""
PLUGIN_OF = {name: cases.partition("/")[0] for name, cases in CASES.items()}


def test_none_is_left_out() -> None:
    distributions = {path.parent.name for path in PLUGINS.glob("*/pyproject.toml")}
    assert distributions == {PLUGIN_OF.get(name, name) for name in BUNDLED}


@pytest.mark.feature("CONF-04")
@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_channel_conforms(name: str) -> None:
    suite = suite_of(find(BUNDLED[name]), PLUGINS / CASES.get(name, f"{name}/cases"))
    suite = replace(suite, mutations=MUTATIONS)
    results = suite.results()
    report = report_on(suite, results)
    failed = [story(each, suite.subject.target, None) for each in results if each.counts]
    assert report.state == "conformant", "\n".join([report.line, *failed])
