# SPDX-License-Identifier: GPL-2.0-or-later
"""country-load: the same country policy loaded by relay-guardd's engine and by `nft -f` (auto-merge), in the same run.

Both start from the whole address database of tor-geoipdb, both families, in a network namespace of their own, and what
the kernel then holds must be equal.
"""

import ipaddress
import json
import os
import pathlib
import subprocess
import tempfile
import time

from lab import netns
from measure import percentile

TOR = (pathlib.Path("/usr/share/tor/geoip"), pathlib.Path("/usr/share/tor/geoip6"))
EU = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE".split()
SIX = "RU CN KP IR BY SY".split()
# always allowed by a policy of ours
LOCAL = (["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"], ["::1/128", "fc00::/7", "fe80::/10"])
ROUNDS = 3
UNKNOWN = "??"  # also what no range of the database holds
# name, our rule, is this country allowed, goal of the ratio
LOADS = [
    ("country-load", "allow EU", lambda country: country in EU, 5, "EU-27 allowed"),
    ("country-load-one", "allow US", lambda country: country == "US", None, "one country (US) allowed"),
    ("country-load-six", f"deny {' '.join(SIX)}", lambda country: country not in SIX, 50, "all but six allowed"),
]


def ranges(path, is_allowed):
    """What of the address space is allowed: the database's ranges, and between them what it does not know."""
    address = ipaddress.IPv6Address if path.name.endswith("6") else lambda text: ipaddress.IPv4Address(int(text))
    following = 0
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            first, last, country = line.split(",")
            first, last = address(first), address(last)
            if int(first) > following and is_allowed(UNKNOWN):
                yield type(first)(following), first - 1
            following = int(last) + 1
            if is_allowed(country):
                yield first, last
    end = 2**last.max_prefixlen
    if following < end and is_allowed(UNKNOWN):
        yield type(last)(following), type(last)(end - 1)


def write_nft(path, is_allowed):
    """What a geo-block script writes: the database's ranges, and nft is to merge them."""
    with path.open("w") as out:
        out.write("table inet relayd {\n")
        for name, kind, file, local in (("in4", "ipv4_addr", TOR[0], LOCAL[0]), ("in6", "ipv6_addr", TOR[1], LOCAL[1])):
            elements = list(local)
            elements += (f"{first}-{last}" for first, last in ranges(file, is_allowed))
            out.write(f"set {name} {{ type {kind}; flags interval; auto-merge; elements = {{ {', '.join(elements)} }} }}\n")
        out.write("chain inbound { type filter hook input priority -10; ip saddr @in4 accept; ip6 saddr @in6 accept; drop; }\n}\n")


def held(namespace):
    """The intervals of the kernel's sets, as numbers."""
    found = {}
    for entry in json.loads(namespace.run("nft", "-j", "list", "table", "inet", "relayd"))["nftables"]:
        if entry.get("set", {}).get("name") not in ("in4", "in6"):
            continue
        intervals = found.setdefault(entry["set"]["name"], set())
        for element in entry["set"]["elem"]:
            if isinstance(element, str):
                first = last = ipaddress.ip_address(element)
            elif "range" in element:
                first, last = (ipaddress.ip_address(end) for end in element["range"])
            else:
                network = ipaddress.ip_network(f"{element['prefix']['addr']}/{element['prefix']['len']}")
                first, last = network[0], network[-1]
            intervals.add((int(first), int(last)))
    return found


def merged(intervals):
    """Neighbours as one: `nft list` shows one interval as several networks, or not, as it likes."""
    result = []
    for first, last in sorted(intervals):
        if result and result[-1][1] + 1 >= first:
            result[-1][1] = max(last, result[-1][1])
        else:
            result.append([first, last])
    return result


def timed(command):
    """Seconds, peak memory in KiB, and output of a program."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.stdout.close()
    assert status == 0, output[-500:]
    return time.monotonic() - start, usage.ru_maxrss, output


class Loader:
    def __init__(self, build, folder):
        self.program = pathlib.Path(build) / "tests/bench/country-load"
        self.folder = folder
        self.database = folder / "country.db"
        subprocess.run([pathlib.Path(build) / "relayd/country/relay-country", "compile", "--output", self.database,
                        "--tor4", TOR[0], "--tor6", TOR[1]], check=True, capture_output=True)

    def run(self, command):
        namespace = netns.Namespace("bench")
        try:
            seconds, peak, output = timed(namespace.command(*command))
            return seconds, peak, output, held(namespace)
        finally:
            namespace.close()

    def compare(self, rule, is_allowed):
        """Medians of both, in turns."""
        write_nft(self.folder / "rules.nft", is_allowed)
        ours, peer = [], []
        for turn in range(ROUNDS):
            seconds, _, output, our_sets = self.run([self.program, self.database, rule])
            ours.append((seconds, json.loads(output)))
            seconds, peak, _, peer_sets = self.run(["nft", "-f", self.folder / "rules.nft"])
            peer.append((seconds, peak))
            for name in ("in4", "in6"):
                assert turn or merged(our_sets[name]) == merged(peer_sets[name]), f"{rule}: {name} differs from nft's"
        return ours, peer


def bench(build, report):
    if not netns.possible() or not TOR[0].exists():
        print("country-load: needs root (network namespaces) and the package tor-geoipdb")
        return
    with tempfile.TemporaryDirectory(prefix="relayd-bench-") as folder:
        loader = Loader(build, pathlib.Path(folder))
        for name, rule, is_allowed, goal, what in LOADS:
            ours, peer = loader.compare(rule, is_allowed)
            last = ours[-1][1]
            note = f"{last['intervals4']} + {last['intervals6']} intervals"
            report.add(name, f"{what}: process start to end", "s", percentile([s for s, _ in ours], 0.5),
                       percentile([s for s, _ in peer], 0.5), "nft -f", better="less", goal=goal, note=note)
            report.add(name + "-memory", f"{what}: peak memory", "KiB", max(r["peak_kib"] for _, r in ours),
                       max(peak for _, peak in peer), "nft -f", better="less", goal=20 if name == "country-load" else None)
            if name == "country-load":
                report.add("country-load-kernel", "all of it beside the kernel's own insertion", "ratio",
                           min(r["microseconds"] / r["kernel_microseconds"] for _, r in ours), goal=1.15, absolute=True)
        change(loader, report)


def change(loader, report):
    """One country more: only the difference is sent."""
    took, sent = [], 0
    for _ in range(ROUNDS):
        _, _, output, _ = loader.run([loader.program, loader.database, "allow EU", "allow EU NO"])
        result = json.loads(output.splitlines()[1])
        took.append(result["microseconds"] / 1000)
        sent = result["bytes"]
    report.add("country-change", "EU-27 and one country more", "ms", percentile(took, 0.5), note=f"{sent} bytes sent")
