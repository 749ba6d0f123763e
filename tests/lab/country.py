# SPDX-License-Identifier: GPL-2.0-or-later
"""Address databases of a test's own, and a relay that uses one."""

import ipaddress
import os
import subprocess

# public addresses of these countries, as far as the tests go
NETWORKS = {
    "192.0.2.0/24": "FI", "198.51.100.0/24": "RU", "203.0.113.0/24": "SE", "100.100.0.0/16": "US",
    "2001:db8:1::/64": "FI", "2001:db8:2::/64": "RU", "2001:db8:3::/64": "SE",
}


def make_database(build, folder, networks=None, date=None):
    """The compiled database of {network: country}; date: Unix seconds of its data."""
    rows = {4: [], 6: []}
    for text, country in (networks or NETWORKS).items():
        network = ipaddress.ip_network(text)
        rows[network.version].append((network[0], network[-1], country))
    texts = {4: folder / "geoip", 6: folder / "geoip6"}
    for version, path in texts.items():
        lines = [(int(first), int(last)) if version == 4 else (first, last) for first, last, _ in sorted(rows[version])]
        path.write_text("".join(f"{first},{last},{row[2]}\n" for (first, last), row in zip(lines, sorted(rows[version]))))
        if date:
            os.utime(path, (date, date))
    subprocess.run([build / "relayd/country/relay-country", "compile", "--force", "--output", folder / "country.db",
                    "--tor4", texts[4], "--tor6", texts[6]], check=True, capture_output=True)
    return folder / "country.db"


def configure(world, database, *lines):
    """A drop-in of the world's relayd.conf."""
    folder = world.config().parent / "relayd.conf.d"
    folder.mkdir(exist_ok=True)
    (folder / "country.conf").write_text("\n".join(["[country]", f"database = {database}", *lines]) + "\n")
