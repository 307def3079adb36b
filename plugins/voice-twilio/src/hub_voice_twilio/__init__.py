"""Calls, voicemails and voice agents by Twilio, a channel of Channel Hub."""

from hub_voice_twilio.plugin import TwilioVoice

__all__ = ["TwilioVoice"]
