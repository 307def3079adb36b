"""Email by IMAP and SMTP, a channel of Channel Hub."""

from hub_email.plugin import Email

__all__ = ["Email"]
