"""Addresses that the gateway forwards no request to, and those of this machine."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_IPV4 = {
    "0.0.0.0/8": "an unspecified address",
    "169.254.0.0/16": "a link-local address, as that of a cloud's metadata",
    "224.0.0.0/4": "a multicast address",
    "255.255.255.255/32": "a broadcast address",
    # Of Alibaba Cloud, Azure and Oracle Cloud; the other clouds use 169.254.169.254.
    "100.100.100.200/32": "the address of a cloud's metadata",
    "168.63.129.16/32": "the address of a cloud's metadata",
    "192.0.0.192/32": "the address of a cloud's metadata",
}
_IPV6 = {
    "::/128": "an unspecified address",
    "fe80::/10": "a link-local address",
    "ff00::/8": "a multicast address",
    # Of AWS and Google Cloud.
    "fd00:ec2::254/128": "the address of a cloud's metadata",
    "fd20:ce::254/128": "the address of a cloud's metadata",
}
_LOOPBACK_IPV4, _LOOPBACK_IPV6 = "127.0.0.0/8", "::1/128"
# RFC 4291, section 2.5.5.2, and RFC 6052, section 2.1: IPv6 addresses that mean an IPv4 address.
_MAPPED, _TRANSLATED = (
    ipaddress.IPv6Address("::ffff:0:0"),
    ipaddress.IPv6Address("64:ff9b::"),
)


def _network(text: str) -> Network:
    return ipaddress.ip_network(text)


def _all_spellings(ipv4: list[str], ipv6: list[str]) -> tuple[Network, ...]:
    networks = [_network(text) for text in ipv4]
    within = [
        ipaddress.ip_network((int(prefix) + int(each.network_address), 96 + each.prefixlen))
        for prefix in (_MAPPED, _TRANSLATED)
        for each in networks
    ]
    return (*networks, *within, *(_network(text) for text in ipv6))


FORBIDDEN = _all_spellings(list(_IPV4), list(_IPV6))
"""Networks that no external service is in, also those that IPv6 addresses of IPv4 ones are in."""
LOOPBACKS = _all_spellings([_LOOPBACK_IPV4], [_LOOPBACK_IPV6])


def literal_address(host: str) -> Address | None:
    """Return the address that a host is written as, None for a name.

    Programs read `2852039166` and `0xa9fea9fe` as IPv4 addresses, too (inet_aton).
    """
    with suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]"))
    with suppress(OSError):
        return ipaddress.IPv4Address(socket.inet_aton(host))
    return None


def forbidden_reason(host: str) -> str:
    """Return what is wrong with a host written as an address; empty for a name and other ones."""
    address = literal_address(host)
    if address is None or not any(address in network for network in FORBIDDEN):
        return ""
    embedded = _embedded(address)
    reasons = (_IPV4 | _IPV6).items()
    return next(reason for text, reason in reasons if embedded in _network(text))


def is_loopback(host: str) -> bool:
    """Report whether a host is this machine: a loopback address, or localhost (RFC 6761, 6.3)."""
    address = literal_address(host)
    if address is None:
        name = host.lower().rstrip(".")
        return name == "localhost" or name.endswith(".localhost")
    return any(address in network for network in LOOPBACKS)


def _embedded(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address means, else the address."""
    if isinstance(address, ipaddress.IPv6Address):
        for prefix in (_MAPPED, _TRANSLATED):
            if int(address) >> 32 == int(prefix) >> 32:
                return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
