"""Recorded deliveries on their way through a hub, and what became of each: nothing is lost.

A file of a corpus ends as one of four: it made or changed an **entry**; it is a **no-op** that was
understood and recorded (a receipt of a message that nobody sent, an event that says nothing to
the hub); it is **quarantined**, kept to be read again; or it was **refused**, because its own
provider's proof is wrong, and says so. There is no fifth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import httpx2
import pytest
from msgspec import Struct

from tests.hubs import Client, wait_for
from tests.patience import PATIENCE

KINDS = ("entry", "no-op", "quarantined", "refused")


class Sent(Struct, frozen=True, kw_only=True):
    """A file as a request of its provider: ``name``, and what goes to ``path`` below the channel's
    address, signed already. ``fetches``: how many deliveries the hub has to fetch for it."""

    name: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "POST"
    path: str = ""
    fetches: int = 0


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of the file ``name``: one of ``KINDS``, how many ``entries`` it made, and the
    hub's words (``detail``)."""

    name: str
    kind: str
    entries: int = 0
    detail: str = ""


def send(client: Client, channel_id: str, files: Iterable[Sent]) -> list[Outcome]:
    """Deliver each file, one after the other, and see what became of it. What a delivery has the
    hub fetch counts as that delivery's."""
    return [_sent(client, channel_id, file) for file in files]


def _sent(client: Client, channel_id: str, file: Sent) -> Outcome:
    before = _newest(client, channel_id)
    address = client.http.base_url.join(f"/hooks/{client.org}/{channel_id}{file.path}")
    answer = httpx2.request(
        file.method, address, content=file.body, headers=list(file.headers), timeout=PATIENCE
    )
    if answer.status_code in {400, 403}:
        return Outcome(name=file.name, kind="refused", detail=answer.text[:200])
    assert answer.is_success, f"{file.name}: {answer.status_code} {answer.text[:300]}"

    def arrived() -> list[dict[str, Any]]:
        page = client.get(f"channels/{channel_id}/deliveries", limit=20)["items"]
        ids = [one["id"] for one in page]
        new = page[: ids.index(before)] if before in ids else page
        return new if len(new) >= 1 + file.fetches or _waits(new) else []

    deliveries = wait_for(arrived, what=f"what came of {file.name}")
    return outcome(client, channel_id, file.name, deliveries)


def outcome(
    client: Client, channel_id: str, name: str, deliveries: Sequence[dict[str, Any]]
) -> Outcome:
    """What became of a file that arrived as ``deliveries``, as the API lists them."""
    if waiting := _waits(deliveries):
        return Outcome(name=name, kind="quarantined", detail=waiting[0]["reason"] or "")
    paths = [f"channels/{channel_id}/deliveries/{one['id']}" for one in deliveries]
    entries = sum(len(client.get(path)["entries"]) for path in paths)
    if entries:
        return Outcome(name=name, kind="entry", entries=entries)
    told = [one["reason"] for one in deliveries if one["reason"]]
    events = [one for path in paths for one in client.post(f"{path}/dry-run")["events"]]
    told += [f"{one['type']}{' of a known entry' if one['entry_id'] else ''}" for one in events]
    return Outcome(name=name, kind="no-op", detail=", ".join(told))


def _waits(deliveries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in deliveries if one["state"] in {"quarantined", "unverified"}]


def _newest(client: Client, channel_id: str) -> str | None:
    page = client.get(f"channels/{channel_id}/deliveries", limit=1)["items"]
    return page[0]["id"] if page else None


def report(request: pytest.FixtureRequest, title: str, outcomes: Sequence[Outcome]) -> str:
    """Each file by name, and the sums; kept with the test's result (``pytest -rA`` shows it)."""
    counts = Counter(one.kind for one in outcomes)
    sums = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    lines = [f"{title}: {len(outcomes)} files: {sums}"]
    for one in outcomes:
        made = f" ({one.entries})" if one.entries > 1 else ""
        lines.append(f"  {one.kind:<12}{one.name}{made}{': ' if one.detail else ''}{one.detail}")
    text = "\n".join(lines)
    request.node.add_report_section("call", "corpus", text)
    print(text)
    return text


def nothing_lost(outcomes: Sequence[Outcome], files: Sequence[str]) -> None:
    """As many outcomes as files, each with one of the four ends."""
    assert sorted(one.name for one in outcomes) == sorted(files)
    assert all(one.kind in KINDS for one in outcomes)
