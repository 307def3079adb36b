"""Every route, whoever asks and whatever they ask for: the right that is declared decides, and what
belongs to another organisation is as if it were not there."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import pytest
from hub_email.links import Pages
from hub_simulator.plugin import TEXTS
from hub_simulator.routes import Page
from hub_voice_twilio.plugin import TwilioVoice
from litestar import Litestar
from litestar.handlers import BaseRouteHandler
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

import hub.web
from hub.edge.guards import IN_PERSON, PUBLIC, SIGNED_IN, Guard
from hub.plugin import Route
from hub.rules.rights import CAPABILITIES, READY_ROLES
from tests.hubs import Client, wait_for
from tests.patience import PATIENCE
from tests.people.conftest import House
from tests.people.declared import FILES, ORG, PLUGINS, ROUTES, UNDOCUMENTED, Line
from tests.web.asking import DOCUMENT, check_problem

MISSING = "42"
"""An id that nothing has."""
_NAMES = re.compile(r"\{(\w+)\}")
OF_ORGANISATIONS = {
    place: one for place, one in ROUTES.items() if place.partition(" ")[2].startswith(ORG)
}
GATED = ["messages.view", "messages.send_gated"]
HTTP = {place: one for place, one in OF_ORGANISATIONS.items() if not place.startswith("WS ")}


# ---------------------------------------------------------------------- the table


def handlers(app: Litestar) -> dict[str, BaseRouteHandler]:
    """Every handler of an application by where it is, as the document writes it."""
    found: dict[str, BaseRouteHandler] = {}
    for route in app.routes:
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        many = getattr(route, "route_handler_map", None)
        if many is None:
            found[f"WS {path}"] = cast("Any", route).route_handler
        else:
            found |= {f"{method} {path}": handler for method, (handler, *_) in many.items()}
    return {place: one for place, one in found.items() if not place.startswith("OPTIONS ")}


@pytest.mark.feature("PERM-02")
def test_every_route_has_a_line_and_asks_for_what_it_says() -> None:
    app = hub.web.create_api(cast("Any", object()), cast("Guard", lambda *_: None))
    asked = {place: one.opt.get("right") for place, one in handlers(app).items()}
    told = {place: one.right for place, one in (ROUTES | UNDOCUMENTED).items()}
    assert asked == told
    documented = {
        f"{method.upper()} {path}"
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
    }
    assert documented == {place for place in ROUTES if not place.startswith("WS ")}


def simulator(*features: str) -> tuple[Route, ...]:
    """The routes of a simulated channel that can do these things."""
    medium = dataclasses.replace(TEXTS, features=frozenset(features))
    return Page(medium, cast("Any", None), cast("Any", None)).routes()


def test_every_route_of_a_bundled_plugin_has_a_line() -> None:
    routes = {
        "hub_simulator": [
            *simulator("names", "reactions", "mail"),
            *simulator("calls"),
        ],
        "hub_email": Pages().routes(),
        "hub_voice_twilio": TwilioVoice(
            cast("Any", SimpleNamespace(agent=True, numbers=(), country="US"))
        ).routes(),
    }
    found = {
        package: {
            f"{one.method} {one.path}": one.capability if one.auth == "member" else PUBLIC
            for one in own
        }
        for package, own in routes.items()
    }
    assert found == PLUGINS
    folder = Path(__file__).parents[2] / "plugins"
    having = {
        path.relative_to(folder).parts[2]
        for path in folder.glob("*/src/**/*.py")
        if "Route(" in path.read_text(encoding="utf-8")
    }
    assert having == set(PLUGINS), "a plugin that has got routes is walked, too"


# ---------------------------------------------------------------------- who may


def filled(value: Any, ids: Mapping[str, str]) -> Any:
    """A body or path with ids in it."""
    if isinstance(value, str):
        return _NAMES.sub(lambda name: ids.get(name[1], MISSING), value)
    if isinstance(value, list):
        return [filled(one, ids) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: filled(one, ids) for key, one in cast("dict[str, Any]", value).items()}
    return value


def ask(
    http: httpx2.Client, place: str, line: Line, ids: Mapping[str, str], *, body: Any = ...
) -> httpx2.Response:
    """A request to a route."""
    method, _, path = place.partition(" ")
    options: dict[str, Any] = {"params": line.query}
    wanted = line.body if body is ... else body
    if wanted is FILES:
        options["files"] = {"file": ("a.txt", b"hello")}
    elif wanted is not None:
        options["json"] = filled(wanted, ids)
    return http.request(method, filled(path, ids), **options)


def shapeless(line: Line) -> Any:
    """A body that nothing comes of: whether it is asked for the right is seen all the same."""
    return None if line.body in (None, FILES) else {"no such field": 1}


def check(
    http: httpx2.Client, held: frozenset[str], line: Line, answer: httpx2.Response, *, token: bool
) -> None:
    """The declared right is what decides."""
    if IN_PERSON in line.right and token:
        assert check_problem(answer, 403)["code"] == IN_PERSON
    elif {SIGNED_IN, IN_PERSON} & set(line.right) or held & set(line.right):
        assert answer.status_code not in {401, 403}, (answer.request.url, answer.text)
    else:
        problem = check_problem(answer, 403)
        assert problem["code"] in line.right
        assert all(name in problem["detail"] for name in line.right)


def token_of(house: House, client: Client, *capabilities: str) -> Client:
    return house.token(client, *capabilities)[1]


@pytest.mark.feature("PERM-01", "PERM-02", "PERM-04")
def test_the_declared_right_decides_for_every_role_and_token(house: House) -> None:
    house.ana.post("roles", {"name": "Nothing", "capabilities": []})
    sue = house.add("Super User")
    roles = {**READY_ROLES, "Nothing": frozenset[str]()}
    askers: list[tuple[httpx2.Client, frozenset[str], bool]] = []
    for role, held in roles.items():
        client = sue.client if role == "Super User" else house.add(role).client
        askers.append((client.http, held, False))
        if held:
            askers.append((token_of(house, client, *held).http, held, True))
    askers += [
        (token_of(house, house.ana, name).http, frozenset({name}), True) for name in CAPABILITIES
    ]
    for place, line in HTTP.items():
        for http, held, token in askers:
            answer = ask(http, place, line, {"org": "main"}, body=shapeless(line))
            check(http, held, line, answer, token=token)
    for http, held, token in askers:
        for place, line in ROUTES.items():
            if place not in OF_ORGANISATIONS and PUBLIC not in line.right and "DELETE" not in place:
                check(http, held, line, ask(http, place, line, {}), token=token)
        for route in simulator():
            line = Line((PLUGINS["hub_simulator"][f"{route.method} {route.path}"],))
            answer = http.request(route.method, f"/hooks/main/front/{route.path}", json={})
            check(http, held, line, answer, token=token)
        assert sees_stream(house, http) == ("messages.view" in held)


def sees_stream(house: House, http: httpx2.Client, org: str = "main") -> bool:
    try:
        with stream(house, http, org):
            return True
    except InvalidStatus as error:
        return error.response.status_code != 403


def stream(
    house: House, http: httpx2.Client, org: str = "main"
) -> AbstractContextManager[ClientConnection]:
    """A socket with whatever its client is known by."""
    headers = {"Cookie": f"hub_session={http.cookies.get('hub_session', '')}"}
    if (token := http.headers.get("Authorization")) is not None:
        headers = {"Authorization": token}
    path = ORG.replace("{org}", org)
    address = f"{house.hub.base_url}{path}/stream".replace("http", "ws", 1)
    return connect(address, additional_headers=headers)


@pytest.mark.feature("PERM-02")
def test_nobody_and_who_belongs_elsewhere(house: House) -> None:
    lea = house.add("Admin", "branch")
    script = token_of(house, lea.client, *CAPABILITIES)
    with httpx2.Client(base_url=house.hub.base_url, timeout=PATIENCE) as nobody:
        for place, line in HTTP.items():
            check_problem(ask(nobody, place, line, {"org": "main"}, body=shapeless(line)), 401)
            for http in (lea.client.http, script.http):
                foreign = ask(http, place, line, {"org": "main"}, body=shapeless(line))
                missing = ask(http, place, line, {"org": "no-such"}, body=shapeless(line))
                assert check_problem(foreign, 404) == check_problem(missing, 404)
        for place, line in ROUTES.items():
            if place not in OF_ORGANISATIONS and PUBLIC not in line.right:
                check_problem(ask(nobody, place, line, {}), 401)
        for route in simulator():
            address = f"/hooks/main/front/{route.path}"
            check_problem(nobody.request(route.method, address, json={}), 401)
            for http in (lea.client.http, script.http):
                check_problem(http.request(route.method, address, json={}), 404)
        for http, status in ((nobody, 401), (lea.client.http, 404), (script.http, 404)):
            with pytest.raises(InvalidStatus) as refused, stream(house, http):
                pass
            assert refused.value.response.status_code in {403, status}


# ---------------------------------------------------------------------- whose it is


def thread_with(client: Client, digits: str) -> dict[str, Any] | None:
    """The conversation with the phone that ends so."""
    found = (one for one in client.threads() if one["contact"]["display"].endswith(digits))
    return next(found, None)


def things(house: House, org: str) -> dict[str, str]:
    """One of everything that has an id, in an organisation."""
    ana = house.client(org).sign_in()
    ana.text("+12025559001", f"hello to {org}", channel="front")
    thread = wait_for(lambda: thread_with(ana, "9001"), what="the conversation")
    (entry,) = [one for one in ana.entries(thread["id"]) if one["kind"] == "message"][:1]
    files = {"file": ("a.txt", b"hello")}
    attachment = ana.http.post(ana.path("attachments"), files=files).json()
    delivery = ana.get("channels/front/deliveries")["items"][0]
    job = ana.post("channels/front/deliveries/replay")
    role = ana.post("roles", {"name": "Spare", "capabilities": []})
    ben = house.add("User SMS", org)
    ana.post("roles", {"name": "Gated", "capabilities": GATED})
    wanted = {"channel_id": "front", "contact_id": thread["contact"]["id"], "body": "May I?"}
    house.add("Gated", org).client.post(f"threads/{thread['id']}/messages", wanted)
    (approval,) = ana.get("approvals")["items"]
    someone = {"email": f"someone@{org}.example", "role_id": role["id"]}
    invitation = ana.post("members/invitations", someone)
    return {
        "org": org,
        "thread_id": thread["id"],
        "contact_id": thread["contact"]["id"],
        "entry_id": entry["id"],
        "attachment_id": attachment["id"],
        "delivery_id": delivery["id"],
        "channel_id": "front",
        "job_id": job["id"],
        "role_id": role["id"],
        "member_id": ben.member_id,
        "token_id": house.token(ana, "messages.view")[0],
        "approval_id": approval["id"],
        "invitation_id": invitation["id"],
    }


def cases() -> Iterator[tuple[str, Line, list[str]]]:
    """Routes with the names of ids in their path and body; what takes something away comes last."""
    late = ("DELETE", "POST " + ORG + "/members")
    for place, line in sorted(HTTP.items(), key=lambda one: one[0].startswith(late)):
        path = place.partition(" ")[2]
        names = _NAMES.findall(path + json.dumps(None if line.body is FILES else line.body))
        yield place, line, sorted({*names} - {"org"})


def without_ids(answer: httpx2.Response, ids: Mapping[str, str]) -> str:
    """What was answered, whatever the ids were."""
    text = answer.text
    for id_ in sorted({*ids.values(), MISSING}, key=len, reverse=True):
        text = re.sub(rf'(?<![\w.])"?{re.escape(id_)}"?(?![\w.])', "#", text)
    return f"{answer.status_code} {text}"


@pytest.mark.feature("PERM-02")
def test_another_organisations_ids_are_as_good_as_none(house: House) -> None:
    """Each id in turn is one of the other organisation, in a request that is otherwise of one's
    own; and with one's own ids it works, so that it is the id that was refused."""
    ours, theirs = things(house, "main"), things(house, "branch")
    # What both have by the same name would be found.
    ours = {**ours, "channel_id": "workshop"}
    lea = house.add("Admin", "branch").client
    owner = house.client("branch").sign_in().http
    walked: set[str] = set()
    for place, line, names in cases():
        for name in names:
            foreign = ask(lea.http, place, line, {**theirs, name: ours[name]})
            missing = ask(lea.http, place, line, {**theirs, name: MISSING})
            assert foreign.status_code in {400, 404, 422}, (place, name, foreign.text)
            assert without_ids(foreign, ours) == without_ids(missing, ours), (place, name)
            if "{" + name + "}" in place:
                assert check_problem(foreign, 404), (place, name)
            walked.add(name)
    for place, line, names in cases():
        if names and not place.endswith("/picture"):  # no letter here has one
            answer = ask(owner, place, line, theirs)
            assert answer.status_code not in {401, 403, 404}, (place, answer.text)
    assert walked == set(ours) - {"org"}, "each kind of id was tried"


