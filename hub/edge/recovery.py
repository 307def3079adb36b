"""Recovery codes are known by a hash with keys of their own, because nobody could make the hashes
anew when the hub's secret key is replaced. They begin as keys made of it, and are kept encrypted.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from hub.edge.keys import Keys, keyed
from hub.store import sealed as store

_CODES = "recovery codes"
_USE, _ABOUT = "recovery keys", "hub"


def hashes(connection: Connection, keys: Keys, user_id: int, code: str) -> list[str]:
    """What a code may be known by; by the first if it is new."""
    return [keyed(key, f"{user_id}:{code}") for key in _of(connection, keys)]


def keep(connection: Connection, keys: Keys) -> None:
    """See to it that the keys are there after the secret key is replaced, and encrypted with the
    present one."""
    held = store.recovery_keys(connection)
    if held is None or (not held.startswith(keys.mark) and _opened(keys, held) is not None):
        text = msgspec.json.encode(_of(connection, keys)).decode()
        store.put_recovery_keys(connection, keys.encrypt(_USE, text, _ABOUT))


def _of(connection: Connection, keys: Keys) -> list[bytes]:
    held = store.recovery_keys(connection)
    found = None if held is None else _opened(keys, held)
    return keys.each(_CODES) if found is None else found


def _opened(keys: Keys, held: str) -> list[bytes] | None:
    text = keys.decrypt(_USE, held, _ABOUT)
    return None if text is None else msgspec.json.decode(text, type=list[bytes])
