"""Which tests go together when several workers run them: ``pytest -n auto --dist loadscope``."""

from __future__ import annotations

import os

import pytest
from xdist.scheduler import LoadScopeScheduling

SHARING = tuple(
    f"tests/{folder}/"
    for folder in (
        *("approvals", "authors", "calls", "cluster", "compose", "consent", "e2e", "events"),
        *("inbox", "web"),
    )
)
"""Folders with servers that all of their tests use; each worker would start them anew."""
KILLS = "test_kills.py"
FIRST = (
    "tests/security/test_document.py",
    "tests/conformance/test_mutants.py",
    "plugins/email/tests/test_large_mailbox.py",
    "tests/conformance/test_bundled.py",
    "tests/authors/",
    "tests/security/",
    "tests/web/",
)
"""What takes long, the longest first; modules of kills come before all of it."""
ALONE = (KILLS, "tests/conformance/test_bundled.py")
"""Modules whose tests take long, each as much as many others, and have nothing in common."""
LAST = "tests/browser/test_deliveries.py"
"""The longest module. Each of its tests has a hub of its own, so they fill what is left between the
other modules of the end."""
EARLY = ("tests/browser/test_in_step.py", "tests/browser/test_every_page.py")
"""Of the tests in browsers those that take longest; they come before the others."""
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
    if item.nodeid.startswith(LAST):
        return len(FIRST) + 4
    if "playwright" in getattr(item, "fixturenames", ()):
        return len(FIRST) + (2 if item.nodeid.startswith(EARLY) else 3)
    if item.path.name == KILLS:
        return 0
    long = (number for number, path in enumerate(FIRST, 1) if item.nodeid.startswith(path))
    return next(long, len(FIRST) + 1)


def company(nodeid: str) -> str:
    """Tests with the same answer are run by the same worker, one after the other."""
    path, _, test = nodeid.partition("::")
    if path.endswith((*ALONE, LAST, *EARLY)):
        return nodeid
    kinds = [kind for kind in APART if kind in test.partition("[")[2]]
    together = next((folder for folder in SHARING if path.startswith(folder)), path)
    return " ".join([together, *kinds])


class Scheduling(LoadScopeScheduling):
    """Hands out companies of tests in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return company(nodeid)
