"""Whoever asks, and whatever they send: the answer is one that the API's document tells of, with
the status, type, headers and shape that stand there, and never the hub's fault.

The same is asked as every role. ``HUB_EXAMPLES`` makes it more than a few requests for each
operation and kind of data.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hub.rules.rights import READY_ROLES
from tests.hubs import Client
from tests.security.conftest import LIMITED, Premises
from tests.web import asking

EXAMPLES = int(os.environ.get("HUB_EXAMPLES", "2"))
ODD = ("0", "42", "-1", "null", "%", "'", '"', "\x00", "9" * 40, "\N{SNOWMAN}")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDS = {"/api/v1/session", "/api/v1/me/password"}
"""They end the session that asks, or count against its owner; tests of signing in have them."""
load_all_checks()


def operations() -> Iterator[tuple[str, str]]:
    """Path and method of every operation; what takes something away comes last."""
    every = [
        (path, method.upper())
        for path, methods in asking.DOCUMENT["paths"].items()
        for method in methods
        if path not in ENDS
    ]
    late = ("deactivate", "second-factor/reset", "end-others")
    yield from sorted(every, key=lambda one: one[1] == "DELETE" or one[0].endswith(late))


Questions = list[tuple[str, str, list[Any]]]
"""Of each operation its path and method, and the cases that it is asked."""


@pytest.fixture(scope="module", params=list(GenerationMode), ids=lambda mode: mode.value)
def questions(request: pytest.FixtureRequest) -> Questions:
    """What everybody asks: to think of it takes longer than to ask it. Where a parameter of the
    path is ``None`` there belongs what is really there."""
    schema = schemathesis.openapi.from_dict(copy.deepcopy(asking.DOCUMENT))  # it changes it
    return [
        (path, method, drawn(schema[path][method], request.param)) for path, method in operations()
    ]


def drawn(operation: Any, mode: GenerationMode) -> list[Any]:
    """Some requests to one operation."""
    names: list[str] = re.findall(r"\{(\w+)\}", operation.path)
    places = st.fixed_dictionaries(
        {
            name: st.one_of(st.none(), st.sampled_from(ODD)) if name != "org" else st.just("main")
            for name in names
        }
    )
    found: list[Any] = []

    @seed(50)
    @settings(
        max_examples=EXAMPLES,
        database=InMemoryExampleDatabase(),
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )
    @given(case=operation.as_strategy(generation_mode=mode), place=places)
    def draw(case: Any, place: dict[str, str]) -> None:
        case.path_parameters = {**(case.path_parameters or {}), **place}
        if isinstance(case.query, dict):
            case.query.pop("wait", None)  # it would be waited for
        found.append(case)

    try:
        draw()
    except Unsatisfiable:  # there is nothing that could be wrong
        assert mode is GenerationMode.NEGATIVE
    return found


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("role", [*READY_ROLES, LIMITED, "nobody"])
def test_every_answer_is_one_of_the_document(
    premises: Premises, role: str, questions: Questions
) -> None:
    check_answers(premises, role, questions)


@pytest.mark.timeout(1200)
def test_so_it_is_on_postgresql(premises_on_postgresql: Premises, questions: Questions) -> None:
    """What a database makes of odd values shows with whoever may ask for the most."""
    check_answers(premises_on_postgresql, "Admin", questions)


def check_answers(premises: Premises, role: str, questions: Questions) -> None:
    """Of every operation."""
    findings: list[str] = []
    for path, method, cases in questions:
        for case in cases:
            try:
                ask(premises.people[role], placed(case, premises.ids))
            except (FailureGroup, Failure) as found:
                findings.append(f"{method} {path}: {found}")
    assert not findings, "\n\n".join(findings)


def placed(case: Any, ids: Mapping[str, str]) -> Any:
    """As it was made, with what is there: to send a case changes it."""
    made = object.__new__(type(case))
    for name in case.__slots__:
        value = getattr(case, name)
        object.__setattr__(made, name, copy.deepcopy(value) if name == "body" else value)
    made.path_parameters = {
        name: ids.get(name, "1") if value is None else value
        for name, value in case.path_parameters.items()
    }
    return made


def ask(client: Client, case: Any) -> None:
    """Send one request, and look at its answer."""
    answer = case.call(
        base_url=str(client.http.base_url),
        headers={"X-CSRF-Token": client.http.headers.get("X-CSRF-Token", "")},
        cookies=dict(client.http.cookies),
    )
    case.validate_response(answer, checks=CHECKS)
