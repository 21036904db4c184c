"""Which hosts and addresses are of the public internet, and what `feeds.allow_private` opens."""

from __future__ import annotations

import pytest

from upcycle_news.text.private_hosts import (
    PrivateAccess,
    ascii_host,
    is_global,
    is_never_asked,
    is_private_host,
)

LINK_LOCAL = [
    "169.254.169.254", "169.254.0.1", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16",
]  # fmt: skip


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0", "0.1.2.3",
        "224.0.0.1", "255.255.255.255", "192.0.2.1", "240.0.0.1", "::1", "::", "fc00::1", "ff02::1", "fec0::1",
        "::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe", *LINK_LOCAL,
    ],
)  # fmt: skip
def test_an_address_inside_a_network_is_not_global(address: str) -> None:
    assert not is_global(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1", "2002:101:101::"],
)
def test_public_addresses_are_global(address: str) -> None:
    assert is_global(address)
    assert not is_never_asked(address)


@pytest.mark.parametrize("address", LINK_LOCAL)
def test_nothing_opens_link_local_and_metadata_addresses(address: str) -> None:
    access = [True, ["0.0.0.0/0", "::/0"], ["metadata.example"]]
    assert not any(PrivateAccess.parse(a).allows("metadata.example", address) for a in access)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("allowed", "host", "address", "expected"),
    [
        (False, "intranet.example", "10.0.0.5", False),
        (True, "intranet.example", "10.0.0.5", True),
        ([], "intranet.example", "10.0.0.5", False),
        (["intranet.example"], "intranet.example", "10.0.0.5", True),
        (["Intranet.example."], "INTRANET.example", "10.0.0.5", True),
        (["intranet.example"], "x.intranet.example", "10.0.0.5", False),
        (["intranet.example"], "10.0.0.5", "10.0.0.5", False),
        (["straße.example"], "xn--strae-oqa.example", "10.0.0.5", True),
        (["10.0.0.0/8"], "intranet.example", "10.0.0.5", True),
        (["10.0.0.0/8"], "intranet.example", "::ffff:10.0.0.5", True),
        (["10.0.0.0/8"], "intranet.example", "127.0.0.1", False),
        (["10.0.0.0/8"], "intranet.example", "0.0.0.0", False),
        (["10.0.0.5"], "10.0.0.5", "10.0.0.5", True),
        (["10.0.0.5"], "10.0.0.6", "10.0.0.6", False),
        (["[fd12::1]"], "fd12::1", "fd12::1", True),
        (["fd12::/48"], "nas.example", "fd12::7", True),
    ],
)
def test_only_what_is_named_may_be_asked(
    allowed: bool | list[str], host: str, address: str, expected: bool
) -> None:
    assert PrivateAccess.parse(allowed).allows(host, address) is expected


@pytest.mark.parametrize(
    ("allowed", "host", "expected"),
    [
        (True, "localhost", True),
        (True, "169.254.169.254", False),
        (True, "2852039166", False),
        (["localhost"], "localhost", True),
        (["localhost"], "127.0.0.1", False),
        (["127.0.0.0/8"], "127.1", True),
        (["127.0.0.0/8"], "0177.0.0.1", True),
        (["127.0.0.0/8"], "localhost", False),
        (["10.0.0.0/8"], "192.168.0.1", False),
        (["wiki"], "wiki", True),
        (["wiki"], "nas", False),
    ],
)
def test_links_may_lead_to_what_is_named(
    allowed: bool | list[str], host: str, expected: bool
) -> None:
    assert PrivateAccess.parse(allowed).allows_host(host) is expected


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("", "neither a host nor a network"),
        ("http://intranet.example", "neither a host nor a network"),
        ("intranet.example:8080", "neither a host nor a network"),
        ("*.example", "neither a host nor a network"),
        ("127.1", "neither a host nor a network"),
        ("10.0.0.0/40", "neither a host nor a network"),
        ("zwei worte", "neither a host nor a network"),
        ("169.254.169.254", "never asked"),
        ("169.254.0.0/16", "never asked"),
        ("fe80::/64", "never asked"),
    ],
)
def test_an_entry_that_names_nothing_is_refused(entry: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PrivateAccess.parse(["10.0.0.0/8", entry])


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("localhost", True), ("127.1", True), ("2130706433", True), ("0x7f000001", True), ("0x7f.1", True),
        ("0177.0.0.1", True), ("::1", True), ("::ffff:10.0.0.1", True), ("0", True), ("0.0.0.0", True),
        ("192.168.7.9", True), ("169.254.169.254", True), ("intranet", True), ("nas.local", True), ("NAS.LAN.", True), ("wiki.intranet", True), ("hof.corp", True),
        ("", True), (".", True), ("1.2.3.4.5", False), ("8.8.8.8", False), ("bau.example", False), ("local.example", False), ("corp.example", False),
    ],
)  # fmt: skip
def test_private_hosts_are_known_by_their_name_alone(host: str, private: bool) -> None:
    assert is_private_host(host) is private


@pytest.mark.parametrize(
    ("host", "written"),
    [
        ("burgfuß.example", "xn--burgfu-gta.example"),
        ("BURGFUẞ.example", "xn--burgfu-gta.example"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("ශ්\u200dරී.example", "xn--10cl1a0b660p.example"),
        ("例。example", "xn--fsq.example"),
        ("☕.example", "xn--53h.example"),
        ("１２７。０.0.1", "127.0.0.1"),
        ("bu\u00adch.example", "buch.example"),
        ("ü" * 60 + ".example", ""),
        ("hof.example", "hof.example"),
    ],
)
def test_hosts_are_written_as_browsers_ask_for_them(host: str, written: str) -> None:
    assert ascii_host(host) == written
