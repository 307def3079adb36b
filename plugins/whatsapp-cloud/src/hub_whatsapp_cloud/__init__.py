"""WhatsApp by Meta's Cloud API, a channel of Channel Hub."""

from hub_whatsapp_cloud.plugin import WhatsAppCloud

__all__ = ["WhatsAppCloud"]
