"""Every route and the right it needs: a new one has no line here, and the walk fails until it has.

A line is the right (or several, any of which will do), then a body that gets past the shape of
what is asked. ``{thread_id}`` and the like stand for ids, in paths and in bodies alike.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from hub.edge.guards import IN_PERSON, PUBLIC, SIGNED_IN

VIEW, SEND, APPROVE = "messages.view", "messages.send", "messages.approve"
WRITE = (SEND, "messages.send_gated")
SETTINGS = "settings.manage"
CHANNELS, MEMBERS = "channels.manage", "members.manage"
FILES: Any = "files"
"""A body that is an upload."""


class Line(Struct, frozen=True):
    """What a route needs."""

    right: tuple[str, ...]
    body: Any = None
    query: dict[str, str] = {}


def line(*right: str, body: Any = None, **query: str) -> Line:
    """One of them."""
    return Line(right, body, query)


ORG = "/api/v1/organisations/{org}"
_CHANNEL = "/channels/{channel_id}"
_WRITTEN = {"channel_id": "front", "contact_id": "{contact_id}", "body": "x"}

ROUTES: dict[str, Line] = {
    "POST /api/v1/session": line(PUBLIC),
    "GET /api/v1/session/ways": line(PUBLIC),
    "POST /api/v1/session/second": line(PUBLIC),
    "DELETE /api/v1/session": line(IN_PERSON),
    "GET /api/v1/sessions": line(IN_PERSON),
    "DELETE /api/v1/sessions/{session_id}": line(IN_PERSON),
    "POST /api/v1/sessions/end-others": line(IN_PERSON),
    "GET /api/v1/me/push": line(IN_PERSON),
    "PUT /api/v1/me/push": line(IN_PERSON, body={}),
    "DELETE /api/v1/me/push": line(IN_PERSON),
    "GET /api/v1/me/second-factor": line(IN_PERSON),
    "POST /api/v1/me/second-factor/remove": line(IN_PERSON, body={}),
    "POST /api/v1/me/totp": line(IN_PERSON, body={}),
    "POST /api/v1/me/totp/confirm": line(IN_PERSON, body={}),
    "POST /api/v1/me/totp/remove": line(IN_PERSON, body={}),
    "POST /api/v1/me/passkeys": line(IN_PERSON, body={}),
    "POST /api/v1/me/passkeys/confirm": line(IN_PERSON, body={}),
    "PATCH /api/v1/me/passkeys/{passkey_id}": line(IN_PERSON, body={"name": "x"}),
    "POST /api/v1/me/passkeys/{passkey_id}/remove": line(IN_PERSON, body={}),
    "POST /api/v1/session/passkey": line(PUBLIC),
    "POST /api/v1/session/passkey/use": line(PUBLIC),
    "POST /api/v1/session/second/passkey": line(PUBLIC),
    "POST /api/v1/session/second/passkey/use": line(PUBLIC),
    "POST /api/v1/me/recovery-codes": line(IN_PERSON, body={}),
    "POST /api/v1/password-resets": line(PUBLIC),
    "POST /api/v1/password-resets/look": line(PUBLIC),
    "POST /api/v1/password-resets/use": line(PUBLIC),
    "POST /api/v1/invitations/look": line(PUBLIC),
    "POST /api/v1/invitations/accept": line(PUBLIC),
    "POST /api/v1/invitations/join": line(IN_PERSON, body={}),
    "GET /api/v1/me": line(SIGNED_IN),
    "PATCH /api/v1/me": line(IN_PERSON, body={}),
    "POST /api/v1/me/password": line(IN_PERSON, body={}),
    "GET /healthz": line(PUBLIC),
    "GET /readyz": line(PUBLIC),
    "GET /metrics": line(PUBLIC),
    **{
        f"{method} {ORG}{rest}": needed
        for method, rest, needed in (
            ("GET", "/threads", line(VIEW)),
            ("GET", "/threads/counts", line(VIEW)),
            ("GET", "/threads/{thread_id}", line(VIEW)),
            ("PATCH", "/threads/{thread_id}", line(VIEW, body={"assignee_id": "{member_id}"})),
            ("GET", "/threads/{thread_id}/entries", line(VIEW)),
            ("POST", "/threads/{thread_id}/read", line(VIEW, body={"up_to": "{entry_id}"})),
            ("POST", "/threads/{thread_id}/unread", line(VIEW)),
            ("POST", "/threads/{thread_id}/notes", line(VIEW, body={"body": "x"})),
            ("POST", "/threads/{thread_id}/preview", line(*WRITE, body=_WRITTEN)),
            (
                "POST",
                "/threads/{thread_id}/messages",
                line(
                    *WRITE,
                    body={
                        **_WRITTEN,
                        "reply_to": "{entry_id}",
                        "attachment_ids": ["{attachment_id}"],
                    },
                ),
            ),
            (
                "POST",
                "/threads/{thread_id}/calls",
                line(*WRITE, body={"channel_id": "front", "contact_id": "{contact_id}"}),
            ),
            (
                "POST",
                "/messages",
                line(*WRITE, body={"channel_id": "front", "to": "+1", "body": "x"}),
            ),
            (
                "POST",
                "/messages/preview",
                line(*WRITE, body={"channel_id": "front", "to": "+1", "body": "x"}),
            ),
            ("GET", "/contacts", line(VIEW)),
            ("GET", "/contacts/{contact_id}", line(VIEW)),
            ("PATCH", "/contacts/{contact_id}", line(*WRITE, body={"account": "x"})),
            ("GET", "/contacts/{contact_id}/consent", line(VIEW)),
            (
                "POST",
                "/contacts/{contact_id}/consent",
                line(*WRITE, body={"channel_id": "front", "state": "out"}),
            ),
            ("GET", "/approvals", line(APPROVE)),
            ("GET", "/approvals/{approval_id}", line(APPROVE)),
            ("POST", "/approvals/{approval_id}/approve", line(APPROVE, body={})),
            ("POST", "/approvals/{approval_id}/reject", line(APPROVE, body={"reason": "x"})),
            ("POST", "/approvals/{approval_id}/withdraw", line(VIEW)),
            ("GET", "/settings", line(VIEW, SETTINGS)),
            ("PATCH", "/settings", line(SETTINGS, body={})),
            ("GET", "/entries/{entry_id}", line(VIEW)),
            ("GET", "/entries/{entry_id}/picture", line(VIEW, url="https://example.com/a.png")),
            ("POST", "/entries/{entry_id}/correct", line(VIEW, body={"body": "x"})),
            ("POST", "/entries/{entry_id}/cancel", line(*WRITE)),
            ("POST", "/entries/{entry_id}/retry", line(SEND)),
            ("POST", "/entries/{entry_id}/resolve", line(SEND, body={"outcome": "sent"})),
            ("POST", "/entries/{entry_id}/follow-up", line(SEND, body={"done": True})),
            (
                "POST",
                "/entries/{entry_id}/reassign",
                line(SEND, body={"contact_id": "{contact_id}"}),
            ),
            ("POST", "/attachments", line(*WRITE, body=FILES)),
            ("GET", "/attachments/{attachment_id}", line(VIEW)),
            ("GET", "/changes", line(VIEW, since="0")),
            ("WS", "/stream", line(VIEW)),
            ("GET", "/jobs", line(VIEW)),
            ("GET", "/jobs/{job_id}", line(VIEW)),
            ("POST", "/jobs/{job_id}/cancel", line(VIEW)),
            ("GET", "/channels", line(VIEW, CHANNELS, MEMBERS)),
            ("POST", f"{_CHANNEL}/pause", line(CHANNELS)),
            ("POST", f"{_CHANNEL}/resume", line(CHANNELS)),
            ("POST", f"{_CHANNEL}/check", line(CHANNELS)),
            ("GET", f"{_CHANNEL}/templates", line(*WRITE, CHANNELS)),
            ("GET", f"{_CHANNEL}/deliveries", line(CHANNELS)),
            ("GET", f"{_CHANNEL}/deliveries/counts", line(CHANNELS)),
            ("POST", f"{_CHANNEL}/deliveries/replay", line(CHANNELS)),
            ("GET", f"{_CHANNEL}/deliveries/{{delivery_id}}", line(CHANNELS)),
            ("GET", f"{_CHANNEL}/deliveries/{{delivery_id}}/body", line(CHANNELS)),
            ("POST", f"{_CHANNEL}/deliveries/{{delivery_id}}/dry-run", line(CHANNELS)),
            ("POST", f"{_CHANNEL}/deliveries/{{delivery_id}}/replay", line(CHANNELS)),
            ("GET", "/members", line(VIEW, MEMBERS)),
            ("GET", "/membership", line(VIEW)),
            ("PATCH", "/membership", line(VIEW, body={})),
            ("PATCH", "/members/{member_id}", line(MEMBERS, body={"role_id": "{role_id}"})),
            ("POST", "/members/{member_id}/deactivate", line(MEMBERS)),
            ("POST", "/members/{member_id}/reactivate", line(MEMBERS)),
            ("POST", "/members/{member_id}/password-reset", line(MEMBERS)),
            ("POST", "/members/{member_id}/second-factor/reset", line(MEMBERS)),
            ("GET", "/members/invitations", line(MEMBERS)),
            (
                "POST",
                "/members/invitations",
                line(MEMBERS, body={"email": "x@example.com", "role_id": "{role_id}"}),
            ),
            ("POST", "/members/invitations/{invitation_id}/send", line(MEMBERS)),
            ("DELETE", "/members/invitations/{invitation_id}", line(MEMBERS)),
            ("GET", "/roles", line(MEMBERS)),
            (
                "POST",
                "/roles",
                line(MEMBERS, body={"name": "x", "capabilities": [], "channels": ["{channel_id}"]}),
            ),
            ("PATCH", "/roles/{role_id}", line(MEMBERS, body={"channels": ["{channel_id}"]})),
            ("DELETE", "/roles/{role_id}", line(MEMBERS)),
            ("GET", "/tokens", line(SIGNED_IN)),
            ("POST", "/tokens", line(IN_PERSON, body={"name": "x", "capabilities": []})),
            ("DELETE", "/tokens/{token_id}", line(SIGNED_IN)),
            ("GET", "/audit", line("audit.view")),
        )
    },
}

PAGES = (
    "/",
    "/messages",
    "/messages/{rest}",
    "/deliveries",
    "/settings",
    "/settings/{rest}",
    "/account",
    "/approvals",
    "/forgot",
    "/join",
    "/reset",
    "/assets/{name}",
    "/favicon.svg",
    "/favicon.ico",
    "/icon.svg",
    "/icon-192.png",
    "/icon-512.png",
    "/icon-maskable-192.png",
    "/icon-maskable-512.png",
    "/robots.txt",
    "/worker.js",
)
UNDOCUMENTED: dict[str, Line] = {
    **{f"{method} {page}": line(PUBLIC) for page in PAGES for method in ("GET", "HEAD")},
    "GET /sign-in/{provider_id}": line(PUBLIC),
    "GET /sign-in/{provider_id}/back": line(PUBLIC),
    "GET /api": line(PUBLIC),
    "GET /api/{path}": line(PUBLIC),
    "GET /api/docs": line(PUBLIC),
    "GET /api/openapi.json": line(PUBLIC),
    "GET /media/{attachment_id}/{until}/{signature}": line(PUBLIC),
    "HEAD /media/{attachment_id}/{until}/{signature}": line(PUBLIC),
    f"HEAD {ORG}/attachments/{{attachment_id}}": line(VIEW),
}
"""The pages, and what the document does not tell of."""

PLUGINS: dict[str, dict[str, str]] = {
    "hub_simulator": {
        **dict.fromkeys(
            (
                "GET phone",
                "GET phone.svg",
                "GET phone.css",
                "GET phone.js",
                "GET mailbox.js",
                "GET telephone.js",
                "GET naming.js",
                "GET messenger.js",
                "GET hub.js",
                "GET draw.js",
                "GET pictures.js",
                "GET setup",
                "GET events",
                "GET picture",
                "GET attachment",
            ),
            VIEW,
        ),
        **dict.fromkeys(
            (
                "POST texts",
                "POST seen",
                "POST behaviour",
                "POST demo",
                "POST pictures",
                "POST name",
                "POST reactions",
                "POST mail",
                "POST calls",
                "POST call",
            ),
            SEND,
        ),
    },
    "hub_email": dict.fromkeys(("GET open", "GET click", "GET out", "POST out", "POST in"), PUBLIC),
    "hub_voice_twilio": {"WS relay": PUBLIC},
}
"""The routes of the bundled plugins, by package."""
