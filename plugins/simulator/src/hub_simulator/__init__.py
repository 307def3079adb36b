"""A channel without a provider: a phone on a page, and a network that behaves as it is told."""

from hub_simulator.plugin import Simulator

__all__ = ["Simulator"]
