# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/porting.md is a checklist of firmware/port: each contract has its section, each function its place there, and what it
points to exists."""

import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = (TOP / "docs/porting.md").read_text()
# formats and helpers that every board shares, and what all contracts have in common
SHARED = {"bundle.h", "flash.h", "journal.h", "port.h", "slot.h"}


def contracts():
    """(header, functions a board brings) of every port/x.h that has some"""
    for header in sorted((TOP / "firmware/port").glob("*.h")):
        structs = re.findall(r"^struct port_\w+ \{(.*?)^\};", header.read_text(), re.DOTALL | re.MULTILINE)
        functions = re.findall(r"\(\*(\w+)\)\(", "".join(structs))
        if functions:
            yield header.name, functions


def section(header):
    match = re.search(rf"^### port/{re.escape(header)}\n(.*?)(?=^##)", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert match, f"docs/porting.md has no section about port/{header}"
    return match.group(1)


def test_every_contract_has_its_section():
    found = dict(contracts())
    assert set(found) >= {"boot.h", "clock.h", "entropy.h", "flash.h", "log.h", "net.h", "secret.h", "tls.h", "watchdog.h"}
    for header, functions in found.items():
        text = section(header)
        missing = [name for name in functions if f"`{name}`" not in text]
        assert not missing, f"port/{header}: {missing}"
        assert "- [ ]" in text and "Pitfalls:" in text


def test_no_section_about_what_is_not_there():
    named = set(re.findall(r"^### port/(\w+\.h)$", DOCUMENT, re.MULTILINE))
    assert named == {header for header, _ in contracts()}
    assert named | SHARED == {path.name for path in (TOP / "firmware/port").glob("*.h")}


def test_what_it_points_to_exists():
    for name in re.findall(r"`((?:ports|app|boot|port|tests|firmware)/[\w./-]+)`", DOCUMENT):
        candidates = [TOP / name, TOP / "firmware" / name]
        assert any(path.exists() or list(path.parent.glob(path.name)) for path in candidates), name
    for name in re.findall(r"\]\(([\w-]+\.md)\)", DOCUMENT):
        assert (TOP / "docs" / name).exists(), name
