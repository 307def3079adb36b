"""What plugins answer is looked at before anybody relies on it."""

from __future__ import annotations

from typing import Any

import pytest

from hub.plugin import IngestResult, Reply, RouteReply
from hub.plugin.kit.answers import checked


@pytest.mark.parametrize(
    "wrong", [{"status": 99}, {"status": 600}, {"content_type": "text/plain\r\nX-Other: 1"}]
)
def test_a_reply_is_one_that_http_can_carry(wrong: dict[str, Any]) -> None:
    for answer in (Reply(**wrong), RouteReply(**wrong), IngestResult(reply=Reply(**wrong))):
        with pytest.raises(ValueError, match="returned a reply with"):
            checked(answer, type(answer))
    assert checked(Reply(body=b"ok"), Reply) == Reply(body=b"ok")
