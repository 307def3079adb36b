"""WhatsApp by Twilio, a channel of Channel Hub."""

from hub_whatsapp_twilio.plugin import TwilioWhatsApp

__all__ = ["TwilioWhatsApp"]
