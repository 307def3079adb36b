"""Which addresses are the public internet, and that only checked ones are connected to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from hub.plugin import Permanent, Temporary
from hub.plugin.kit.addresses import MAX_TRIED, AddressRules, is_public, resolve

PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "2002:7f00:1::",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%1",
    "fec0::1",
    "ff02::1",
    "not an address",
    "",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)


def answering(*answers: Sequence[str]):
    """A resolver whose answer changes from one question to the next."""
    left = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return left.pop(0)

    return resolve


async def connected(address: str) -> str:
    return address


async def test_a_name_that_turns_private_gains_nothing() -> None:
    rules = AddressRules(resolve=answering(["1.1.1.1"], ["127.0.0.1"]))
    assert await rules.open("rebind.example", 80, 1, connected) == "1.1.1.1"
    with pytest.raises(Permanent, match="not allowed") as refused:
        await rules.open("rebind.example", 80, 1, connected)
    assert refused.value.reason == "policy"


async def test_of_a_mixed_answer_only_the_public_part_is_used() -> None:
    rules = AddressRules(resolve=answering(["127.0.0.1", "1.1.1.1", "::1"]))
    assert await rules.addresses("mixed.example", 80) == ["1.1.1.1"]


async def test_only_the_allowed_host_may_be_private() -> None:
    rules = AddressRules(
        allowed_hosts=["Mail.Example."],
        allowed_endpoints=[("stand-in.example", 8080)],
        resolve=answering(*[["10.0.0.1"]] * 4),
    )
    assert await rules.addresses("mail.EXAMPLE", 25) == ["10.0.0.1"]
    assert await rules.addresses("stand-in.example", 8080) == ["10.0.0.1"]
    for host, port in (("stand-in.example", 80), ("x.mail.example", 25)):
        with pytest.raises(Permanent):
            await rules.addresses(host, port)


async def test_each_address_gets_its_share_of_the_time() -> None:
    tried: list[str] = []

    async def last_one_answers(address: str) -> str:
        tried.append(address)
        if address == "1.0.0.1":
            return address
        if address == "1.1.1.1":
            raise ConnectionRefusedError
        await asyncio.Event().wait()
        raise AssertionError

    rules = AddressRules(resolve=answering(["1.1.1.1", "2606:4700::1111", "1.0.0.1"]))
    assert await rules.open("many.example", 80, 0.15, last_one_answers) == "1.0.0.1"
    assert tried == ["1.1.1.1", "2606:4700::1111", "1.0.0.1"]


async def test_no_more_than_a_few_addresses_are_tried() -> None:
    rules = AddressRules(resolve=answering([f"8.8.8.{n}" for n in range(1, 50)]))
    assert len(await rules.addresses("many.example", 80)) == MAX_TRIED


async def test_a_name_that_is_not_found_is_temporary() -> None:
    async def not_found(host: str, port: int) -> Sequence[str]:
        raise OSError("not found")

    with pytest.raises(Temporary):
        await AddressRules(resolve=not_found).addresses("nowhere.invalid", 80)
    # A label that no name may have; the codec of the system's resolver refuses it.
    with pytest.raises(Temporary):
        await AddressRules().addresses("a" * 64 + ".example", 80)


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "017700000001"])
async def test_numbers_in_disguise_are_looked_through(host: str) -> None:
    try:
        found = await resolve(host, 80)
    except OSError:
        return  # this system does not even read it as an address
    assert found == ["127.0.0.1"]
    with pytest.raises(Permanent):
        await AddressRules().addresses(host, 80)
