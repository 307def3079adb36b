"""Which tests go together when several workers run them: ``pytest -n auto --dist loadscope``."""

from __future__ import annotations

import os

import pytest
from xdist.scheduler import LoadScopeScheduling

SHARING = ("tests/authors/", "tests/cluster/", "tests/e2e/", "tests/inbox/", "tests/web/")
"""Folders with servers that all of their tests use; each worker would start them anew."""
ALONE = "test_kills.py"
"""Modules whose tests take long, each as much as many others."""
APART = ("sqlite", "postgresql", "chromium")
"""Parameters that make companies of their own: what stands on one database has no use for the
other, and what stands in a browser comes later than the rest of its module."""
MOST = 6


def count() -> int:
    """How many workers: one more than there are cores, because many tests wait for processes."""
    return min((os.cpu_count() or 1) + 1, MOST)


def place(item: pytest.Item) -> int:
    """What takes long comes first, so that nobody waits for it in the end. Browser tests come
    last: Playwright leaves its event loop running in the main thread, and no asyncio test can
    start one of its own after that."""
    if "playwright" in getattr(item, "fixturenames", ()):
        return 2
    return 0 if item.path.name == ALONE else 1


def company(nodeid: str) -> str:
    """Tests with the same answer are run by the same worker, one after the other."""
    path, _, test = nodeid.partition("::")
    if path.endswith(ALONE):
        return nodeid
    kinds = [kind for kind in APART if kind in test.partition("[")[2]]
    together = next((folder for folder in SHARING if path.startswith(folder)), path)
    return " ".join([together, *kinds])


class Scheduling(LoadScopeScheduling):
    """Hands out companies of tests in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return company(nodeid)
