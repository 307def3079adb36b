"""The authorities that clients of the tests trust, read once: it takes longer than many a test."""

from __future__ import annotations

import ssl

TRUST = ssl.create_default_context()
