# SPDX-License-Identifier: GPL-2.0-or-later
"""Look-ups of countries beside libmaxminddb on the same data, and how long compiling Debian's database takes."""

import json
import pathlib
import resource
import subprocess
import tempfile
import time

SOURCES = [pathlib.Path("/usr/share/tor/geoip"), pathlib.Path("/usr/share/tor/geoip6")]


def bench(build, report):
    build = pathlib.Path(build)
    if not all(source.exists() for source in SOURCES):
        print("country-lookup: left out, tor-geoipdb is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        database = pathlib.Path(folder) / "country.db"
        began = time.monotonic()
        subprocess.run([build / "relayd" / "country" / "relay-country", "compile", "--output", database], check=True,
                       stdout=subprocess.DEVNULL)
        took = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        done = subprocess.run([build / "tests" / "bench" / "lookup", database, pathlib.Path(folder) / "peer.mmdb"], check=True,
                              capture_output=True, text=True)
        size = database.stat().st_size
    seen = json.loads(done.stdout)
    for family in ("4", "6"):
        report.add(f"country-lookup{family}", f"look-up of an IPv{family} address's country", "ns", seen["ours" + family],
                   seen["peer" + family], "libmaxminddb", better="less", note=f"its tree alone: {seen['tree' + family]:.0f} ns")
    report.add("country-lookup", "look-up of an address's country, both families alike", "ns", (seen["ours4"] + seen["ours6"]) / 2,
               (seen["peer4"] + seen["peer6"]) / 2, "libmaxminddb", better="less", goal=10)
    report.add("country-file", "the mapped file with tor-geoipdb, both families", "MB", size / 1e6, goal=8, absolute=True)
    report.add("country-compile", "compiling tor-geoipdb", "s", took, goal=2, absolute=True, note=f"peak of children {peak // 1024} MiB")
