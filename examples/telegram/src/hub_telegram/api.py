"""The shapes of Telegram's Bot API that the channel reads.

Everything is named as on the page "Telegram Bot API" (https://core.telegram.org/bots/api); what the
channel does not use is left out. A field that does not fit makes the update ``Malformed``.
"""

from typing import Annotated, Generic, TypeVar

import msgspec

T = TypeVar("T")

# "Chat": an id has at most 52 significant bits; people and private chats are positive.
Number = Annotated[int, msgspec.Meta(ge=-(2**52), le=2**52)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**36)]  # "Message": Unix time


class User(msgspec.Struct, frozen=True):
    """Somebody, as "User" says."""

    id: Number
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str | None = None

    @property
    def name(self) -> str:
        """What they call themselves."""
        return f"{self.first_name} {self.last_name}".strip()


class Chat(msgspec.Struct, frozen=True):
    """Where something was written. ``type``: private, group, supergroup or channel."""

    id: Number
    type: str


class File(msgspec.Struct, frozen=True):
    """A file of any sort: a PhotoSize, Document, Voice, Video, Audio, VideoNote, Sticker, …"""

    file_id: str
    file_name: str | None = None
    mime_type: str | None = None
    file_size: Annotated[int, msgspec.Meta(ge=0)] | None = None
    emoji: str | None = None  # of a sticker
    width: int = 0
    height: int = 0


class Location(msgspec.Struct, frozen=True):
    """A point on the map, in degrees."""

    latitude: float
    longitude: float


class Venue(msgspec.Struct, frozen=True):
    """A place with a name."""

    title: str
    address: str


class Contact(msgspec.Struct, frozen=True):
    """Somebody's card."""

    phone_number: str
    first_name: str
    last_name: str = ""


class Replied(msgspec.Struct, frozen=True):
    """The message that is answered."""

    message_id: Number


class Message(msgspec.Struct, frozen=True):
    """A message, new or edited."""

    message_id: Number
    date: Seconds
    chat: Chat
    sender: User | None = msgspec.field(name="from", default=None)
    edit_date: Seconds | None = None
    text: str | None = None
    caption: str | None = None
    photo: tuple[File, ...] = ()  # the same picture in several sizes
    animation: File | None = None
    audio: File | None = None
    document: File | None = None
    sticker: File | None = None
    video: File | None = None
    video_note: File | None = None
    voice: File | None = None
    contact: Contact | None = None
    location: Location | None = None
    venue: Venue | None = None
    reply_to_message: Replied | None = None


class Member(msgspec.Struct, frozen=True):
    """What somebody is in a chat: member, kicked, left and others."""

    status: str


class MemberUpdated(msgspec.Struct, frozen=True):
    """The bot's own place in a chat changed."""

    chat: Chat
    date: Seconds
    new_chat_member: Member


class Update(msgspec.Struct, frozen=True):
    """What a webhook is sent: one of these, or something that the channel has no use for."""

    update_id: Number
    message: Message | None = None
    edited_message: Message | None = None
    my_chat_member: MemberUpdated | None = None


class Parameters(msgspec.Struct, frozen=True):
    """What an error says to machines ("ResponseParameters")."""

    retry_after: float | None = None


class Sent(msgspec.Struct, frozen=True):
    """A message that the bot sent."""

    message_id: Number
    chat: Chat


class Stored(msgspec.Struct, frozen=True):
    """A file that is ready to be fetched ("File"): its path, which works for an hour at least."""

    file_path: str


class Webhook(msgspec.Struct, frozen=True):
    """Where updates go ("WebhookInfo"). ``url`` is empty when they go nowhere."""

    url: str


class Result(msgspec.Struct, Generic[T], frozen=True):
    """The answer to a request that worked."""

    result: T


class Failure(msgspec.Struct, frozen=True):
    """The answer to a request that came to nothing."""

    error_code: int
    description: str = ""
    parameters: Parameters = Parameters()
