"""Email by Resend, as a channel of Channel Hub."""

from hub_email_resend.plugin import EmailResend

__all__ = ["EmailResend"]
