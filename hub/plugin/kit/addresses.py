"""Which network addresses a plugin may reach, and connecting to exactly those.

A name is resolved once, its addresses are checked, and the connection goes to a checked address:
a name that answers differently the second time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeVar

from hub.plugin.errors import Permanent, Temporary

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to its addresses, as text."""

Stream = TypeVar("Stream")

MAX_TRIED = 4
NAT64 = ip_network("64:ff9b::/96")
REFUSED = (
    ip_network("168.63.129.16/32"),  # Azure's host agent; a public address by number only
    ip_network("192.0.0.0/24"),  # protocol assignments; metadata of Oracle's cloud
    ip_network("64:ff9b:1::/48"),  # local-use translation to IPv4 (RFC 8215)
)


def is_public(text: str) -> bool:
    """Whether an address belongs to the public internet. Private, loopback, link-local (cloud
    metadata), shared, multicast and reserved ones do not; an IPv6 address that carries an IPv4
    one (mapped, 6to4, Teredo, NAT64) is as public as what it carries."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.scope_id is not None or address.is_site_local:
            return False
        if not all(map(_is_public_number, _carried(address))):
            return False
        if address.ipv4_mapped is not None or address in NAT64:
            return True  # nothing but another way to write the IPv4 address
    return _is_public_number(address)


def _is_public_number(address: IPv4Address | IPv6Address) -> bool:
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved or address.is_unspecified)
        and not any(address in network for network in REFUSED)
    )


def _carried(address: IPv6Address) -> list[IPv4Address]:
    carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        carried.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in carried if each is not None]


async def resolve(host: str, port: int) -> Sequence[str]:
    """By the system's resolver. Raises ``OSError`` for a name that is not found."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class AddressRules:
    """The rules of one channel. ``allowed_hosts``: names or addresses, as in the URL, that the
    configuration lets through though they are not public; ``allowed_endpoints``: the same for
    one port."""

    def __init__(
        self,
        *,
        allowed_hosts: Collection[str] = (),
        allowed_endpoints: Collection[tuple[str, int]] = (),
        resolve: Resolve = resolve,
    ) -> None:
        self._hosts = frozenset(host.lower().rstrip(".") for host in allowed_hosts)
        self._endpoints = frozenset(allowed_endpoints)
        self._resolve = resolve

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """The addresses of ``host`` that may be connected to, at most four. Raises
        ``Permanent("policy")`` when there is none, ``Temporary`` when the name is not found."""
        name = host.lower().rstrip(".")
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise Temporary(f"{host} was not found") from error
        if name not in self._hosts and (name, port) not in self._endpoints:
            found = [address for address in found if is_public(address)]
            if not found:
                raise Permanent(
                    "policy", f"{host} is not on the public internet and is not allowed"
                )
        return found[:MAX_TRIED]

    async def open(
        self,
        host: str,
        port: int,
        timeout: float | None,  # noqa: ASYNC109  # shared out between the addresses
        connect: Callable[[str], Awaitable[Stream]],
    ) -> Stream:
        """What ``connect`` makes of the first address that answers within its share of the
        time. Raises ``OSError`` when none does, and as ``addresses``."""
        failed = OSError(f"{host} has no address")
        found = await self.addresses(host, port)
        for address in found:
            try:
                async with asyncio.timeout(timeout and timeout / len(found)):
                    return await connect(address)
            except OSError as error:  # a TimeoutError is one
                failed = error
        raise failed
