"""The mutants, a module for each section of the contract; importing them registers them."""

from hub.conformance.mutants.wrong import ingest, load, settings, signature

__all__ = ["ingest", "load", "settings", "signature"]
