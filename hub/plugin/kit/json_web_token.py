"""JSON Web Tokens, checked with PyJWT. Times are compared here, with the plugin's own clock."""

from __future__ import annotations

import hashlib
import hmac
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jwt
from msgspec import Struct

from hub.plugin.context import JwtAlgorithm
from hub.plugin.errors import Unverified
from hub.plugin.settings import Secret

# How long a shared secret is was the provider's choice.
warnings.filterwarnings("ignore", category=jwt.InsecureKeyLengthWarning)

LEEWAY = 60.0
"""Seconds that clocks may be apart."""


class Rules(Struct, frozen=True, kw_only=True):
    """What a token has to be; see ``hub.plugin.Verify.jwt``."""

    algorithms: tuple[JwtAlgorithm, ...]
    audience: str | None
    issuer: str | None
    body_hash: str | None
    tolerance: float


class Candidate(Struct, frozen=True):
    """A key, and what it is called: ``id``, where the token names one."""

    name: str
    id: str | None
    key: Any


class NoSuchKey(Unverified):
    """The token names a key that is not among those that are known."""


def of_secrets(keys: Sequence[Secret]) -> list[Candidate]:
    """Shared secrets, or public keys in PEM."""
    named = enumerate((key.reveal() for key in keys), 1)
    return [Candidate(f"key {number}", None, text) for number, text in named if text]


@lru_cache(maxsize=16)
def _set(text: bytes) -> tuple[Candidate, ...]:
    try:
        keys = jwt.PyJWKSet.from_json(text.decode()).keys
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Unverified("the key set is none, or has no key that is known") from error
    return tuple(
        Candidate(f"key {key.key_id or number}", key.key_id, key)
        for number, key in enumerate(keys, 1)
    )


def of_set(text: bytes) -> list[Candidate]:
    """The keys of a JSON Web Key Set."""
    return list(_set(text))


def check(
    token: str, candidates: Sequence[Candidate], rules: Rules, body: bytes, now: float
) -> str:
    """By which algorithm and key a token is right. Raises ``Unverified``."""
    try:
        head = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise Unverified("it is no JSON Web Token") from error
    algorithm = head.get("alg")
    if algorithm not in rules.algorithms or str(algorithm).lower() == "none":
        raise Unverified("the token's algorithm is not allowed")
    wanted = head.get("kid")
    fitting = [one for one in candidates if None in (one.id, wanted) or one.id == wanted]
    if not fitting:
        raise NoSuchKey("the token's key is not known")
    for one in fitting:
        claims = _claims(token, one, str(algorithm), rules)
        if claims is not None:
            _check_time(claims, rules.tolerance, now)
            _check_body(claims, rules.body_hash, body)
            return f"{algorithm}, {one.name}"
    raise Unverified("the token does not match")


def _claims(token: str, one: Candidate, algorithm: str, rules: Rules) -> dict[str, Any] | None:
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    options["verify_aud"] = rules.audience is not None
    try:
        return jwt.decode(
            token,
            one.key,
            algorithms=[algorithm],
            audience=rules.audience,
            issuer=rules.issuer,
            options=options,
        )
    except (jwt.InvalidSignatureError, jwt.InvalidKeyError):
        return None
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise Unverified(f"the token is not good: {type(error).__name__}") from error


def _check_time(claims: dict[str, Any], tolerance: float, now: float) -> None:
    made, begins, ends = (_number(claims, name) for name in ("iat", "nbf", "exp"))
    if made is None and ends is None:
        raise Unverified("the token does not say when it was made, nor how long it is good")
    if ends is not None and now > ends + LEEWAY:
        raise Unverified("the token is not good any more")
    if begins is not None and now < begins - LEEWAY:
        raise Unverified("the token is not good yet")
    if made is not None and not made - LEEWAY <= now <= made + tolerance:
        raise Unverified("the token was made too long ago, or is of the future")


def _number(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unverified(f"the token's {name} is no time")
    return float(value)


def _check_body(claims: dict[str, Any], name: str | None, body: bytes) -> None:
    if name is None:
        return
    said = claims.get(name)
    if not (isinstance(said, str) and said.isascii()):
        raise Unverified(f"the token has no {name}")
    if not hmac.compare_digest(said.lower(), hashlib.sha256(body).hexdigest()):
        raise Unverified("the body is not the one the token was made for")
