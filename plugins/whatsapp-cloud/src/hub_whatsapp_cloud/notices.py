"""What Meta tells of templates, of the number and of the account."""

from __future__ import annotations

from typing import Literal

from hub.plugin import ChannelNotice, TemplateChanged
from hub_whatsapp_cloud import people
from hub_whatsapp_cloud.payload import AccountNews, TemplateNews
from hub_whatsapp_cloud.settings import Settings

State = Literal["ok", "degraded", "transient", "needs_attention"]

FIELDS = frozenset(
    {
        "account_alerts",
        "account_review_update",
        "account_update",
        "business_capability_update",
        "phone_number_name_update",
        "phone_number_quality_update",
        "security",
    }
)
NO_REASON = frozenset({"", "NONE"})

STATES: dict[str, State] = {
    "ACCOUNT_DELETED": "needs_attention",
    "ACCOUNT_OFFBOARDED": "needs_attention",
    "ACCOUNT_RECONNECTED": "ok",
    "ACCOUNT_RESTRICTION": "degraded",
    "ACCOUNT_VIOLATION": "degraded",
    "DISABLE": "needs_attention",
    "DOWNGRADE": "degraded",
    "FLAGGED": "degraded",
    "PARTNER_REMOVED": "needs_attention",
    "REINSTATE": "ok",
    "SCHEDULE_FOR_DISABLE": "degraded",
    "UNFLAGGED": "ok",
    "UPGRADE": "ok",
}
"""What follows for the channel from the event, or from how an account is banned."""


def of_template(field: str, news: TemplateNews) -> TemplateChanged:
    """A template's approval, category or quality has changed."""
    reason = None if (news.reason or "") in NO_REASON else news.reason
    if news.event:
        return TemplateChanged(name=news.message_template_name, state=news.event, reason=reason)
    if news.new_quality_score:
        state = f"quality {news.new_quality_score}"
    elif news.new_category:
        state = f"category {news.new_category}"
    else:
        state = field.removeprefix("message_template_").removeprefix("template_")
    return TemplateChanged(name=news.message_template_name, state=state, reason=reason)


def of_account(field: str, news: AccountNews, settings: Settings) -> ChannelNotice | str:
    """A notice of the channel; or why it is none, where it is about another number."""
    number = news.display_phone_number or (news.phone_number if "phone_number" in field else None)
    if number is not None and people.phone(number) != people.phone(settings.number):
        return "it is about another number than this channel's"
    ban = news.ban_info.waba_ban_state if news.ban_info is not None else None
    state = STATES.get(ban or news.event or "")
    if news.alert_severity == "CRITICAL":
        state = "degraded"
    return ChannelNotice(text=_words(field, news)[:300], state=state)


def _words(field: str, news: AccountNews) -> str:
    about = field.removesuffix("_update").replace("_", " ")
    told = [
        news.event,
        news.decision,
        news.alert_type,
        news.alert_description,
        news.current_limit,
        news.requested_verified_name,
        None if (news.rejection_reason or "") in NO_REASON else news.rejection_reason,
        news.ban_info.waba_ban_state if news.ban_info is not None else None,
        news.ban_info.waba_ban_date if news.ban_info is not None else None,
        news.violation_info.violation_type if news.violation_info is not None else None,
        *(restriction.restriction_type for restriction in news.restriction_info),
    ]
    return f"Meta on the {about}: {', '.join(one for one in told if one) or 'something changed'}"
