"""What the Cloud API takes (Meta docs, business-phone-numbers/media, 2026)."""

from __future__ import annotations

from hub.plugin import MediaLimits
from hub_whatsapp_cloud import templates
from hub_whatsapp_cloud.showing import PICTURES, STICKER, Carries

SOUNDS = ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg")
VIDEOS = ("video/mp4", "video/3gpp")
DOCUMENTS = (
    "application/pdf",
    "text/plain",
    "application/msword",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
)

CARRIES = Carries(
    limits=MediaLimits(
        max_bytes=100_000_000,
        max_count=10,
        types=(*PICTURES, STICKER, *SOUNDS, *VIDEOS, *DOCUMENTS),
    ),
    sizes=(
        (STICKER, 500_000),
        ("image/*", 5_000_000),
        ("audio/*", 16_000_000),
        ("video/*", 16_000_000),
    ),
    max_length=4096,
    pack=templates.pack,
)
"""A message carries one file; several go out one after the other, ten at most."""
