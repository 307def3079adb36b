"""What WhatsApp by Twilio takes (Twilio docs, messaging/guides/accepted-mime-types, July 2026)."""

from __future__ import annotations

from hub_whatsapp_cloud.limits import DOCUMENTS, SOUNDS, VIDEOS
from hub_whatsapp_cloud.showing import PICTURES, STICKER, Carries

from hub.plugin import MediaLimits
from hub_whatsapp_twilio import templates

CARRIES = Carries(
    limits=MediaLimits(
        max_bytes=16_000_000,
        max_count=10,
        types=(*PICTURES, STICKER, *SOUNDS, *VIDEOS, *DOCUMENTS, "text/vcard"),
    ),
    sizes=((STICKER, 500_000), ("image/*", 5_000_000)),
    max_length=1600,
    pack=templates.pack,
)
"""A message carries one file; several go out one after the other, ten at most. A ``Body`` has 1,600
characters at most (Twilio's OpenAPI document)."""
