"""Files: what MMS carries, and fetching what came in."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from hub.plugin import (
    Attachment,
    Context,
    CredentialsInvalid,
    FetchedMedia,
    MediaLimits,
    MediaRef,
    OutcomeUnknown,
    Permanent,
    Temporary,
)
from hub_sms_twilio.account import Account

LIMITS = MediaLimits(
    max_bytes=5_000_000,
    max_count=10,
    max_total=5_000_000,
    types=("image/*", "video/*", "audio/*", "text/*", "application/pdf"),
)
"""Five megabytes a message, ten files (Twilio docs, messaging/guides/accepted-mime-types)."""

ADAPTED = frozenset({"image/jpeg", "image/png", "image/gif"})
MAX_OTHER = 500_000
"""What Twilio does not adapt itself may have half a megabyte (the same page)."""

MAX_INBOUND = 20_000_000
REDIRECTS = 3


def problem(attachments: Sequence[Attachment], limits: MediaLimits) -> Permanent | None:
    """Why these files cannot go out together; ``None`` when they can."""
    if len(attachments) > limits.max_count:
        return Permanent("too_large", f"{len(attachments)} files: at most {limits.max_count} go")
    for each in attachments:
        if not any(fnmatchcase(each.content_type, pattern) for pattern in limits.types):
            return Permanent("unsupported_content", f"MMS does not carry {each.content_type}")
        if each.content_type not in ADAPTED and each.size > MAX_OTHER:
            return Permanent("too_large", f"{each.content_type} may have at most 500 kB")
    if sum(each.size for each in attachments) > limits.max_bytes:
        return Permanent("too_large", "The files have more than 5 MB together")
    return None


async def fetch(
    ctx: Context, ref: MediaRef, account: Account, *, max_bytes: int = MAX_INBOUND
) -> FetchedMedia:
    """A file that came in, of at most ``max_bytes``. Twilio wants the account's credentials for it
    (docs, messaging/api/media-resource) and redirects to a signed address of a store, which wants
    none: they go to Twilio's hosts and nowhere else."""
    if not is_twilios(ref.url):
        raise Permanent("policy", "The file is not at Twilio")
    try:
        response = await ctx.http.request(
            "GET",
            ref.url or "",
            auth=account.credentials,
            max_bytes=max_bytes,
            timeout=60.0,
            redirects=REDIRECTS,
        )
    except OutcomeUnknown as error:  # nothing is changed by asking again
        raise Temporary("the connection to Twilio broke") from error
    if response.status == 200:
        return FetchedMedia(
            body=response.body,
            name=_name(response.headers.get("content-disposition")),
            content_type=response.headers.get("content-type"),
        )
    if response.status == 401:
        raise CredentialsInvalid("Twilio refuses the credentials")
    if response.status == 403:  # of this file alone: no reason to pause the channel
        raise Permanent("configuration", "Twilio does not allow the file to be fetched")
    if response.status in {404, 408, 429} or response.status >= 500:
        # A file may be announced before it can be fetched.
        raise Temporary(f"Twilio has no file yet (HTTP {response.status})")
    raise Permanent("other", f"Twilio refused the file (HTTP {response.status})")


def is_twilios(url: str | None) -> bool:
    """Whether an address is one of Twilio's, which may be given the credentials."""
    try:
        parts = urlsplit(url or "")
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme == "https" and host.endswith(".twilio.com")


def _name(disposition: str | None) -> str | None:
    """The base name in ``Content-Disposition``."""
    if not disposition:
        return None
    header = EmailMessage()
    try:
        header["Content-Disposition"] = disposition
        name = header.get_filename() or ""
    except (ValueError, AttributeError, IndexError):
        return None
    return PurePosixPath(name.replace("\\", "/")).name or None
