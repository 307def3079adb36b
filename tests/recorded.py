"""Recorded material of providers, kept outside this repository because of its licences.

``HUB_FIXTURES`` names the folder. Without it the tests that need one are skipped; with ``CI=true``
that is a failure.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("HUB_FIXTURES", "../shared/fixtures"))
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def path(name: str) -> Path:
    """The file ``name`` of the folder."""
    found = (ROOT / FOLDER / name).resolve()
    if not found.exists():
        message = f"recorded material is missing: {found} (HUB_FIXTURES names the folder)"
        if IN_CI:
            pytest.fail(message)
        pytest.skip(message)
    return found


def load(name: str) -> Any:
    """The JSON file ``name``."""
    return json.loads(path(name).read_text())
