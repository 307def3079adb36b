"""Whatever a mail looks like, it gives events or is refused by name, and quickly."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hub_email import Email, addresses, ids, incoming, plain, words
from hub_email.settings import Settings
from hypothesis import given
from hypothesis import strategies as st

from hub.plugin import Delivery, IngestResult, Item, Malformed, Message, Receipt, Surface
from hub.plugin.kit.recorded import NOW, RecordedContext
from hub.plugin.types import Event

SETTINGS = Settings(address="help@example.com", smtp_host="smtp.example.com")
CTX = RecordedContext()
SURFACES: tuple[Surface, ...] = ("timeline", "preview", "composer", "wire", "notification")
NAMELESS = {
    "mimekit_delivery-status-multiple-blank-lines.eml",
    "mail_bad_encoded_subject.eml",
    "mimekit_feedback-report.eml",
    "nodemailer_mixed.eml",
} | {f"stalwart_malformed_{n:03}.eml" for n in (0, 2, 5, 8, 9, 12, 13, 16, 19)}
"""Mails of the corpus that name no sender, or are parts of mails: nobody is no sender."""


def read(body: bytes, settings: Settings = SETTINGS) -> IngestResult:
    return incoming.read(CTX, Delivery(body=body, received_at=NOW), settings)


def event(body: bytes, settings: Settings = SETTINGS) -> Event:
    (found,) = read(body, settings).events
    return found


def message(body: bytes, settings: Settings = SETTINGS) -> Message:
    found = event(body, settings)
    assert isinstance(found, Message)
    return found


def shown(one: Message) -> None:
    """Its words can be stored, and it can be rendered."""
    told = [one.text, one.subject or "", one.sender_name or "", *one.facts.values()]
    json.dumps(told, ensure_ascii=False).encode()
    item = Item(direction="in", text=one.text, subject=one.subject, html=one.html, facts=one.facts)
    for surface in SURFACES:
        Email(SETTINGS).render(item, surface)


def test_every_mail_of_the_corpus_is_read(fixtures_dir: Path) -> None:
    mails = sorted((fixtures_dir / "email_raw").rglob("*.eml"))
    assert mails
    refused: set[str] = set()
    for path in mails:
        try:
            result = read(path.read_bytes())
        except Malformed:
            refused.add(path.name)
            continue
        for each in result.events:
            if isinstance(each, Message):
                shown(each)
    assert refused == NAMELESS


@pytest.mark.parametrize(
    "name",
    ["sisimai_rfc3464-01", "sisimai_lhost-outlook-01", "sisimai_lhost-amazonses-01"],
)
@pytest.mark.feature("ROUT-05")
def test_a_real_bounce_is_no_message(name: str, fixtures_dir: Path) -> None:
    body = (fixtures_dir / f"email_raw/bounces/{name}.eml").read_bytes()
    returned = re.findall(rb"(?im)^message-id:\s*(<[^>\s]+>)", body)[-1]
    ours = ids.ours(ids.name_of("7", b"key"), "help@example.com")
    found = event(body.replace(returned, ours.encode()))
    assert isinstance(found, Receipt)
    assert (found.status, found.external_id) == ("failed", ours)
    # What somebody has sent past the hub comes back for a person to read.
    assert message(body).automatic


@pytest.mark.parametrize("number", [1, 2, 4, 6])
@pytest.mark.feature("ROUT-05")
def test_a_real_auto_reply_is_automatic(number: int, fixtures_dir: Path) -> None:
    path = fixtures_dir / f"email_raw/auto/sisimai_rfc3834-0{number}.eml"
    assert message(path.read_bytes()).automatic


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mail_japanese_shift_jis", "あいうえお"),
        ("mail_japanese_iso_2022", "すみません。"),
        ("mail_ks_c_5601-1987", "스티해"),
    ],
)
def test_other_charsets_are_read(name: str, text: str, fixtures_dir: Path) -> None:
    path = fixtures_dir / f"email_raw/charset/{name}.eml"
    assert message(path.read_bytes()).text.startswith(text)


@given(st.binary(max_size=2000))
def test_any_bytes_give_a_result_or_malformed(body: bytes) -> None:
    try:
        result = read(body)
    except Malformed:
        return
    for each in result.events:
        if isinstance(each, Message):
            shown(each)


PIECES = st.sampled_from(
    [
        b"From: zoe@customer.example\n",
        b"From: =?utf-8?b?8J+Y?= <zoe@customer.example>\n",
        b"To: a, b: c@d.example;, =?x?q?=3F?=\n",
        b"Message-ID: <a@b>\n",
        b"Subject: =?utf-7?q?+2AA-?=\n",
        b"Content-Type: multipart/mixed; boundary=b\n",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n",
        b"Content-Type: message/delivery-status\n",
        b"Content-Type: message/rfc822\n",
        b"Content-Type: text/plain; charset*0*=utf-8''%ff; charset=_iso-2022-jp$ESC\n",
        b"Content-Type: text/calendar; method=REQUEST\n",
        b"Content-Type: text/html; charset=idna\n",
        b"Content-Disposition: attachment; filename*1=\"b\"; filename*0*=x''%zz\n",
        b"Content-Transfer-Encoding: base64\n",
        b"Content-Transfer-Encoding: x-uuencode\n",
        b"Content-Transfer-Encoding: quoted-printable\n",
        b"\n",
        b"--b\n",
        b"--b--\n",
        b"Action: failed\nStatus: 5.1.1\n",
        b"BEGIN:VEVENT\nDTSTART:2026\nEND:VEVENT\n",
        b"<p>x<blockquote><![if",
        b"\xff\xfe\x00",
        b"=3D=\n",
        b"begin 644 x\nM$\n",
    ]
)


@given(st.lists(st.one_of(PIECES, st.binary(max_size=20)), max_size=40))
def test_any_mail_gives_a_result_or_malformed(pieces: list[bytes]) -> None:
    try:
        result = read(b"From: zoe@customer.example\n" + b"".join(pieces))
    except Malformed:
        return
    for each in result.events:
        if isinstance(each, Message):
            shown(each)


MIXED = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: text/plain; charset=idna\n\n",
        b"Content-Type: text/plain; charset*=idna''%ff\n\n",
        b'Content-Type: text/plain; charset="a\x00b"\n\n',
        b"Content-Type: multipart/mixed; boundary*=idna''%ff\n\n",
        MIXED + b"Content-Type: text/plain; charset=punycode\n\n",
    ],
)
def test_no_charset_of_a_part_loses_the_mail(head: bytes) -> None:
    one = message(HEAD + b"Subject: Roof\n" + head + b"Gr\xc3\xbc\xc3\x9fe from the roof \xff")
    assert one.subject == "Roof"
    assert "from the roof" in one.text or one.media


def test_a_file_is_known_as_the_html_of_its_mail_has_it() -> None:
    one = message(
        HEAD + b"Subject: Roof\nContent-Type: multipart/related; boundary=b\n\n--b\n"
        b'Content-Type: text/html\n\n<img src="cid:roof@phone">\n--b\n'
        b"Content-Type: image/png\nContent-ID: <roof@phone>\n\nP\n--b\n"
        b"Content-Type: application/pdf\n\nP\n--b--\n"
    )
    assert [file.content_id for file in one.media] == ["roof@phone", None]
    assert one.html is not None
    assert 'src="cid:roof@phone"' in one.html.html


@pytest.mark.parametrize(
    ("head", "own"),
    [
        (b"To: help@example.com, sales@example.com\nX-Original-To: sales@example.com\n", "sales"),
        (b"To: list@elsewhere.example\nX-Original-To: sales@example.com\n", "sales"),
        (b"X-Original-To: zoe@elsewhere.example\nTo: sales@example.com\n", "sales"),
        (b"Delivered-To: help@example.com\nTo: sales@example.com\n", "sales"),
        (b"Delivered-To: sales@example.com\nTo: list@elsewhere.example\n", "sales"),
        (b"To: list@elsewhere.example\n", "help"),
    ],
)
@pytest.mark.feature("ROUT-05")
def test_a_mail_came_to_the_address_that_servers_say_it_was_sent_to(head: bytes, own: str) -> None:
    settings = Settings(
        address="help@example.com", aliases=("sales@example.com",), smtp_host="smtp.example.com"
    )
    one = message(b"From: zoe@customer.example\nSubject: Hi\n" + head + b"\nHello", settings)
    assert one.own_address == f"{own}@example.com"


def test_mail_nested_without_end_is_a_file() -> None:
    level = b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"
    body = b"From: zoe@customer.example\nSubject: Deep\n" + b"".join(
        level % (n, n) for n in range(5000)
    )
    one = message(body)
    (file,) = one.media
    assert (one.subject, file.name, file.size) == ("Deep", "mail.eml", len(body))


@given(st.binary(max_size=300), st.text(max_size=20))
def test_no_charset_is_too_strange(body: bytes, charset: str) -> None:
    words.text_of(body, charset).encode()


@given(st.text(max_size=200))
def test_no_header_is_too_strange(value: str) -> None:
    words.decoded(value.encode("utf-8", "replace").decode()).encode()


@given(st.text(max_size=500))
def test_no_html_is_too_strange(html: str) -> None:
    plain.text_of(html)


@given(st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True))
def test_our_ids_name_their_transmission(transmission: str) -> None:
    name = ids.name_of(transmission, b"key")
    assert ids.transmission(ids.ours(name, "help@example.com")) == transmission
    assert addresses.token(addresses.tagged("help@example.com", name)) == name
    assert ids.name_of(transmission, b"another key") != name  # nobody else can make it


HEAD = b"From: zoe@customer.example\nTo: help@example.com\n"


@pytest.mark.feature("ROUT-05")
@pytest.mark.parametrize(
    ("headers", "answered"),
    [
        (b"In-Reply-To:\nReferences: <a@b> <c@d>\n", "<c@d>"),
        (b"In-Reply-To: <a@b> <c@d>\n", "<c@d>"),
        (b"In-Reply-To: a@b\n", "<a@b>"),
        (b"References: <a@b>\n <c@d>\n not an id\n", "<c@d>"),
        (b"Delivered-To: help+c_77@example.com\nIn-Reply-To: <a@b>\n", "<77.hub@example.com>"),
        (b"Delivered-To: help+c_77@elsewhere.example\n", None),
    ],
)
def test_an_answer_names_what_it_answers(headers: bytes, answered: str | None) -> None:
    assert message(HEAD + headers + b"\nFine.").reply_to == answered


def test_a_mail_without_an_id_has_the_same_one_each_time() -> None:
    one, other = message(HEAD + b"\nOne"), message(HEAD + b"\nTwo")
    assert one.external_id == message(HEAD + b"\nOne").external_id
    assert one.external_id != other.external_id


def test_a_forms_reply_to_is_the_customer() -> None:
    settings = Settings(
        address="help@example.com", smtp_host="smtp.example.com", forms=("form@example.org",)
    )
    body = b"From: Form <Form@Example.org>\nReply-To: Max <max@customer.example>\n\nHello"
    assert message(body, settings).sender[0].value == "max@customer.example"
    assert message(body).sender[0].value == "form@example.org"


@pytest.mark.feature("ROUT-05")
@pytest.mark.parametrize(
    ("reply_to", "sender"),
    [
        ("Max <max@customer.example>", "max@customer.example"),
        ("help+c_7.0123456789abcdef@example.com", None),
        ("help@example.com", None),
        ("", None),
    ],
)
def test_mail_from_an_own_address_is_a_forms_or_nobodys(reply_to: str, sender: str | None) -> None:
    head = f"From: Help <help@example.com>\nReply-To: {reply_to}\n\nHello"
    result = read(head.encode())
    senders = [each.sender[0].value for each in result.events if isinstance(each, Message)]
    assert senders == ([sender] if sender else [])
    assert (result.ignored is None) == bool(sender)


@pytest.mark.feature("ROUT-05")
def test_what_a_machine_of_a_hub_wrote_is_automatic() -> None:
    assert message(HEAD + b"X-Channel-Hub-Loop: info@elsewhere.example\n\nHello").automatic
    assert not message(HEAD + b"\nHello").automatic


def test_the_time_is_the_senders() -> None:
    at = message(HEAD + b"Date: Mon, 02 Mar 2026 09:15:00 +0100\n\nHello").occurred_at
    assert at == datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
    assert message(HEAD + b"Date: yesterday\n\nHello").occurred_at is None