# ---------------------------------------------------------------------- the stream


def messages(socket: ClientConnection, last: str) -> list[str]:
    """Everything that a stream carries, up to the frame that says ``last``."""
    seen: list[str] = []
    while not seen or last not in seen[-1]:
        seen.append(str(socket.recv(timeout=PATIENCE)))
    return seen


def changes(frames: list[str]) -> set[str]:
    """The kinds of changes."""
    return {one["type"] for frame in frames for one in json.loads(frame).get("changes", [])}


@pytest.mark.feature("PERM-02", "RT-05")
def test_what_the_stream_carries_for_each(house: House) -> None:
    """Whoever may look is carried the same; who is limited to a channel, what is on it; and another
    organisation's streams nothing of it."""
    ana = house.ana
    house.ana.post(
        "roles", {"name": "Workshop", "capabilities": ["messages.view"], "channels": ["workshop"]}
    )
    whole = [house.add(role).client for role in READY_ROLES if role != "Super User"]
    whole.append(token_of(house, ana, "messages.view"))
    some, lea = house.add("Workshop").client, house.add("Admin", "branch").client
    with ExitStack() as stack:
        open_ = stack.enter_context
        sockets = [open_(stream(house, one.http)) for one in whole]
        limited = open_(stream(house, some.http))
        watch(house, sockets, limited, open_(stream(house, lea.http, "branch")))


