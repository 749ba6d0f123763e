#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may include whom (docs/architecture.md). Prints TAP: one case a folder."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# folder or file -> (project folders it may include, foreign headers it may include); the longest match counts
LIBC = None  # headers of libc and the kernel are always allowed
RULES = {
    "librelay": ({"relay"}, set()),
    "librelay/crypto": ({"relay"}, {"wolfssl"}),
    "relayd/util": ({"relay", "util"}, {"systemd"}),
    "relayd/policy": ({"relay", "util", "policy"}, set()),
    "relayd/session": ({"relay", "util", "session"}, set()),
    "relayd/channel": ({"relay", "util", "channel"}, {"systemd"}),
    "relayd/store": ({"relay", "util", "store"}, {"lmdb"}),
    "relayd/audit": ({"relay", "util", "audit"}, set()),
    "relayd/conf": ({"relay", "util", "policy", "conf"}, {"ini"}),
    "relayd/tls": ({"relay", "util", "tls"}, {"wolfssl"}),
    "relayd/uplink": ({"relay", "util", "policy", "tls", "uplink"}, {"systemd"}),
    "relayd/country": ({"relay", "util", "policy", "country"}, {"maxminddb"}),
    "relayd/guard": ({"relay", "util", "policy", "country", "channel", "guard"}, {"systemd", "netlink"}),
    "relayd/front": ({"relay", "util", "session", "channel", "tls", "front"}, {"systemd"}),
    "relayd/hub": ({"relay", "util", "policy", "country", "channel", "store", "audit", "conf", "tls", "uplink", "hub",
                    "guard/message.h"}, {"systemd"}),
    "relayd/hub/main.c": ({"relay", "util", "policy", "country", "channel", "store", "audit", "conf", "tls", "uplink", "hub",
                           "bus"}, {"systemd"}),
    "relayd/bus": ({"relay", "util", "bus", "hub/manager.h"}, {"systemd"}),
    "relayd/cli": ({"relay", "util", "tls", "cli", "uplink/simple.h"}, {"jansson"}),
    "relayd/ctl": ({"relay", "util", "audit", "bus/names.h", "cli", "conf", "tls", "uplink/simple.h", "ctl"},
                   {"systemd", "jansson"}),
    "tools": ({"relay", "util", "tls", "cli", "uplink/simple.h", "tools"}, {"jansson"}),
    "firmware/port": ({"relay", "port"}, set()),
    "firmware/app": ({"relay", "port", "app"}, set()),
    "firmware/examples": ({"relay", "app/application.h", "app/command.h", "app/json.h", "examples"}, set()),
    "firmware/boot": ({"relay", "port", "boot"}, set()),
    "firmware/ports": ({"relay", "port", "app", "boot", "ports"}, set()),
    "firmware/ports/mps2-an505/ns": ({"relay", "port", "app", "boot", "ports"}, {"wolfssl", "lwip"}),
    "firmware/ports/mps2-an505/secure": ({"relay", "port", "boot", "ports"}, {"wolfssl"}),
    "firmware/ports/common": ({"relay", "port", "ports"}, {"wolfssl"}),
    "firmware/ports/common/boot_server": ({"relay", "port", "boot", "ports"}, set()),
}
FOREIGN = {"wolfssl", "lmdb", "ini", "systemd", "jansson", "netlink", "maxminddb", "openssl", "lwip"}
PROJECT = {"relay", "util", "policy", "session", "channel", "store", "audit", "conf", "tls", "uplink", "front", "hub",
           "bus", "cli", "ctl", "port", "app", "boot", "ports", "examples", "tools", "guard", "country", "spark"}


def rule_of(path):
    best = max((name for name in RULES if path == name or path.startswith((name + "/", name + "."))), key=len, default=None)
    return best


def check(path, folder):
    allowed, foreign = RULES[folder]
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        name = match.group(2)
        top = name.split("/")[0].removesuffix(".h")
        where = f"{path}:{number}: "
        if match.group(1) == '"':
            if "/" not in name:
                if not (ROOT / path).with_name(name).exists():
                    yield where + f'"{name}" names no folder'
            elif top in PROJECT and top not in allowed and name not in allowed:
                yield where + f"{folder} may not include {name}"
        elif top in FOREIGN and top not in foreign:
            yield where + f"{folder} may not include the foreign <{name}>"


def main():
    files = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    problems = {}
    counted = {}
    for path in files:
        if path.startswith("tests/"):
            continue
        folder = rule_of(path)
        if folder is None:
            problems.setdefault("(no rule)", []).append(f"{path}: no rule says what it may include")
            continue
        counted[folder] = counted.get(folder, 0) + 1
        problems.setdefault(folder, []).extend(check(path, folder))
    names = sorted(problems)
    print(f"1..{len(names)}")
    for number, name in enumerate(names, 1):
        bad = problems[name]
        print(f"{'not ok' if bad else 'ok'} {number} - includes of {name} ({counted.get(name, 0)} files)")
        for line in bad:
            print("# " + line)
    return 1 if any(problems.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
