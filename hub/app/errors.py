"""What keeps a hub from starting."""

from __future__ import annotations


class StartupError(Exception):
    """One clear line: what is wrong, and what to do."""
