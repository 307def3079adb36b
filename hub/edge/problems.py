"""Errors as RFC 9457 problem details: what is wrong, where, and what to do."""

from __future__ import annotations

from typing import Any, cast

import structlog
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    ValidationException,
)

from hub.flow.templates import TemplatesAway
from hub.flow.views.present import when
from hub.flow.views.shapes import ApprovalState, Decision, FieldError, Problem
from hub.flow.writer import Unavailable
from hub.rules.approvals import AlreadyDecided
from hub.rules.states import Refusal
from hub.store.database import ReadTooLong

log = structlog.get_logger()

PROBLEM = "application/problem+json"
_KINDS = {"missing": 404, "conflict": 409, "rule": 422, "right": 403, "stale": 412}
TITLES = {
    400: "The request cannot be understood",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "Conflict",
    412: "Changed meanwhile",
    413: "Too large",
    414: "Too long",
    415: "Unsupported media type",
    416: "No such part",
    422: "Not possible",
    429: "Too many attempts",
    431: "Too large",
    500: "Something went wrong",
    502: "The channel failed",
    503: "Cannot be saved now",
    507: "No space left",
}
"""Every status that a problem has, by what it is called."""


class ProblemError(Exception):
    """An answer other than the one asked for."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str | None = None,
        errors: list[FieldError] | None = None,
        headers: dict[str, str] | None = None,
        decision: Decision | None = None,
    ) -> None:
        super().__init__(detail)
        self.headers = headers or {}
        self.problem = Problem(
            type="about:blank",
            title=TITLES.get(status, "Error"),
            status=status,
            detail=detail,
            code=code,
            errors=errors,
            decision=decision,
        )


def too_many(seconds: int, what: str = "Too many failed attempts.") -> ProblemError:
    """429; ``seconds`` until it may be tried again."""
    minutes = -(-seconds // 60)
    return ProblemError(
        429,
        f"{what} Try again in {minutes} minute{'s' if minutes > 1 else ''}.",
        headers={"Retry-After": str(seconds)},
    )


def not_found(what: str) -> ProblemError:
    """404, also for what belongs to another organisation."""
    return ProblemError(404, f"There is no such {what}.")


def problem_of(error: Exception) -> ProblemError:  # noqa: PLR0911 — one case an error
    """Any error, as what a client may know of it."""
    match error:
        case ProblemError():
            return error
        case AlreadyDecided():
            decision = Decision(
                state=cast("ApprovalState", error.state),
                by=error.by,
                at=None if error.at is None else when(error.at),
            )
            return ProblemError(409, error.detail, code=error.code, decision=decision)
        case Refusal():
            errors = [FieldError(field=name, message=text) for name, text in error.fields.items()]
            return ProblemError(
                _KINDS[error.kind], error.detail, code=error.code, errors=errors or None
            )
        case TemplatesAway():
            return ProblemError(503 if error.passing else 502, str(error), code="channel_failed")
        case Unavailable():
            return ProblemError(
                503,
                f"Nothing can be saved at the moment: {error}. Try again shortly.",
                headers={"Retry-After": "5"},
            )
        case ReadTooLong():
            return ProblemError(503, f"This cannot be read now: {error}.")
        case RecursionError():
            return ProblemError(400, "The request is nested too deeply.")
        case ValidationException():
            return ProblemError(400, "The request does not fit.", errors=_fields(error))
        case HTTPException():
            return ProblemError(error.status_code, error.detail, headers=dict(error.headers or {}))
        case _:
            return ProblemError(500, "An error was logged. Try again, or tell your admin.")


def _fields(error: ValidationException) -> list[FieldError]:
    extra = cast("list[dict[str, Any]]", error.extra if isinstance(error.extra, list) else [])
    found = [_field(str(part.get("key", "")), str(part.get("message", ""))) for part in extra]
    return found or [FieldError(field="", message=error.detail)]


def _field(name: str, message: str) -> FieldError:
    if message == repr(name):  # the error of a look-up, with nothing but the name in it
        message = "A body of JSON is missing." if name == "data" else "This is missing."
    # A name that Python keeps for itself has a mark behind it.
    return FieldError(field="" if name == "data" else name.removesuffix("_"), message=message)


def told(error: Exception, path: str) -> ProblemError:
    """What a client is answered; what nobody foresaw is logged."""
    problem = problem_of(error)
    status, code = problem.problem.status, problem.problem.code
    if status == 500:
        log.error("request.failed", path=path, exc_info=error)
    elif status in {403, 429}:
        log.info("request.refused", path=path[:300], status=status, code=code)
    return problem


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Litestar's exception handler."""
    problem = told(error, request.url.path)
    return Response(
        problem.problem,
        status_code=problem.problem.status,
        media_type=PROBLEM,
        headers=problem.headers,
    )
