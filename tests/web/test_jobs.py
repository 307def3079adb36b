"""Jobs over the API: a member's own, live, and nobody else's."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

from websockets.sync.client import connect

from tests.hubs import Client, HubProcess
from tests.patience import PATIENCE
from tests.web.asking import check_problem

_ids = itertools.count(1_000_001)


def add_job(hub: HubProcess, owner: Client, state: str = "waiting") -> str:
    """A job of a kind that this hub does not run."""
    id_, now = next(_ids), int(time.time() * 1000)
    (member,) = [one["member_id"] for one in owner.me["organisations"] if one["slug"] == "main"]
    with contextlib.closing(sqlite3.connect(hub.folder / "data" / "hub.db")) as database:
        (org,) = database.execute("SELECT id FROM organisations WHERE slug = 'main'").fetchone()
        database.execute(
            "INSERT INTO jobs (id, organisation_id, kind, state, request, saved, done, total, "
            "result, cancel, attempts, due_at, version, created_by, created_at, finished_at) "
            "VALUES (?, ?, 'unheard-of', ?, '{}', 'null', 3, 10, ?, 0, 0, ?, 1, ?, ?, ?)",
            (id_, org, state, '{"made": 3}' if state == "done" else None, now,
             int(member), now, now if state == "done" else None),
        )  # fmt: skip
        database.commit()
    return str(id_)


def test_a_member_sees_and_cancels_their_own(hub: HubProcess, ana: Client, viewer: Client) -> None:
    done, waiting = add_job(hub, viewer, "done"), add_job(hub, viewer)
    page = viewer.get("jobs", limit=1)
    assert [one["id"] for one in page["items"]] == [waiting]
    page = viewer.get("jobs", limit=1, cursor=page["next_cursor"])
    assert [one["id"] for one in page["items"]] == [done]
    job = viewer.get(f"jobs/{done}")
    assert (job["state"], job["result"], job["done"], job["total"]) == ("done", {"made": 3}, 3, 10)
    assert job["finished_at"].endswith("Z")
    for other in (done, waiting):
        check_problem(ana.call("GET", f"jobs/{other}"), 404)
        check_problem(ana.call("POST", f"jobs/{other}/cancel"), 404)
    assert waiting not in {one["id"] for one in ana.get("jobs")["items"]}
    assert viewer.post(f"jobs/{waiting}/cancel")["state"] == "canceled"
    problem = check_problem(viewer.call("POST", f"jobs/{waiting}/cancel"), 409)
    assert problem["code"] == "job_ended"
    check_problem(viewer.call("GET", "jobs/no-number"), 404)


def test_it_is_shown_live_to_its_owner(hub: HubProcess, ana: Client, viewer: Client) -> None:
    job = add_job(hub, ana)
    address = f"{hub.base_url}/api/v1/organisations/main/stream".replace("http", "ws", 1)
    cookie = {"Cookie": f"hub_session={ana.http.cookies['hub_session']}"}
    with connect(address, additional_headers=cookie) as socket:
        ana.post(f"jobs/{job}/cancel")
        while True:
            message = json.loads(socket.recv(timeout=PATIENCE))
            if message["type"] == "job.changed" and message["job"]["state"] == "canceled":
                break
        assert message["job"] == ana.get(f"jobs/{job}")
        assert "position" not in message


def test_who_polls_is_answered_with_frames_alone(ana: Client, hub: HubProcess) -> None:
    position = ana.get("changes", since=0)
    at = position.get("to", position.get("position"))
    job = add_job(hub, ana)
    with ThreadPoolExecutor(1) as pool:
        polled = pool.submit(ana.get, "changes", since=at, wait=2)
        with contextlib.closing(hub.client()) as other:
            other.post(f"jobs/{job}/cancel")
        frame = polled.result()
    assert (frame["from"], frame["to"], frame["changes"]) == (at, at, [])