def watch(
    house: House,
    sockets: list[ClientConnection],
    limited: ClientConnection,
    elsewhere: ClientConnection,
) -> None:
    """What happens, and what is carried of it: to all but the last of ``sockets`` as to members, to
    the last as to a token of Ana's."""
    ana, everything = house.ana, [*sockets, limited, elsewhere]
    for socket in everything:
        assert json.loads(socket.recv(timeout=PATIENCE))["type"] == "hello"
        socket.send(json.dumps({"show": {"status": "open", "filter": "all"}}))
        socket.send(json.dumps({"ping": True}))
        while "pong" not in str(socket.recv(timeout=PATIENCE)):
            pass
    ana.text("+12025559100", "the secret at the front", channel="front")
    thread = wait_for(lambda: thread_with(ana, "9100"), what="the conversation")
    ana.patch(f"threads/{thread['id']}", {"assignee_id": None, "status": "closed"})
    sent = ana.post(
        f"threads/{thread['id']}/messages",
        {"channel_id": "front", "contact_id": thread["contact"]["id"], "body": "an answer"},
    )
    ana.post(f"threads/{thread['id']}/read", {"up_to": sent["id"]})
    ana.post("channels/front/pause")
    ana.post("channels/front/resume")
    ana.post("channels/front/deliveries/replay")  # a job of Ana's own
    ana.text("+12025559200", "the end", channel="workshop")
    branch = house.client("branch").sign_in()
    branch.text("+12025559300", "the end", channel="front")
    carried = [messages(socket, "the end") for socket in sockets]
    first = changes(carried[0])
    assert first >= {"entry.added", "entry.changed", "thread.changed", "channel.changed"}
    for frames in carried:
        assert changes(frames) == first
        assert "the secret at the front" in "".join(frames)
    for frames in carried[:-1]:
        assert "job.changed" not in "".join(frames), "nobody's but who started it"
    for socket in (limited, elsewhere):
        text = "".join(messages(socket, "the end"))
        assert "the secret" not in text
        # Four digits alone may stand in an id.
        assert "555-9100" not in text
        assert "5559100" not in text
        assert thread["id"] not in text
        assert sent["id"] not in text
        assert '"front"' not in text or socket is elsewhere
