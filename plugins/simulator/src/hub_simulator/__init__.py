"""Channels without a provider: a phone on a page, and a network that behaves as it is told."""

from hub_simulator.messenger import WhatsAppSimulator
from hub_simulator.plugin import Simulator
from hub_simulator.post import EmailSimulator
from hub_simulator.telephone import CallSimulator

__all__ = ["CallSimulator", "EmailSimulator", "Simulator", "WhatsAppSimulator"]
