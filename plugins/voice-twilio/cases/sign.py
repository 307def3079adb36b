"""Signs the cases: as Twilio does (HMAC-SHA1 by the auth token, over URL and sorted fields), and
reports of other agents by their own key."""

from __future__ import annotations

import base64
import hmac

from hub_voice_twilio.reports import is_report
from hub_voice_twilio.settings import Settings
from msgspec.structs import replace

from hub.plugin import Delivery


def sign(delivery: Delivery, settings: Settings) -> Delivery:
    """The delivery with the signature that belongs to it."""
    if is_report(delivery) and settings.reports is not None:
        key = settings.reports.keys[0].reveal().encode()
        proof = (settings.reports.header, hmac.new(key, delivery.body, "sha256").hexdigest())
    else:
        fields = "".join(name + value for name, value in sorted(set(delivery.form())))
        key = settings.auth_token.reveal().encode()
        digest = hmac.digest(key, (delivery.url + fields).encode(), "sha1")
        proof = ("X-Twilio-Signature", base64.b64encode(digest).decode())
    return replace(delivery, headers=(*delivery.headers, proof))
