"""Errors as RFC 9457 problem details: what is wrong, where, and what to do."""

from __future__ import annotations

from typing import Any, cast

import structlog
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    ValidationException,
)

from hub.flow.views.shapes import FieldError, Problem
from hub.flow.writer import Unavailable
from hub.rules.states import Refusal
from hub.store.database import ReadTooLong

log = structlog.get_logger()

PROBLEM = "application/problem+json"
_KINDS = {"missing": 404, "conflict": 409, "rule": 422}
_TITLES = {
    400: "The request cannot be understood",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    416: "No such part",
    422: "Not possible",
    429: "Too many attempts",
    500: "Something went wrong",
    503: "Cannot be saved now",
    507: "No space left",
}


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
    ) -> None:
        super().__init__(detail)
        self.headers = headers or {}
        self.problem = Problem(
            type="about:blank",
            title=_TITLES.get(status, "Error"),
            status=status,
            detail=detail,
            code=code,
            errors=errors,
        )


def not_found(what: str) -> ProblemError:
    """404, also for what belongs to another organisation."""
    return ProblemError(404, f"There is no such {what}.")


def problem_of(error: Exception) -> ProblemError:
    """Any error, as what a client may know of it."""
    match error:
        case ProblemError():
            return error
        case Refusal():
            return ProblemError(_KINDS[error.kind], error.detail, code=error.code)
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
    found = [
        FieldError(field=str(part.get("key", "")), message=str(part.get("message", "")))
        for part in extra
    ]
    return found or [FieldError(field="", message=error.detail)]


def told(error: Exception, path: str) -> ProblemError:
    """What a client is answered; what nobody foresaw is logged."""
    problem = problem_of(error)
    if problem.problem.status == 500:
        log.error("request.failed", path=path, exc_info=error)
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
