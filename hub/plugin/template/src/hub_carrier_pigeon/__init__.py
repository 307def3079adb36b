"""Carrier Pigeon, a channel of Channel Hub."""

from hub_carrier_pigeon.channel import CarrierPigeon

__all__ = ["CarrierPigeon"]
