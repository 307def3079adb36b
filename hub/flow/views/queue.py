"""The approval queue as the API and the stream carry it."""

from __future__ import annotations

from hub.flow.compose import problem
from hub.flow.views import read, shapes
from hub.flow.views.present import Presenter
from hub.rules import content as contents
from hub.store.approvals import Queued
from hub.store.people import Organisation

_LOOKED_AT = frozenset({"opted_out", "window_closed", "no_channel", "channel_failed"})
"""Problems that are looked for anew, so that what was found before does not count."""


def queued(
    presenter: Presenter, organisation: Organisation, found: read.Queue
) -> list[shapes.QueuedApproval]:
    """Messages of the queue, in order."""
    entries = presenter.entries(organisation, found.entries)
    rows = presenter.threads(found.threads)
    threads = {row.id: row for row in rows}
    return [
        _queued(presenter, organisation, found, row, entry, threads[entry.thread_id])
        for row, entry in zip(found.rows, entries, strict=True)
    ]


def _queued(
    presenter: Presenter,
    organisation: Organisation,
    found: read.Queue,
    row: Queued,
    entry: shapes.Entry,
    thread: shapes.ThreadRow,
) -> shapes.QueuedApproval:
    approval = entry.approval
    assert approval is not None  # noqa: S101 — it is of the queue
    waiting = approval.state == "waiting"
    return shapes.QueuedApproval(
        id=entry.id,
        state=approval.state,
        entry=entry,
        thread=thread,
        contact=thread.contact,
        author=entry.author,
        author_active=row.author_active,
        waiting_since=approval.submitted_at,
        text=entry.text,
        subject=entry.subject,
        original_text=approval.original_text,
        original_subject=approval.original_subject,
        can_edit=waiting and contents.decode(row.entry.content).template is None,
        problems=_problems(presenter, organisation, found, row) if waiting else [],
    )


def _problems(
    presenter: Presenter, organisation: Organisation, found: read.Queue, row: Queued
) -> list[shapes.ApprovalProblem]:
    entry, told = row.entry, row.approval.problem
    to = (entry.scheme, entry.address)
    consents = [one for one in found.consents if (one.scheme, one.value) == to]
    use = found.uses.get((entry.thread_id, entry.channel_id or ""))
    problems: list[shapes.ApprovalProblem] = []
    if now := problem(presenter.channels, organisation.id, entry, consents, use):
        problems.append(shapes.ApprovalProblem(code=now[0], detail=now[1]))
    if told is not None and told not in _LOOKED_AT:
        problems.append(shapes.ApprovalProblem(code=told, detail=entry.status_reason or ""))
    return problems
