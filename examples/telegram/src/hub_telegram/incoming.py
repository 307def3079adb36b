"""What an update of Telegram means to the hub. Names in quotes are sections of the Bot API page."""

import re
from datetime import UTC, datetime

from hub import plugin as hub
from hub_telegram import api

SCHEME = "telegram:user"

# Where a message keeps its file, and what the file is called when the sender gave it no name. An
# animation is repeated as a document ("Message"), so it comes first.
FILES = {
    "animation": ("animation.mp4", "video/mp4"),
    "video": ("video.mp4", "video/mp4"),
    "video_note": ("video-note.mp4", "video/mp4"),
    "voice": ("voice.ogg", "audio/ogg"),
    "audio": ("audio.mp3", "audio/mpeg"),
    "sticker": ("sticker.webp", None),
    "document": ("document", None),
}


def identity(chat: int, message: int) -> str:
    """The id of a message to the hub. Telegram counts messages for each chat anew ("Message"), so
    the chat belongs to it."""
    return f"{chat}/{message}"


def message_id(identity: str) -> int | None:
    """Telegram's own number of a message, of its id to the hub."""
    found = re.fullmatch(r"-?[0-9]{1,16}/([0-9]{1,16})", identity)
    return int(found[1]) if found else None


def events(update: api.Update) -> tuple[hub.Event, ...] | str:
    """The events of ``update``, or in words why there are none. Raises ``Malformed`` for a message
    from nobody."""
    written = update.message or update.edited_message
    if written is not None:
        if written.chat.type != "private":
            return f"written in a {written.chat.type}; the channel is for private chats"
        return (message(written),) if update.message else edited(written)
    if update.my_chat_member is not None:
        return membership(update.my_chat_member)
    return "an update of a kind that the channel has no use for"


def message(written: api.Message) -> hub.Message:
    """A new message of a private chat."""
    if written.sender is None:
        raise hub.Malformed("a message in a private chat is from nobody")
    answered = written.reply_to_message
    return hub.Message(
        external_id=identity(written.chat.id, written.message_id),
        sender=(address(written.chat.id, written.sender.username),),
        sender_name=written.sender.name or None,
        text=words(written),
        media=media(written),
        facts=facts(written),
        occurred_at=moment(written.date),
        reply_to=identity(written.chat.id, answered.message_id) if answered else None,
        automatic=written.sender.is_bot,
    )


def edited(written: api.Message) -> tuple[hub.Event, ...] | str:
    """A message that now reads otherwise. A live location that moves is told as an edit, too, and
    has no words."""
    if written.location is not None:
        return "a live location moved"
    changed = moment(written.edit_date or written.date)
    key = identity(written.chat.id, written.message_id)
    return (hub.Edited(external_id=key, text=words(written), occurred_at=changed),)


def membership(changed: api.MemberUpdated) -> tuple[hub.Event, ...] | str:
    """In a private chat this says that the customer blocked the bot, or let it write again
    ("Update", my_chat_member)."""
    if changed.chat.type != "private":
        return f"the bot's place in a {changed.chat.type} changed"
    who, when = address(changed.chat.id), moment(changed.date)
    if changed.new_chat_member.status == "kicked":
        return (hub.OptOut(address=who, how="blocked the bot", occurred_at=when),)
    if changed.new_chat_member.status == "member":
        return (hub.OptIn(address=who, how="unblocked the bot", occurred_at=when),)
    return "the bot's place in a private chat changed"


def address(chat: int, username: str | None = None) -> hub.Address:
    """Who a private chat is with: its id is the user's."""
    return hub.Address(scheme=SCHEME, value=str(chat), display=f"@{username}" if username else None)


def words(written: api.Message) -> str:
    """The text, or the caption of a file; a sticker counts for its emoji."""
    sticker = written.sticker.emoji if written.sticker else None
    return written.text or written.caption or sticker or ""


def media(written: api.Message) -> tuple[hub.MediaRef, ...]:
    """The file of a message; it has one at most."""
    if written.photo:
        largest = max(written.photo, key=lambda size: size.width * size.height)
        return (reference(largest, "photo.jpg", "image/jpeg"),)
    for field, (name, kind) in FILES.items():
        file: api.File | None = getattr(written, field)
        if file is not None:
            return (reference(file, name, kind),)
    return ()


def reference(file: api.File, name: str, kind: str | None) -> hub.MediaRef:
    """Where the hub finds ``file``."""
    return hub.MediaRef(
        provider_id=file.file_id,
        name=file.file_name or name,
        content_type=file.mime_type or kind,
        size=file.file_size,
    )


def facts(written: api.Message) -> dict[str, str]:
    """What a message tells without words: a place, somebody's card."""
    found: dict[str, str] = {}
    if written.venue is not None:
        found |= {"Place": written.venue.title, "Address": written.venue.address}
    if written.location is not None:
        found["Location"] = f"{written.location.latitude}, {written.location.longitude}"
    if written.contact is not None:
        card = written.contact
        found["Contact"] = f"{card.first_name} {card.last_name}".strip()
        found["Phone"] = card.phone_number
    return found


def moment(seconds: int) -> datetime:
    """Unix time, as the Bot API tells time."""
    return datetime.fromtimestamp(seconds, UTC)
