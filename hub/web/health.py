"""Whether the hub lives, is ready, and how much it does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from litestar import Request, Response, get
from litestar.datastructures import State
from msgspec import Struct
from prometheus_client import CollectorRegistry, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

import hub
from hub.edge.guards import PUBLIC, right
from hub.web.parts import Parts, parts

Web = Request[Any, Any, State]


class Health(Struct):
    """Alive."""

    status: str
    version: str


class Readiness(Struct):
    """Ready, or why not. The state of channels and assistants is told, and never makes the hub
    unready."""

    status: str
    trouble: list[str]
    channels: dict[str, str]
    warnings: list[str]
    """What somebody should look at, though the hub works."""


@get("/healthz", opt=right(PUBLIC), tags=["Health"], summary="Alive")
async def alive(request: Web) -> Health:
    """The process answers."""
    return Health(status="ok", version=hub.__version__)


@get("/readyz", opt=right(PUBLIC), tags=["Health"], summary="Ready")
async def ready(request: Web) -> Response[Readiness]:
    """Whether the hub can take in and answer."""
    running = parts(request)
    trouble = await running.check()
    states: dict[str, str] = {}
    for loaded in (running.channels, running.assistants):
        states |= {f"{one.organisation}/{one.id}": one.health.state for one in loaded}
        states |= {f"{one.organisation}/{one.id}": "off" for one in loaded.all_failed}
    fine = not trouble
    return Response(
        Readiness(
            status="ok" if fine else "unready",
            trouble=trouble,
            channels=states,
            warnings=await running.warnings() if fine else [],
        ),
        status_code=200 if fine else 503,
    )


@get("/metrics", opt=right(PUBLIC), tags=["Health"], summary="Metrics", media_type="text/plain")
async def metrics(request: Web) -> Response[bytes]:
    """Figures in Prometheus's text form."""
    registry = CollectorRegistry()
    registry.register(_Collector(parts(request)))
    return Response(exposition.generate_latest(registry), media_type=exposition.CONTENT_TYPE_LATEST)


class _Collector:
    """Reads the parts' own counts when asked."""

    def __init__(self, running: Parts) -> None:
        self._parts = running

    def collect(self) -> Iterable[Metric]:
        running = self._parts
        deliveries = CounterMetricFamily(
            "hub_deliveries", "Deliveries by what became of them", labels=("channel", "state")
        )
        for (channel, state), count in running.intake.counts.items():
            deliveries.add_metric((channel, state), count)
        sends = CounterMetricFamily(
            "hub_sends", "Attempts to send by what came of them", labels=("channel", "outcome")
        )
        for (channel, outcome), count in running.outbox.sent.items():
            sends.add_metric((channel, outcome), count)
        waiting = GaugeMetricFamily("hub_writes_waiting", "Writes that wait to be committed")
        waiting.add_metric((), running.writer.waiting)
        yield from _machinery(running)
        states = GaugeMetricFamily(
            "hub_channel_ok", "1 while a channel is all right", labels=("organisation", "channel")
        )
        for channel in running.channels:
            fine = channel.health.state == "ok"
            states.add_metric((channel.organisation, channel.id), 1 if fine else 0)
        for failed in running.channels.all_failed:
            states.add_metric((failed.organisation, failed.id), 0)
        yield from (deliveries, sends, waiting, states)


def _machinery(running: Parts) -> Iterable[Metric]:
    machinery = running.machinery
    lag = GaugeMetricFamily(
        "hub_consumer_lag",
        "Changes that a consumer has not taken in yet",
        labels=("consumer", "organisation"),
    )
    for (consumer, organisation_id), behind in machinery.consumers.lags.items():
        lag.add_metric((consumer, str(organisation_id)), behind)
    parked = CounterMetricFamily(
        "hub_consumer_parked", "Changes that a consumer could not take in", labels=("consumer",)
    )
    for consumer, count in machinery.consumers.parked.items():
        parked.add_metric((consumer,), count)
    jobs = CounterMetricFamily("hub_jobs", "Jobs by what came of them", labels=("kind", "state"))
    for (kind, state), count in machinery.jobs.ended.items():
        jobs.add_metric((kind, state), count)
    fired = CounterMetricFamily(
        "hub_due", "Things that fell due by what came of them", labels=("kind", "outcome")
    )
    for (kind, outcome), count in machinery.clock.fired.items():
        fired.add_metric((kind, outcome), count)
    mails = CounterMetricFamily(
        "hub_notices", "Attempts to mail a notice by what came of them", labels=("outcome",)
    )
    for outcome, count in machinery.notices.outcomes.items():
        mails.add_metric((outcome,), count)
    pushes = CounterMetricFamily(
        "hub_pushes", "Alerts for browsers by what came of them", labels=("outcome",)
    )
    for outcome, count in running.pushes.sender.outcomes.items():
        pushes.add_metric((outcome,), count)
    return lag, parked, jobs, fired, mails, pushes
