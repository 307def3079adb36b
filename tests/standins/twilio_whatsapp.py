"""A stand-in for Twilio's WhatsApp: messages as ``TwilioStandIn`` has them, contents with their
approval, and senders. What is asked of the Content API and what it answers is checked against
Twilio's OpenAPI document of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx2
from openapi_core.testing import MockRequest, MockResponse
from werkzeug.datastructures import ImmutableMultiDict

from tests.standins.twilio import (
    ACCOUNT,
    NUMBER,
    Refuse,
    Request,
    TwilioStandIn,
    _credentials,
    _refusal,
    _spec,
)

CONTENT, MESSAGING = "content.twilio.com", "messaging.twilio.com"
SENDER = f"whatsapp:{NUMBER}"
PAGE = 2
"""Contents on a page, however many are asked for."""


class WhatsAppStandIn(TwilioStandIn):
    """Twilio, as far as WhatsApp goes. ``contents`` are as the Content API lists them."""

    def __init__(self, spec_path: Path, content_spec: Path, **options: Any) -> None:
        super().__init__(spec_path, numbers=(SENDER,), **options)
        self.contents: list[dict[str, Any]] = []
        self.senders: list[dict[str, Any]] = [
            {"sender_id": SENDER, "status": "ONLINE", "webhook": {"callback_url": ""}}
        ]
        self.other: Refuse | bytes | None = None
        """What the Content API and that of senders answer instead."""
        self._content_spec = _spec(content_spec)

    @property
    def routes(self) -> dict[str, str]:
        """The hosts it stands in for."""
        return {**super().routes, CONTENT: self.base_url, MESSAGING: self.base_url}

    def wrote(self, hub_url: str, from_: str, body: str = "", **more: Any) -> httpx2.Response:
        """Somebody writes on WhatsApp. ``from_``: a number, or a user id."""
        fields = {"ProfileName": "Karla", "MessageType": "text", "ReferralNumMedia": "0", **more}
        media = fields.pop("media", ())
        return self.inbound(hub_url, f"whatsapp:{from_}", SENDER, body, media, **fields)

    def _refusal_of(self, pairs: Any) -> Refuse | None:
        form = dict(pairs)
        if not re.fullmatch(r"whatsapp:(\+[1-9]\d{6,14}|[A-Z]{2}\.\w+)", form.get("To", "")):
            return Refuse(400, 21211)
        if form.get("From") not in self.numbers:
            return Refuse(400, 63007)
        files = [value for name, value in pairs if name == "MediaUrl"]
        if len(files) > 1:
            return Refuse(400, 21623)
        said = [form.get("Body"), files, form.get("ContentSid")]
        if not any(said):
            return Refuse(400, 21619)
        if form.get("ContentSid"):
            return self._wrong_content(form, plain=bool(form.get("Body") or files))
        return Refuse(400, 21617) if len(form.get("Body", "")) > 1600 else None

    def _wrong_content(self, form: dict[str, str], *, plain: bool) -> Refuse | None:
        known = next((one for one in self.contents if one["sid"] == form["ContentSid"]), None)
        if known is None:
            return Refuse(400, 63027)
        given = json.loads(form.get("ContentVariables", "{}"))
        wanted = set(re.findall(r"\{\{(\w+)\}\}", json.dumps(known["types"])))
        texts = all(isinstance(value, str) and "\n" not in value for value in given.values())
        return None if set(given) == wanted and texts and not plain else Refuse(400, 63028)

    def _answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        host = request.host.partition(":")[0]
        if host not in {CONTENT, MESSAGING}:
            return super()._answer(request)
        user, password = _credentials(request.headers)
        if user is None or self._accounts.get(user) != password:
            return _refusal(Refuse(401, 20003))
        if isinstance(self.other, Refuse):
            return _refusal(self.other)
        if self.other is not None:
            return 200, {}, self.other
        if request.path == "/v2/Channels/Senders" and host == MESSAGING:
            page = {"senders": self.senders, "meta": {"key": "senders", "next_page_url": None}}
            return 200, {}, json.dumps(page).encode()
        return self._contents(request)

    def _contents(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        at = int(dict(request.query).get("Page", "0")) * PAGE
        base = f"https://{CONTENT}{request.path}"
        more = at + PAGE < len(self.contents)
        page = {
            "contents": self.contents[at : at + PAGE],
            "meta": {
                "page": at // PAGE,
                "page_size": PAGE,
                "first_page_url": f"{base}?PageSize={PAGE}&Page=0",
                "previous_page_url": None,
                "next_page_url": f"{base}?PageSize={PAGE}&Page={at // PAGE + 1}" if more else None,
                "url": base,
                "key": "contents",
            },
        }
        body = json.dumps(page).encode()
        asked = MockRequest(
            f"https://{CONTENT}",
            "get",
            request.path,
            headers=request.headers,
            args=ImmutableMultiDict(request.query),  # type: ignore[arg-type]
        )
        self._check(self._content_spec.iter_request_errors(asked))
        given = MockResponse(body, 200, {}, "application/json")
        self._check(self._content_spec.iter_response_errors(asked, given))
        return 200, {}, body


def content(sid: int, name: str, types: dict[str, Any], status: str, **more: Any) -> dict[str, Any]:
    """A content with its approval, as the Content API has them."""
    approval = {"name": name, "category": "UTILITY", "status": status, "rejection_reason": ""}
    return {
        "sid": f"HX{sid:032x}",
        "account_sid": ACCOUNT,
        "friendly_name": f"{name} (a draft)",
        "language": "en",
        "variables": {},
        "types": types,
        "approval_requests": approval | more.pop("approval", {}),
        "date_created": "2026-03-02T09:15:00Z",
        "date_updated": "2026-03-02T09:15:00Z",
        **more,
    }
