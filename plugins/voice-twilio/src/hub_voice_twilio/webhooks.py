"""What Twilio's webhooks say of a call.

Each says what it knows, whatever else has come: the hub adds it up, and of several outcomes takes
the one that says most. So the end of a call is "missed" here where nobody is known to have taken
it, and the ``<Dial>`` that was answered, or the voicemail, is told by itself.

Sources: Twilio docs, voice/twiml (voice, dial, record, connect) and voice/api/call-resource
(status callbacks), and recorded webhooks. New parameters appear without notice, so whatever is not
known is passed over.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

from hub_sms_twilio.forms import NOTHING_TO_SAY, SID, Form, ignored

from hub.plugin import (
    CallEnded,
    CallStarted,
    Context,
    Delivery,
    Event,
    IngestResult,
    Malformed,
    MediaRef,
    Recording,
    Reply,
    Transcript,
    Voicemail,
)
from hub_voice_twilio import numbers, twiml
from hub_voice_twilio.settings import Settings
from hub_voice_twilio.steps import At, at

Outcome = Literal["answered", "missed", "busy", "failed", "voicemail", "canceled"]

ENDED: dict[str, Outcome] = {
    "completed": "missed",
    "no-answer": "missed",
    "busy": "busy",
    "failed": "failed",
    "canceled": "canceled",
}
"""The final ones of ``CallStatus`` (call_enum_status of the OpenAPI document), of a call that came
in: ``completed`` says that Twilio has answered it, and nothing of who else has."""
OUTGOING: dict[str, Outcome] = {**ENDED, "completed": "answered"}
"""Of a call to a contact that another program has made."""
MADE: dict[str, Outcome] = {
    "completed": "canceled",
    "no-answer": "canceled",
    "busy": "canceled",
    "failed": "failed",
    "canceled": "canceled",
}
"""Of the first half of a call that a member makes, which rings the member: how the second half
ended is told by ``<Dial>``; without one the contact was never called."""
DIALLED: dict[str, Outcome] = {
    "completed": "answered",
    "answered": "answered",
    "no-answer": "missed",
    "busy": "busy",
    "failed": "failed",
    "canceled": "canceled",
}
"""``DialCallStatus``."""
UNDER_WAY = frozenset({"queued", "initiated", "ringing", "in-progress", "answered"})
AT_WORK = frozenset({"in-progress", "paused", "stopped", "processing"})
"""``RecordingStatus`` of what cannot be fetched yet."""
SOUND = ".mp3"

START, RANG, AGENT, OVER = "start", "rang", "agent", "over"
"""What ``answering`` is asked: the call begins; the phones have rung, and whose turn it is now; the
assistant has ended; nobody waits any more."""


def read(ctx: Context, delivery: Delivery, settings: Settings) -> IngestResult:
    """The events of a verified delivery, and what Twilio is to do. Raises ``Malformed``."""
    form, where = Form(delivery.form()), at(delivery)
    account = form.get("AccountSid")
    if account and account != settings.account_sid:
        return ignored("it is for another account than this channel's")
    match where.step:
        case "accept":
            return _told("a member has picked up", twiml.accept(ctx, settings))
        case "accepted":
            return ignored("a member takes the call")
        case "announce":
            return _told("a contact has picked up", twiml.announce(settings))
        case "call":
            return _call(ctx, where, settings)
        case _:
            return _of_a_call(ctx, form, where, settings)


def _of_a_call(ctx: Context, form: Form, where: At, settings: Settings) -> IngestResult:
    if form.get("TranscriptionSid") or form.get("TranscriptionStatus"):
        return _written(form, where)
    if form.get("RecordingStatus"):
        return _recorded(form, where)
    call = _sid(form, where)
    match where.step:
        case "made":
            return _made(form, call)
        case "reached":
            return _reached(form, call, settings)
        case "left":
            return _left(form, call, settings)
        case "rang":
            return _asking(ctx, settings, call, *_rang(form, call, where))
        case "agent":
            return _asking(ctx, settings, call, *_agent(form, call))
        case _:
            return _status(ctx, form, call, settings)


def _told(why: str, reply: Reply) -> IngestResult:
    return IngestResult(ignored=why, reply=reply)


def _asking(
    ctx: Context, settings: Settings, call: str, question: str, events: tuple[Event, ...]
) -> IngestResult:
    """Twilio waits: what it is told, ``answering`` decides. Where that cannot be, callers can leave
    a message."""
    at_least = twiml.mailbox(ctx, settings, call, closed=False)
    reply = twiml.over(settings) if question == OVER else at_least
    return IngestResult(events=events, answer=f"{call}/{question}", reply=reply)


# ---- calls that come in


def _status(ctx: Context, form: Form, call: str, settings: Settings) -> IngestResult:
    """The call that begins, or how one is or ended."""
    status, direction = form.get("CallStatus"), form.get("Direction")
    if form.get("MessageSid") and not status:
        return ignored("it is a message; this channel takes calls")
    if direction == "outbound-dial" or form.get("ParentCallSid"):
        return ignored("it is of one half of a call, which the other tells of")
    inbound = not direction.startswith("outbound")
    outcome = (ENDED if inbound else OUTGOING).get(status)
    if outcome is None and status not in UNDER_WAY:
        return ignored(f"the status {status[:40]!r} is not known")
    events: tuple[Event, ...] = _started(form, call, inbound=inbound)
    if not events:
        raise Malformed("From and To are missing")
    if outcome is not None:
        talk = _seconds(form.get("CallDuration")) if outcome == "answered" else None
        ended = CallEnded(external_id=call, outcome=outcome, duration=talk, occurred_at=_time(form))
        return IngestResult(events=(*events, ended), reply=NOTHING_TO_SAY)
    if form.get("CallbackSource") or not inbound:
        return IngestResult(events=events, reply=NOTHING_TO_SAY)
    return _asking(ctx, settings, call, START, events)


def _started(form: Form, call: str, *, inbound: bool = True) -> tuple[Event, ...]:
    """The call, told with whatever is told of it: what comes first makes the entry."""
    if not (form.get("From") or form.get("To")):
        return ()
    customer, own = ("From", "To") if inbound else ("To", "From")
    return (
        CallStarted(
            external_id=call,
            direction="in" if inbound else "out",
            caller=numbers.caller(form.get(customer)),
            own_address=numbers.own(form.get(own)),
            occurred_at=_begun(form),
            caller_name=form.get("CallerName").strip()[:200] or None if inbound else None,
        ),
    )


def _rang(form: Form, call: str, where: At) -> tuple[str, tuple[Event, ...]]:
    """The phones of the staff have rung: what is to be asked, and what is known."""
    events = _started(form, call)
    if _bridged(form):
        talk = _seconds(form.get("DialCallDuration"))
        return OVER, (*events, CallEnded(external_id=call, outcome="answered", duration=talk))
    if form.get("CallStatus") in ENDED:  # the caller has not waited
        return OVER, (*events, CallEnded(external_id=call, outcome="missed"))
    return f"{RANG}/{where.turn}", events


def _bridged(form: Form) -> bool:
    """Whether both sides have spoken: a phone that was picked up and then refused the call, or a
    mailbox that pressed no key, is none."""
    answered = DIALLED.get(form.get("DialCallStatus")) == "answered"
    return answered and form.get("DialBridged").lower() != "false"


def _agent(form: Form, call: str) -> tuple[str, tuple[Event, ...]]:
    """The caller has spoken with the assistant. What that hands over, and what fails, goes to the
    staff."""
    events = _started(form, call)
    done = form.get("SessionStatus") in {"ended", "completed"} and not _handed_over(form)
    if not done and form.get("CallStatus") not in ENDED:
        return AGENT, events
    talk = _seconds(form.get("SessionDuration"))
    return OVER, (*events, CallEnded(external_id=call, outcome="answered", duration=talk))


def _handed_over(form: Form) -> bool:
    return form.get("HandoffData").strip() not in {"", "{}", "null"}


# ---- calls that members make


def _call(ctx: Context, where: At, settings: Settings) -> IngestResult:
    to = numbers.caller(where.to)
    if not to or not numbers.can_be_called(to[0]) or where.own not in settings.numbers:
        raise Malformed("the address names no call of this channel's")
    made = twiml.connect(ctx, settings, to=to[0].value, own=where.own)
    return _told("the member is there", twiml.reply(made))


def _made(form: Form, call: str) -> IngestResult:
    status = form.get("CallStatus")
    outcome = MADE.get(status)
    if outcome is None:
        return ignored(f"the member's phone: {status[:40]}")
    ended = CallEnded(external_id=call, outcome=outcome, occurred_at=_time(form))
    return IngestResult(events=(ended,), reply=NOTHING_TO_SAY)


def _reached(form: Form, call: str, settings: Settings) -> IngestResult:
    outcome = DIALLED.get(form.get("DialCallStatus"))
    if outcome is None:
        return _told("the contact's phone has not told how it went", twiml.over(settings))
    if outcome == "answered" and not _bridged(form):
        outcome = "missed"
    talk = _seconds(form.get("DialCallDuration")) if outcome == "answered" else None
    words = "" if outcome == "answered" else "The call was not answered."
    ended = CallEnded(external_id=call, outcome=outcome, duration=talk)
    return IngestResult(events=(ended,), reply=twiml.over(settings, words))


# ---- what is left of them


def _left(form: Form, call: str, settings: Settings) -> IngestResult:
    """A message was spoken. It can be fetched a moment later, and is told again then."""
    events = (*_started(form, call), *_message(form, call))
    return IngestResult(events=events, reply=twiml.over(settings))


def _message(form: Form, call: str) -> tuple[Event, ...]:
    length = _seconds(form.get("RecordingDuration"))
    if length == 0 or not form.get("RecordingUrl"):
        return ()  # hung up at the tone
    sound = _sound(form, "Voicemail")
    return (Voicemail(external_id=call, media=sound, duration=length),)


def _recorded(form: Form, where: At) -> IngestResult:
    status = form.get("RecordingStatus")
    if status in AT_WORK:
        return ignored(f"the recording is {status}")
    if status != "completed":
        return ignored(f"there is no recording: {status[:40]}")
    call = _sid(form, where)
    if where.step == "voicemail":
        events = _message(form, call)
        if not events:
            return ignored("nothing was said after the tone")
        return IngestResult(events=events, reply=NOTHING_TO_SAY)
    length = _seconds(form.get("RecordingDuration"))
    sound = _sound(form, "Recording")
    recording = Recording(external_id=call, media=sound, duration=length)
    return IngestResult(events=(recording,), reply=NOTHING_TO_SAY)


def _written(form: Form, where: At) -> IngestResult:
    status, text = form.get("TranscriptionStatus"), form.get("TranscriptionText")
    if status != "completed" or not text.strip():
        return ignored(f"nothing was written down: {status[:40] or 'no status'}")
    call = _sid(form, where)
    said: Event = Transcript(external_id=call, turns=((None, "customer", text),))
    if where.step == "words":
        said = Voicemail(external_id=call, media=None, text=text)
    return IngestResult(events=(said,), reply=NOTHING_TO_SAY)


def _sound(form: Form, name: str) -> MediaRef:
    """Where the sound lies. Twilio has it in two forms, and gives the address of neither."""
    url = form.get("RecordingUrl")
    if not url:
        raise Malformed("RecordingUrl is missing")
    if url.startswith("http://"):  # as Twilio wrote for years; it takes credentials by HTTPS alone
        url = f"https://{url.removeprefix('http://')}"
    base = url.removesuffix(SOUND).removesuffix(".wav")
    return MediaRef(url=base + SOUND, name=name + SOUND, content_type="audio/mpeg")


def _sid(form: Form, where: At) -> str:
    """The call's id: of the address where that has one, for what is told of a half of it, or of a
    recording, names the half or nothing."""
    call = where.call or form.get("CallSid")
    if not SID.fullmatch(call):
        raise Malformed("CallSid is missing" if not call else "CallSid is no id")
    return call


def _time(form: Form) -> datetime | None:
    """``Timestamp``, as in mail."""
    try:
        at = parsedate_to_datetime(form.get("Timestamp"))
        return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _begun(form: Form) -> datetime | None:
    """When the call began, of a callback that comes at its end."""
    at, lasted = _time(form), _seconds(form.get("CallDuration"))
    try:
        return at if at is None or lasted is None else at - timedelta(seconds=lasted)
    except OverflowError:
        return at


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
