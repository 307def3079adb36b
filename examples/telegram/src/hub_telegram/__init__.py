"""Telegram, a channel of Channel Hub."""

from hub_telegram.channel import Telegram

__all__ = ["Telegram"]
