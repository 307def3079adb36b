"""Logs: structured lines on the error stream, readable on a terminal, JSON elsewhere. No message
bodies, no secrets."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

SHORTEST_SECRET = 4
"""Characters below which a setting is no secret, and taking it out would spoil every line."""

_withheld: set[str] = set()


def withhold(secrets: Iterable[str]) -> None:
    """From now on none of these stands in any line, whoever writes it: a vendor's client, or the
    traceback of a plugin's error."""
    _withheld.update(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)


def set_up_logs(*, serving: bool) -> None:
    """For this process. A command that does not serve tells of trouble only."""
    level = logging.INFO if serving else logging.WARNING
    terminal = sys.stderr.isatty()
    render: list[Any] = (
        [structlog.dev.ConsoleRenderer()]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *render,
            _without_secrets,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Lossy(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class _Lossy:
    """A stream on which a line that cannot be written (disk full, reader gone) is lost: the hub
    does not stop for it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class _Formatter(logging.Formatter):
    """What libraries write, in one line, their tracebacks below it."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s:%(name)s:%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return _redacted(super().format(record))


def _without_secrets(_logger: WrappedLogger, _name: str, line: EventDict) -> str:
    return _redacted(cast("str", line))


def _redacted(line: str) -> str:
    for secret in sorted(_withheld, key=len, reverse=True):
        line = line.replace(secret, "***")
    return line
