"""Channel Hub: one inbox for every channel a customer may write or call on."""

__version__ = "0.1.0"
