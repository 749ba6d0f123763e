#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs clang-tidy with the tree's .clang-tidy over every source of the build. Prints TAP: one case a folder."""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def sources(build):
    commands = json.loads((build / "compile_commands.json").read_text())
    seen = set()
    for entry in commands:
        path = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        relative = path.relative_to(ROOT)
        if relative.parts[0] in ("librelay", "relayd", "firmware", "tools"):
            seen.add(str(relative))
    return sorted(seen)


def tidy(build, name):
    run = subprocess.run(["clang-tidy", "-p", str(build), "--quiet", "--extra-arg=-Wno-unknown-warning-option",
                          "--extra-arg=-Wno-format-nonliteral", name],
                         cwd=ROOT, capture_output=True, text=True)
    lines = [line for line in run.stdout.splitlines() if re.search(r": (error|warning): ", line)]
    return name, lines if run.returncode == 0 or lines else [run.stderr.strip()[-400:]]


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build").resolve()
    folders = {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, lines in pool.map(lambda name: tidy(build, name), sources(build)):
            folders.setdefault(os.path.dirname(name), []).extend(lines)
    print(f"1..{len(folders)}")
    for number, (folder, lines) in enumerate(sorted(folders.items()), 1):
        print(f"{'not ok' if lines else 'ok'} {number} - clang-tidy {folder}")
        for line in sorted(set(lines)):
            print("# " + re.sub(r"^.*?\.\./", "", line.replace(str(ROOT) + "/", "")))
    return 1 if any(folders.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
