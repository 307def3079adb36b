"""What a push service carries: the example of RFC 8291, and what is read back."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from hub.flow.push import encrypted
from hub.rules.pushes import Subscription, decoded
from tests.standins.push import HOST, Browser, Taken, b64, unb64

# RFC 8291, appendix A.
TEXT = b"When I grow up, I want to be a watermelon"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
RECEIVER = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
POINT = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS"
    "6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qu"
    "lcy4a-fN"
)


def subscription(browser: Browser) -> Subscription:
    return Subscription(endpoint="", p256dh=b64(browser.point), auth=b64(browser.auth))


@pytest.mark.feature("ALRT-03")
def test_the_example_of_the_standard_comes_out_to_the_byte() -> None:
    to = Subscription(endpoint="https://push.example.net/push/x", p256dh=POINT, auth=AUTH)
    body = encrypted.encrypt(TEXT, to, own=encrypted.private_key(SENDER), salt=decoded(SALT))
    assert b64(body) == BODY
    assert Browser(encrypted.private_key(RECEIVER), unb64(AUTH)).read(body) == TEXT


@given(st.binary(max_size=encrypted.LONGEST))
def test_a_browser_reads_what_is_encrypted_for_it(text: bytes) -> None:
    browser = Browser()
    body = encrypted.encrypt(text, subscription(browser))
    assert browser.read(body) == text
    assert len(body) == len(text) + 103


def test_what_is_longer_than_a_record_is_refused() -> None:
    to = subscription(Browser())
    assert len(encrypted.encrypt(b"x" * encrypted.LONGEST, to)) == encrypted.RECORD
    with pytest.raises(ValueError, match="3994 bytes are more than 3993"):
        encrypted.encrypt(b"x" * (encrypted.LONGEST + 1), to)


def test_no_two_messages_share_a_key() -> None:
    browser = Browser()
    first, second = (encrypted.encrypt(b"same", subscription(browser)) for _ in range(2))
    assert first[:16] != second[:16]
    assert first[21:86] != second[21:86]


def test_a_service_is_shown_who_sends_for_it_alone_and_for_a_while() -> None:
    kept = encrypted.new_key()
    key = encrypted.private_key(kept)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    now = 1_800_000_000_000_000  # far enough that nothing has expired yet
    header = encrypted.authorization(
        f"https://{HOST}/send/abc", key, "https://hub.example.com", now
    )
    claims, shown = Taken({"Authorization": header}, b"").shown_by()
    assert unb64(shown) == encrypted.public_bytes(key)
    assert claims["sub"] == "https://hub.example.com"
    assert 0 < claims["exp"] - now // 1000 <= 24 * 3600
