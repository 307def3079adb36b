"""Email by the webhooks of mail providers, as a channel of Channel Hub."""

from hub_email_inbound.plugin import EmailInbound

__all__ = ["EmailInbound"]
