# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's sets against country_policy_decide(): the whole database, 100,000 random addresses and every kind of edge."""

import bisect
import ipaddress
import json
import pathlib
import random
import subprocess

import pytest

from lab import netns
from test_guard_kernel import BUILD

TOR = (pathlib.Path("/usr/share/tor/geoip"), pathlib.Path("/usr/share/tor/geoip6"))
LOADER = BUILD / "tests/bench/country-load"
PER_FAMILY = 50_000
EDGES = 4_000  # intervals whose both ends are tried, and their neighbours

pytestmark = [pytest.mark.skipif(not netns.possible(), reason="network namespaces need root: run under unshare -Urn"),
              pytest.mark.skipif(not TOR[0].exists(), reason="needs the package tor-geoipdb")]


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("country") / "country.db"
    subprocess.run([BUILD / "relayd/country/relay-country", "compile", "--output", path, "--tor4", TOR[0], "--tor6", TOR[1]],
                   check=True, capture_output=True)
    return path


def read_back(namespace):
    """Sorted intervals of the sets, as nft reads them from the kernel."""
    sets = {}
    for entry in json.loads(namespace.run("nft", "-j", "list", "table", "inet", "relayd"))["nftables"]:
        if entry.get("set", {}).get("name") not in ("in4", "in6"):
            continue
        intervals = sets[4 if entry["set"]["name"] == "in4" else 6] = []
        for element in entry["set"].get("elem", []):
            if isinstance(element, str):
                first = last = element
            elif "range" in element:
                first, last = element["range"]
            else:
                network = ipaddress.ip_network(f"{element['prefix']['addr']}/{element['prefix']['len']}")
                first, last = network[0], network[-1]
            intervals.append((int(ipaddress.ip_address(first)), int(ipaddress.ip_address(last))))
        intervals.sort()
    return sets


def addresses(version, intervals):
    """Random ones, half of them where networks are; the ends of the family; ends of intervals and what lies beside them."""
    rng = random.Random(version)
    top = 2 ** (32 if version == 4 else 128) - 1
    found = {0, 1, top - 1, top}
    for first, last in rng.sample(intervals, min(EDGES, len(intervals))) + intervals[:2] + intervals[-2:]:
        found |= {a for a in (first - 1, first, last, last + 1) if 0 <= a <= top}
    while len(found) < PER_FAMILY:
        first, last = rng.choice(intervals)
        found |= {rng.randint(0, top), rng.randint(first, last), rng.randint(0x2000 << 112, 0x2fff << 112) if version == 6 else 0}
    # mapped addresses are judged as the IPv4 address they carry, and never come over a wire
    return sorted(a for a in found if version == 4 or not 0xffff << 32 <= a < 0x10000 << 32)


@pytest.mark.parametrize("rules", [
    ["allow EU"],
    ["allow US unknown=accept"],
    ["deny RU CN KP IR BY SY"],
    ["deny RU CN KP IR BY SY unknown=refuse"],
    ["allow"],
    ["allow EU", "allow EU NO unknown=accept"],
    ["deny RU", "allow FI"],
    ["allow US", "deny US"],
], ids="; ".join)
def test_kernel_and_hub_agree(database, rules):
    namespace = netns.Namespace("sets")
    try:
        namespace.run(LOADER, database, *rules)
        sets = read_back(namespace)
    finally:
        namespace.close()
    for version, intervals in sets.items():
        tried = addresses(version, intervals)
        text = "".join(f"{(ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address)(a)}\n" for a in tried)
        answers = subprocess.run([LOADER, "--decide", database, rules[-1]], input=text, capture_output=True, text=True,
                                 check=True).stdout.split()
        starts = [first for first, _ in intervals]
        assert len(answers) == len(tried) >= PER_FAMILY - 100
        for address, answer in zip(tried, answers):
            at = bisect.bisect(starts, address) - 1
            inside = at >= 0 and intervals[at][0] <= address <= intervals[at][1]
            assert inside == (answer == "1"), f"{ipaddress.ip_address(address)}: hub {answer}, kernel {inside}"
