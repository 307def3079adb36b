"""SMS by any provider that speaks HTTP, a channel of Channel Hub."""

from hub_sms_generic.plugin import GenericSms

__all__ = ["GenericSms"]
