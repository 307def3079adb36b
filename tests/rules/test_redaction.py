"""What is shown of a request, and what is not."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.plugin.kit.secrets import as_written, redact
from hub.rules import redaction

SECRET = st.text(min_size=4, max_size=30).filter(lambda text: text.strip("*") != "")
TEXT = st.text(max_size=60)


@pytest.mark.parametrize(
    "name",
    ["Authorization", "Proxy-Authorization", "Cookie", "X-Twilio-Signature", "X-Hub-Signature-256",
     "svix-signature", "X-Api-Key", "X-Goog-Channel-Token", "X-Telegram-Bot-Api-Secret-Token",
     "X-Amz-Security-Token", "sig", "key", "password", "client_secret", "access_token"],
)  # fmt: skip
def test_what_would_let_somebody_forge_is_hidden_by_its_name(name: str) -> None:
    shown = redaction.header(name, "v-1", ())
    assert (shown.name, shown.value, shown.hidden) == (name, "***", True)
    assert redaction.address(f"https://hub.example/a?{name}=v-1&b=2", ()).endswith("=***&b=2")


@pytest.mark.parametrize("name", ["Content-Type", "User-Agent", "From", "To", "X-Request-Id"])
def test_what_explains_a_delivery_is_shown(name: str) -> None:
    shown = redaction.header(name, "v-1", ("other",))
    assert (shown.value, shown.hidden) == ("v-1", False)


def test_where_nobody_knows_the_secrets_only_what_can_be_none_is_shown() -> None:
    assert redaction.header("Content-Type", "text/plain", None).value == "text/plain"
    assert redaction.header("X-Shop", "value", None).value == "***"
    assert redaction.address("https://hub.example/a?b=2&c", None) == "https://hub.example/a?b=***&c"


@given(SECRET, TEXT, TEXT)
def test_a_secret_of_the_channels_stands_nowhere(secret: str, before: str, after: str) -> None:
    forms = as_written([secret])
    for text in (before + secret + after, secret * 2, before + secret):
        assert secret not in redact(text, forms)
        assert secret not in redaction.out_of_text(text, forms)
        shown = redaction.anywhere({"a": [text, 1, None], text: {"b": text}}, forms, 1_000)
        assert secret not in str(list(_texts(shown)))
        body = text.encode("utf-8", "surrogatepass")
        assert secret.encode("utf-8", "surrogatepass") not in redaction.out_of(body, forms)
        assert secret not in redaction.header("X-Any", text, forms).value
    query = urlencode({"any": secret})
    assert secret not in redaction.address(f"https://hub.example/?{query}", forms)


@given(st.data(), st.text('tok"/ üß€🙂\n', min_size=3, max_size=12))
def test_nor_however_it_is_spelt(data: st.DataObject, secret: str) -> None:
    """Every character for itself as it is, as an address has it, or as JSON does."""

    def spelt(character: str) -> str:
        utf16 = character.encode("utf-16-be").hex()
        units = "".join(f"\\u{utf16[at : at + 4]}" for at in range(0, len(utf16), 4))
        percent = "".join(f"%{byte:02X}" for byte in character.encode())
        ways = [character, units, units.upper().replace("U", "u"), percent, percent.lower()]
        return data.draw(st.sampled_from([*ways, json.dumps(character)[1:-1]]))

    written = "".join(map(spelt, secret))
    shown = redaction.out_of_text(f"<{written}>", as_written([secret]))
    assert shown == "<***>"


def test_a_secret_is_found_where_one_stretch_ends_and_the_next_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redaction, "_STRETCH", 10)
    for before in range(25):
        body = b"." * before + b"secret%2Dword" + b"." * 25
        wanted = b"." * before + b"***" + b"." * 25
        assert redaction.out_of(body, ("secret-word",)) == wanted
    assert redaction.out_of(b"aaaaaaaaaaaaaaaaaaaaaaaaab", ("aaab",)) == b"a" * 22 + b"***"


@given(st.lists(st.tuples(st.text("abc ü&=", min_size=1), st.text("xyz &=ü%"))))
def test_the_rest_of_an_address_stays_as_it_is(pairs: list[tuple[str, str]]) -> None:
    url = f"https://hub.example/hooks/main/one?{urlencode(pairs)}"
    shown = redaction.address(url, ())
    assert shown == url.rstrip("?") or shown == url
    assert parse_qsl(urlsplit(shown).query, keep_blank_values=True) == pairs


def test_long_texts_are_cut_and_say_so() -> None:
    assert redaction.anywhere(["x" * 25], (), 20) == ["x" * 20 + "… (5 more characters)"]
    assert redaction.anywhere("\ud800\x00a", (), 20) == "?a", "what no answer could carry"


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []
