# SPDX-License-Identifier: GPL-2.0-or-later
"""relay-country with MaxMind databases (against mmdblookup), Debian's text, and files that are wrong."""

import ipaddress
import json
import os
import pathlib
import random
import re
import shutil
import subprocess

import pytest

from lab import mmdb

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("RELAYD_BUILD", ROOT / "build"))
COUNTRY = BUILD / "relayd" / "country" / "relay-country"
TOR = [pathlib.Path("/usr/share/tor/geoip"), pathlib.Path("/usr/share/tor/geoip6")]
NETWORKS = {"1.0.0.0/24": "AU", "1.0.1.0/24": "CN", "2.0.0.0/8": "FR", "5.44.16.0/20": "GB", "203.0.113.7/32": "FI",
            "2001:200::/32": "JP", "2001:db8::/48": "SE", "2a02:6b8::/29": "RU", "2001:4:112:1::/128": "DE"}


def run(*arguments, code=0):
    done = subprocess.run([str(COUNTRY), *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def tree_of(record=mmdb.country_record, networks=None, **options):
    tree = mmdb.Tree(**options)
    for network, code in (networks or NETWORKS).items():
        tree.add(network, record(code))
    return tree


def codes(database, addresses):
    lines = run("lookup", database, *addresses).splitlines()
    return [line.split()[1] for line in lines]


def interesting_addresses():
    """The ends of all networks, one before and one behind, and some inside."""
    chosen = set()
    for text in NETWORKS:
        network = ipaddress.ip_network(text)
        first, last = int(network[0]), int(network[-1])
        for number in (first - 1, first, last, last + 1, random.randint(first, last)):
            chosen.add(str(type(network[0])(number)))
    return sorted(chosen)


def peer_code(path, address):
    done = subprocess.run(["mmdblookup", "--file", str(path), "--ip", address, "country", "iso_code"], capture_output=True, text=True)
    found = re.search(r'"([A-Z]{2})"', done.stdout)
    return found.group(1) if found else "??"


@pytest.mark.parametrize("size", [24, 32])
@pytest.mark.parametrize("city", [None, "Somewhere"])
def test_same_as_mmdblookup(tmp_path, size, city):
    source = tmp_path / "source.mmdb"
    tree_of(lambda code: mmdb.country_record(code, city)).write(source, record_size=size)
    out = run("compile", "--mmdb", source, "--output", tmp_path / "db")
    assert "source:     Test-Country" in out and "date:       2026-06-25" in out and f"countries:  {len(NETWORKS)}" in out
    addresses = interesting_addresses()
    ours = codes(tmp_path / "db", addresses)
    assert dict(zip(addresses, ours)) == {address: peer_code(source, address) for address in addresses}
    assert set(ours) == set(NETWORKS.values()) | {"??"}


@pytest.mark.parametrize("record", [lambda code: {"country_code": code}, lambda code: {"country": code},
                                    lambda code: {"registered_country": {"iso_code": code}}])
def test_other_layouts(tmp_path, record):
    tree_of(record).write(tmp_path / "source")
    run("compile", "--mmdb", tmp_path / "source", "--output", tmp_path / "db")
    assert codes(tmp_path / "db", ["1.0.0.1", "2001:db8::1", "9.9.9.9"]) == ["AU", "SE", "??"]


def test_aliases_of_ipv4_are_skipped(tmp_path):
    """Real databases lead 2002::/16 back to the IPv4 subtree."""
    tree = tree_of()
    node = 0
    for _ in range(96):
        node = tree.nodes[node][0]
    tree.add_bits(0x2002 << 112, 128, 16, node)
    tree.write(tmp_path / "source")
    run("compile", "--mmdb", tmp_path / "source", "--output", tmp_path / "db")
    assert codes(tmp_path / "db", ["1.0.0.1", "2002:100:1::"]) == ["AU", "??"]


def cyclic(path):
    tree = tree_of()
    tree.nodes[-1][0] = 3
    tree.write(path)


def leads_nowhere(path):
    tree = tree_of()
    tree.nodes[-1][0] = len(tree.nodes) + 5
    tree.write(path)


def behind_the_data(path):
    tree = tree_of()
    tree.nodes[-1][0] = ("data", 1 << 20)
    tree.write(path)


def number_as_code(path):
    tree_of(lambda code: {"country": {"iso_code": mmdb.Number(6, 7)}}).write(path)


def long_code(path):
    tree_of(lambda code: mmdb.country_record(code + code)).write(path)


def digits_as_code(path):
    tree_of(lambda code: mmdb.country_record("12")).write(path)


def no_country(path):
    tree_of(lambda code: {"autonomous_system_number": mmdb.Number(6, 64496)}).write(path)


def only_ipv4(path):
    tree_of(networks={"1.0.0.0/24": "AU"}, ip_version=4).write(path)


def lying_node_count(path):
    tree_of().write(path, node_count=1 << 30)


def cut(path):
    tree_of().write(path)
    path.write_bytes(path.read_bytes()[:-400])


def tail_only(path):
    tree_of().write(path)
    path.write_bytes(path.read_bytes()[-300:])


def empty(path):
    path.write_bytes(b"")


def a_folder(path):
    path.mkdir()


BROKEN = [(cyclic, "in a circle"), (leads_nowhere, ""), (behind_the_data, ""), (number_as_code, "no country code of two letters"),
          (long_code, "no country code of two letters"), (digits_as_code, "no country code of two letters"),
          (no_country, "no record names a country"), (only_ipv4, "no IPv6 range"), (lying_node_count, ""), (cut, ""),
          (tail_only, ""), (empty, ""), (a_folder, "no regular file")]


@pytest.fixture
def good(tmp_path):
    tree_of().write(tmp_path / "good.mmdb")
    run("compile", "--mmdb", tmp_path / "good.mmdb", "--output", tmp_path / "db")
    return tmp_path / "db"


@pytest.mark.parametrize("make, words", BROKEN, ids=[make.__name__ for make, _ in BROKEN])
def test_broken_database_is_refused(tmp_path, good, make, words):
    before = good.read_bytes()
    make(tmp_path / "broken")
    error = run("compile", "--mmdb", tmp_path / "broken", "--output", good, code=1)
    assert words in error and error.count("\n") == 1
    assert good.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["broken", "db", "good.mmdb"]


def test_text_that_is_wrong_names_the_line(tmp_path, good):
    (tmp_path / "v4").write_text("# comment\n16777216,16777471,AU\n16777300,16777727,CN\n")
    (tmp_path / "v6").write_text("2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP\n")
    before = good.read_bytes()
    error = run("compile", "--tor4", tmp_path / "v4", "--tor6", tmp_path / "v6", "--output", good, code=1)
    assert f"{tmp_path}/v4, line 3: the range at 1.0.0.84 overlaps" in error
    error = run("compile", "--tor4", tmp_path / "v5", "--tor6", tmp_path / "v6", "--output", good, code=1)
    assert f"{tmp_path}/v5: No such file" in error
    assert good.read_bytes() == before


def test_database_that_shrank_is_refused(tmp_path, good):
    """Cut at the end of a line, a text is still well-formed."""
    (tmp_path / "v4").write_text("16777216,16777471,AU\n")
    (tmp_path / "v6").write_text("2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP\n")
    source = ["--tor4", tmp_path / "v4", "--tor6", tmp_path / "v6", "--output", good]
    before = good.read_bytes()
    assert "--force" in run("compile", *source, code=1)
    assert good.read_bytes() == before
    run("compile", *source, "--force")
    assert codes(good, ["1.0.0.1", "2.0.0.1", "2001:200::1"]) == ["AU", "??", "JP"]


@pytest.mark.parametrize("at", [0, 9, 20, 60, 5000, -1])
def test_damaged_file_is_refused(tmp_path, good, at):
    data = bytearray(good.read_bytes())
    data[at] ^= 1
    (tmp_path / "damaged").write_bytes(data)
    assert "compile" in run("lookup", tmp_path / "damaged", "1.0.0.1", code=1)
    (tmp_path / "damaged").write_bytes(data[:-8])
    assert "compile" in run("show", tmp_path / "damaged", code=1)


def test_damaged_last_file_is_replaced(tmp_path, good):
    good.write_bytes(good.read_bytes()[:-8])
    run("compile", "--mmdb", tmp_path / "good.mmdb", "--output", good)
    assert codes(good, ["1.0.0.1"]) == ["AU"]


@pytest.mark.parametrize("arguments", [[], ["compile", "extra"], ["compile", "--tor4", "a"], ["compile", "--mmdb", "a", "--tor4", "b", "--tor6", "c"],
                                       ["lookup"], ["lookup", "db"], ["show", "a", "b"], ["compile", "--what"], ["burn"]])
def test_usage(arguments):
    assert "usage:" in run(*arguments, code=2)


def test_no_address(good):
    assert "is no address" in run("lookup", good, "example.org", code=2)


@pytest.mark.skipif(not all(path.exists() for path in TOR), reason="tor-geoipdb is not installed")
def test_debians_database(tmp_path):
    out = run("compile", "--output", tmp_path / "db")
    assert "source:     tor-geoipdb" in out
    assert (tmp_path / "db").stat().st_size < 8_000_000
    assert codes(tmp_path / "db", ["127.0.0.1", "8.8.8.8"]) == ["??", "US"]


@pytest.mark.skipif(not all(path.exists() for path in TOR), reason="tor-geoipdb is not installed")
def test_agrees_with_libmaxminddb_on_the_same_data(tmp_path):
    """The benchmark's program writes an MMDB of the same ranges and stops if a million look-ups a family differ."""
    run("compile", "--output", tmp_path / "db")
    done = subprocess.run([str(BUILD / "tests" / "bench" / "lookup"), str(tmp_path / "db"), str(tmp_path / "peer.mmdb")],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bytes"] == (tmp_path / "db").stat().st_size
    run("compile", "--mmdb", tmp_path / "peer.mmdb", "--output", tmp_path / "again")
    shutil.copy(tmp_path / "db", tmp_path / "first")
    assert (tmp_path / "again").read_bytes()[128:] == (tmp_path / "first").read_bytes()[128:]
