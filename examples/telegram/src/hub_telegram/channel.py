"""The channel: its settings, what it can do, and its hooks.

What Telegram does is as the page "Telegram Bot API" says, https://core.telegram.org/bots/api; names
in quotes are its sections.
"""

import json
import re
from typing import Any

import msgspec

from hub import plugin as hub
from hub.plugin import reading, rendering
from hub_telegram import api, incoming, outgoing

HEADER = "X-Telegram-Bot-Api-Secret-Token"
TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{1,100}")
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")  # "setWebhook"
KEPT = 7 * 86_400  # seconds: which parts of a message are out, should it be given up half-way
PERSON = re.compile(r"[1-9][0-9]{0,15}")
DOWNLOAD_BYTES = 20 * 1024 * 1024  # "getFile": bots are given no larger file


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    token: hub.Secret  # of the bot, from @BotFather
    secret: hub.Secret  # the secret_token that setWebhook was given
    old_secrets: tuple[hub.Secret, ...] = ()  # accepted while the secret is being replaced


class Telegram:
    """Private chats with a bot."""

    INFO = hub.Info(
        name="telegram",
        role="channel",
        api="1.0",
        label="Telegram",
        icon=hub.Icon(name="send"),
        tone="blue",
        settings=Settings,
        can=hub.Capabilities(
            inbound=frozenset({"http"}),
            outbound=True,
            verifies="token",
            media_in=True,
            media_out=hub.MediaLimits(max_bytes=outgoing.FILE_BYTES, max_count=10),
            threading=True,
            splits=True,
            edits=True,
            opt_out=True,
        ),
        emits=frozenset({"message", "edited", "opt_out", "opt_in"}),
        address_scheme=incoming.SCHEME,
    )

    def __init__(self, settings: Settings) -> None:
        if not TOKEN.fullmatch(settings.token.reveal()):
            raise ValueError("token: not the token of a bot, as @BotFather gives it")
        for secret in (settings.secret, *settings.old_secrets):
            if not SECRET.fullmatch(secret.reveal()):
                raise ValueError("secret: Telegram takes 1 to 256 of A-Z, a-z, 0-9, _ and -")
        self.settings = settings

    @hub.hookimpl
    async def ingest(self, ctx: hub.Context, delivery: hub.Delivery) -> hub.IngestResult:
        """An update of the webhook."""
        keys = [self.settings.secret, *self.settings.old_secrets]
        proof = ctx.verify.token(keys=keys, header=HEADER)
        found = incoming.events(reading.read_json(delivery, api.Update))
        if isinstance(found, str):
            return hub.IngestResult(verification=proof, ignored=found)
        return hub.IngestResult(verification=proof, events=found)

    @hub.hookimpl
    async def send(self, ctx: hub.Context, message: hub.Outbound) -> hub.Accepted:
        """The parts of a message, one after the other. Which of several are out is kept, so that
        another attempt begins where this one ended."""
        _check(ctx, message)
        key, several = f"sent/{message.id}", len(message.wire) > 1
        kept = await ctx.kv.get(key) if several else None
        ids: list[str] = json.loads(kept.value) if kept else []
        for part in message.wire[len(ids) :]:
            try:
                ids.append(await self._send_part(ctx, message, part, first=not ids))
            except hub.HookError as error:
                error.accepted = tuple(ids)
                raise
            if several:
                await ctx.kv.put(key, json.dumps(ids), expires_in=KEPT)
        if several:
            await ctx.kv.delete(key)
        return hub.Accepted(external_id=ids[0], parts=tuple(ids) if several else (), status="sent")

    async def _send_part(
        self, ctx: hub.Context, message: hub.Outbound, part: hub.WirePart, *, first: bool
    ) -> str:
        """One message of Telegram's, and its id. The first one quotes what is answered."""
        wanted: dict[str, Any] = {"chat_id": int(message.address.value)}
        answered = incoming.message_id(message.reply_to) if first and message.reply_to else None
        if answered is not None:
            wanted["reply_parameters"] = {
                "message_id": answered,
                "allow_sending_without_reply": True,
            }
        if part.attachment_ids:
            answer = await self._upload(ctx, message, part, wanted)
        else:
            answer = await self._call(ctx, "sendMessage", json=wanted | {"text": part.text})
        made = outgoing.result(ctx, answer, api.Sent)
        return incoming.identity(made.chat.id, made.message_id)

    async def _upload(
        self, ctx: hub.Context, message: hub.Outbound, part: hub.WirePart, wanted: dict[str, Any]
    ) -> hub.HttpResponse:
        """A file with its caption ("Sending files"); what is no text goes as JSON."""
        (file,), method = part.attachment_ids, str(part.data["method"])
        if part.text:
            wanted["caption"] = part.text
        fields = [(k, v if isinstance(v, str) else json.dumps(v)) for k, v in wanted.items()]
        name = next((each.name for each in message.attachments if each.id == file), "file")
        field = method.removeprefix("send").lower()
        upload = hub.Upload(field=field, name=name, body=await ctx.media.open(file))
        return await self._call(ctx, method, form=fields, files=[upload])

    async def _call(self, ctx: hub.Context, method: str, **what: Any) -> hub.HttpResponse:
        """One request; the token is a part of its address ("Authorizing your bot")."""
        url = f"https://api.telegram.org/bot{self.settings.token.reveal()}/{method}"
        return await ctx.http.request("POST", url, timeout=25.0, **what)

    @hub.hookimpl
    async def fetch_media(self, ctx: hub.Context, ref: hub.MediaRef) -> hub.FetchedMedia:
        """A file, by the path that its id has for the next hour ("getFile")."""
        if ref.provider_id is None:
            raise hub.Permanent("policy", "this is no file of Telegram's")
        if ref.size is not None and ref.size > DOWNLOAD_BYTES:
            raise hub.Permanent("too_large", "Telegram gives bots no file over 20 MB")
        answer = await self._call(ctx, "getFile", json={"file_id": ref.provider_id})
        path = outgoing.result(ctx, answer, api.Stored).file_path
        url = f"https://api.telegram.org/file/bot{self.settings.token.reveal()}/{path}"
        file = await ctx.http.request("GET", url, timeout=25.0, max_bytes=DOWNLOAD_BYTES)
        if file.status != 200:
            raise hub.Temporary(f"the file is not to be had (HTTP {file.status})")
        return hub.FetchedMedia(body=file.body)

    @hub.hookimpl
    async def health(self, ctx: hub.Context) -> hub.Health:
        """Whether Telegram knows the token, and brings updates here."""
        outgoing.result(ctx, await self._call(ctx, "getMe"), api.User)
        to = outgoing.result(ctx, await self._call(ctx, "getWebhookInfo"), api.Webhook).url
        if to != ctx.public_url():
            reason = "the bot's webhook is not set to this channel: see setWebhook in the README"
            return hub.Health(state="needs_attention", reason=reason)
        return hub.Health()

    @hub.hookimpl
    def normalise_address(self, ctx: hub.Context, text: str) -> hub.Address:
        """A person's number. A name (@zoe) is none: a bot cannot look it up."""
        number = text.strip()
        if not PERSON.fullmatch(number):
            raise hub.BadAddress("a person on Telegram is a number, and has to write first")
        return incoming.address(int(number))

    @hub.hookimpl
    def render(self, ctx: hub.Context, item: hub.Item, surface: hub.Surface) -> hub.Rendered:
        """Words and files as they are; on the wire as many messages as Telegram needs."""
        shown = rendering.plain_text(item, surface, self.INFO.can)
        if surface not in ("composer", "wire"):
            return shown
        whole = rendering.plain_text(item, "wire", self.INFO.can).wire
        parts = tuple(p for one in whole for p in outgoing.parts(one, item.attachments))
        if surface == "wire":
            return msgspec.structs.replace(shown, wire=parts)
        if len(parts) > 1:
            more = (*shown.warnings, f"Goes out as {len(parts)} messages")
            return msgspec.structs.replace(shown, warnings=more)
        return shown


def _check(ctx: hub.Context, message: hub.Outbound) -> None:
    """What cannot go out is refused before anything has touched the network."""
    if message.kind != "message":
        raise hub.Unsupported(f"the channel sends no {message.kind}")
    if ctx.clock.now() >= message.deadline:
        raise hub.Temporary("the deadline has passed")
    if not PERSON.fullmatch(message.address.value):
        raise hub.Permanent("bad_address", "this is not the number of a person on Telegram")
    empty = not all(part.text.strip() or part.attachment_ids for part in message.wire)
    if empty or not message.wire:
        raise hub.Permanent("unsupported_content", "there is nothing to send")
