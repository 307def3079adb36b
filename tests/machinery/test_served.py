"""What a running hub says of its work in the background."""

from __future__ import annotations

import contextlib
import sqlite3

import httpx2

from tests.hubs import running_hub, wait_for


def test_notices_that_cannot_be_mailed_are_told_of_in_health() -> None:
    with running_hub() as hub:

        def warnings() -> list[str]:
            answer = httpx2.get(f"{hub.base_url}/readyz")
            assert answer.status_code == 200, "it is ready all the same"
            return answer.json()["warnings"]

        assert warnings() == []
        with contextlib.closing(sqlite3.connect(hub.folder / "data" / "hub.db")) as database:
            database.execute(
                "INSERT INTO notices (id, medium, recipient, subject, text, state, attempts, "
                "due_at, created_at) VALUES (1, 'mail', 'ben@example.com', 'Welcome', 'Hello', "
                "'queued', 0, 0, 0)"
            )
            database.commit()
        (told,) = wait_for(warnings)
        assert told == (
            "1 notices wait to be mailed: no mail server is configured: "
            "set host and from in [notices]"
        )
        wait_for(lambda: "notices.not_configured" in hub.output)
        figures = httpx2.get(f"{hub.base_url}/metrics").text
        for name in ("hub_consumer_lag", "hub_jobs", "hub_due", "hub_notices"):
            assert f"# TYPE {name}" in figures
        hub.stop()
        assert hub.output.count("notices.not_configured") == 1, "it is said once"
