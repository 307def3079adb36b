"""What a page shows, and what the database holds for whoever looks at it: the one read from the
page as it is drawn, the other from the tables by plain SQL."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Page

from tests.browser.screen import shown

FILTERS = {
    "All": "all",
    "Unread": "unread",
    "Unassigned": "unassigned",
    "Mine": "mine",
    "Needs response": "needs_response",
    "Late": "late",
}
TABS = {"Open": "open", "Unread": "unread", "Closed": "closed"}
STATUSES = {
    "pending": "Sending",
    "queued": "Sending",
    "sent": "Sent",
    "delivered": "Delivered",
    "read": "Read",
    "unknown": "Not confirmed by the provider",
}
_TIME = re.compile(r"now|\d+ (minute|hour)s? ago")
_LOOK = r"""() => {
  const number = (text) => Number((text ?? "0").replace(/\D/g, ""));
  const query = new URLSearchParams(location.search);
  const titled = (element) => number(element?.getAttribute("title"));
  const named = (elements, count) => Object.fromEntries([...elements].map((one) => [
    one.innerText.replace(/[\d,+]+\s*$/, "").trim(), titled(one.querySelector(count)),
  ]));
  const rows = [...document.querySelectorAll("[data-row]")].map((link) => {
    const row = link.closest("[role=listitem]");
    return {
      id: link.dataset.row,
      place: Number(row.getAttribute("aria-posinset")),
      leaving: row.classList.contains("leaving"),
      said: link.querySelector(".vh").textContent,
      badge: number(link.querySelector(".badge")?.textContent),
    };
  }).sort((a, b) => a.place - b.place);
  const main = document.querySelector("nav[aria-label=Main]");
  const log = document.querySelector("[role=log]");
  const entries = [...(log?.querySelectorAll("[data-key]") ?? [])].flatMap((one) => {
    if (one.classList.contains("events")) {
      const folded = [...one.querySelectorAll("button")].map((more) => number(more.textContent));
      const count = one.querySelectorAll("span[title]").length + (folded[0] ?? 0);
      return Array.from({ length: count }, () => ({ id: "event", text: "", status: null }));
    }
    return [{
      id: one.dataset.id,
      text: one.querySelector(".bubble")?.innerText.match(/said-\d+/)?.[0] ?? "",
      status: one.querySelector(".meta .status")?.innerText.trim() ?? null,
    }];
  });
  const buttons = [...document.querySelectorAll("button")];
  const has = (words, within) => buttons.some((one) =>
    one.closest(within) && words.includes(one.innerText.trim()));
  return {
    status: query.get("status") ?? "open",
    filter: query.get("filter") ?? "all",
    range: query.get("range") ?? "30d",
    channels: query.getAll("channel").flatMap((one) => one.split(",")),
    conversation: query.get("conversation"),
    listed: document.querySelector("[data-column=list]") !== null,
    rows,
    more: has(["Load more", "Loading more"], "[data-column=list]"),
    tabs: named(
      document.querySelectorAll("[role=tablist][aria-label=Status] [role=tab]"), ".count",
    ),
    filters: named(document.querySelectorAll("[role=group][aria-label=Filters] button"), "b"),
    badge: main && titled(main.querySelector("a[href^='/messages'] .badge")),
    logged: log !== null,
    entries,
    earlier: has(["Load earlier messages", "Loading earlier messages"], "[role=log]"),
    later: has(["Load later messages", "Loading later messages"], "[role=log]"),
    troubles: [...document.querySelectorAll("[role=alert]")].map((one) => one.innerText.trim())
      .filter(Boolean),
    reconnecting: [...document.querySelectorAll("header .presence")].length > 0,
  };
}"""


class Entry(NamedTuple):
    id: int
    thread_id: int
    seq: int
    kind: str
    direction: str
    channel_id: str | None
    content: str
    preview: str
    status: str | None
    sort_at: int
    author_kind: str
    author_id: int | None


class Books:
    """What the database holds, as it is now."""

    def __init__(self, path: Path) -> None:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            connection.execute("BEGIN")

            def every(statement: str) -> list[Any]:
                return connection.execute(statement).fetchall()

            ((self.position,),) = every("SELECT position FROM organisations WHERE slug = 'main'")
            self.threads = every(
                "SELECT t.id, t.status, t.needs_response, t.assignee_id, t.read_through,"
                " t.channel_id, a.value FROM threads t JOIN addresses a USING (contact_id)"
            )
            self.names: dict[int, str] = dict(
                every("SELECT m.id, u.name FROM members m JOIN users u ON u.id = m.user_id")
            )
            self.entries: dict[int, list[Entry]] = defaultdict(list)
            columns = ", ".join(Entry._fields)
            for row in every(f"SELECT {columns} FROM entries ORDER BY sort_at, id"):
                self.entries[row[1]].append(Entry(*row))

    def texts(self) -> list[str]:
        """What was written in and out, and noted, each as often as it is there."""
        return [
            json.loads(one.content)["text"]
            for entries in self.entries.values()
            for one in entries
            if one.kind in {"message", "note"}
        ]


class Row(NamedTuple):
    """A conversation as somebody may see it."""

    id: int
    status: str
    needs_response: bool
    assignee_id: int | None
    unread: int
    sort_at: int
    active_at: int
    channels: frozenset[str]
    said: list[str]


class Sight:
    """What of the books a member may see: everything, or some channels."""

    def __init__(
        self, books: Books, member_id: int, channels: frozenset[str] | None, names: dict[str, str]
    ) -> None:
        self._books = books
        self._me = member_id
        self._channels = channels
        self._names = names
        rows = [row for thread in books.threads if (row := self._row(*thread)) is not None]
        self._rows = sorted(rows, key=lambda row: (row.sort_at, row.id), reverse=True)

    def _sees(self, entry: Entry) -> bool:
        return (
            self._channels is None or entry.channel_id is None or entry.channel_id in self._channels
        )

    def _row(
        self,
        id_: int,
        status: str,
        needs: int,
        assignee_id: int | None,
        read_through: int,
        channel_id: str | None,
        value: str,
    ) -> Row | None:
        seen = [one for one in self._books.entries[id_] if self._sees(one)]
        reached = [one for one in seen if one.channel_id is not None]
        if not reached:
            return None
        told = [one for one in seen if one.kind != "system"]
        unread = sum(one.direction == "in" and one.seq > read_through for one in told)
        last, latest = told[-1], reached[-1]
        if self._channels is not None and channel_id not in self._channels:
            channel_id = latest.channel_id
        voice = {"out": "You: ", "internal": "Note: ", "in": ""}[last.direction]
        if last.direction == "out" and last.author_kind == "member":
            name = self._books.names[last.author_id or 0]
            voice = voice if last.author_id == self._me else f"{name.split()[0]}: "
        said = [
            shown(value),
            f"{unread} unread" if unread else "",
            {"outbound_only": "Outbound only", "closed": "Closed"}.get(status, ""),
            "Needs response" if needs else "",
            "" if assignee_id is None else f"Assigned to {self._books.names[assignee_id]}",
            "Failed" if last.status == "failed" else "",
            self._names[channel_id or ""],
            f"{voice}{last.preview}",
        ]
        sort_at = last.sort_at if self._channels is None else latest.sort_at
        active_at = (seen if self._channels is None else reached)[-1].sort_at
        channels = frozenset(one.channel_id for one in reached if one.channel_id)
        said = [part for part in said if part]
        return Row(
            id_, status, bool(needs), assignee_id, unread, sort_at, active_at, channels, said
        )

    def _list(self, look: dict[str, Any], status: str, filter_: str) -> list[Row]:
        now = datetime.now(UTC)
        days = {"today": 0, "30d": 29, "all": 36_500}[look["range"]]
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        since = (midnight - timedelta(days=days)).timestamp() * 1000
        channels = frozenset(look["channels"])

        def belongs(row: Row) -> bool:
            within = {
                "all": True,
                "open": row.status == "open",
                "closed": row.status == "closed",
                "unread": row.unread > 0,
                "unassigned": row.assignee_id is None,
                "mine": row.assignee_id == self._me,
                "needs_response": row.needs_response,
                "late": False,
            }
            narrowed = row.active_at >= since and (not channels or channels & row.channels)
            return bool(within[status] and within[filter_] and narrowed)

        return [row for row in self._rows if belongs(row)]

    def differences(self, page: Page) -> list[str]:
        """Where a page, as it is now, is not what may be seen here; and what it waits for."""
        look: dict[str, Any] = page.evaluate(_LOOK)
        found = [f"says {trouble!r}" for trouble in look["troubles"]]
        found += ["is reconnecting"] if look["reconnecting"] else []
        if look["badge"] is not None:  # a phone with a conversation open has no bar
            found += _compare("badge", look["badge"], sum(row.unread > 0 for row in self._rows))
        if look["listed"]:
            found += self._in_list(look)
        if look["logged"] and look["conversation"] is not None:
            found += self._in_log(look, int(look["conversation"]))
        return found

    def _in_list(self, look: dict[str, Any]) -> Iterable[str]:
        status, filter_ = look["status"], look["filter"]
        for name, count in look["tabs"].items():
            if name in TABS:
                expected = len(self._list(look, TABS[name], filter_))
                yield from _compare(f"tab {name}", count, expected)
        for name, count in look["filters"].items():
            expected = len(self._list(look, status, FILTERS[name]))
            yield from _compare(f"filter {name}", count, expected)
        rows = self._list(look, status, filter_)
        drawn = [row for row in look["rows"] if not row["leaving"]]
        if not look["more"] or len(drawn) > len(rows):
            yield from _compare("rows", len(drawn), len(rows))
        for place, (row, it) in enumerate(zip(rows, drawn, strict=False)):
            said = [part for part in it["said"].split(", ") if not _TIME.fullmatch(part)]
            yield from _compare(f"row {place}", (it["id"], said), (str(row.id), row.said))
            yield from _compare(f"badge of row {place}", it["badge"], row.unread)

    def _in_log(self, look: dict[str, Any], thread_id: int) -> Iterable[str]:
        drawn = look["entries"]
        there = [one for one in self._books.entries[thread_id] if self._sees(one)]
        if look["later"]:
            yield "is not at the newest entry"
            return
        if not look["earlier"]:
            yield from _compare("entries", len(drawn), len(there))
        there = there[-len(drawn) :] if drawn else []
        for it, entry in zip(drawn, there, strict=False):
            if entry.kind == "system":
                yield from _compare("entry", it["id"], "event")
                continue
            text = json.loads(entry.content)["text"]
            yield from _compare("entry", (it["id"], it["text"]), (str(entry.id), text))
            if it["status"] is not None and entry.status != "failed":
                yield from _compare(
                    f"status of {text}", it["status"], STATUSES.get(entry.status or "")
                )


def _compare(what: str, drawn: object, expected: object) -> list[str]:
    return [] if drawn == expected else [f"{what}: shows {drawn!r}, is {expected!r}"]
