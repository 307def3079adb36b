"""SMS and MMS by Twilio, a channel of Channel Hub."""

from hub_sms_twilio.plugin import TwilioSms

__all__ = ["TwilioSms"]
