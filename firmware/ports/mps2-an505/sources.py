#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sources of libraries as Debian has them, fetched when they are needed and kept in the build folder only."""

import pathlib
import re
import shutil
import subprocess
import sys
import time

TRIES = 3


def run(*command, **options):
    subprocess.run([str(word) for word in command], check=True, text=True, stdout=subprocess.DEVNULL, **options)


def apt(folder):
    """apt-get with source lists and caches of its own in folder: the system's stay as they are"""
    parts, lists, cache = folder / "apt/parts", folder / "apt/lists", folder / "apt/cache"
    for path in (parts, lists / "partial", cache / "archives/partial"):
        path.mkdir(parents=True, exist_ok=True)
    for path in [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*")]:
        if path.suffix == ".sources":
            (parts / path.name).write_text(re.sub(r"(?m)^Types:.*$", "Types: deb-src", path.read_text()))
        elif path.suffix == ".list" and path.exists():
            (parts / path.name).write_text(re.sub(r"(?m)^deb\s", "deb-src ", path.read_text()))
    return ["apt-get", "-qq", "-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::Etc::SourceParts={parts}",
            "-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}", "-o", "APT::Sandbox::User=root",
            "-o", "Acquire::Retries=3"]


def download(folder, name):
    """the package's newest description; apt has checked all files against Debian's signature"""
    command = apt(folder)
    for left in reversed(range(TRIES)):
        try:
            run(*command, "update", cwd=folder)
            run(*command, "source", "--download-only", name, cwd=folder)
            return max(folder.glob(f"{name}_*.dsc"), key=lambda path: path.stat().st_mtime)
        except subprocess.CalledProcessError:
            if not left:
                sys.exit(f"{name}: its source package cannot be fetched. Does apt-get update work here? Then run this again.")
            time.sleep(5)


def fetch(folder, name):
    """Gives the folder with the unpacked source of a Debian source package."""
    folder = pathlib.Path(folder)
    source = folder / name
    if source.is_dir():
        return source
    folder.mkdir(parents=True, exist_ok=True)
    description, half = download(folder, name), folder / f"{name}.half"
    shutil.rmtree(half, ignore_errors=True)
    run("dpkg-source", "--no-check", "-x", description, half)
    half.rename(source)
    return source
