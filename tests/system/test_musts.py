# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/threat-model.md names the tests of what docs/trust.md demands: they are there, and are run."""

import pathlib
import re

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = TESTS.parent / "docs" / "threat-model.md"
HEAD = "| what must hold | tests |"


def rows():
    """(sentence, [(file, [names])])"""
    text = DOCUMENT.read_text()
    found = []
    for line in text[text.index(HEAD):].split("\n\n")[0].splitlines()[2:]:
        sentence, tests = (cell.strip() for cell in line.strip("|").split("|"))
        entries = []
        for entry in tests.split("; "):
            path, names = re.fullmatch(r"`([\w/]+\.(?:c|py))`: (`\w+`(?:, `\w+`)*)", entry).groups()
            entries.append((path, re.findall(r"`(\w+)`", names)))
        found.append((sentence, entries))
    return found


def runs(path, name):
    text = (TESTS / path).read_text()
    if path.endswith(".py"):
        return re.search(rf"^def {name}\(", text, re.M)
    # once where it is written, and once in the list of those that are run
    return re.search(rf"^static void {name}\(void \*\*state\)", text, re.M) and \
        len(re.findall(rf"\b{name}\b", text)) > 1


@pytest.mark.parametrize("sentence, entries", rows())
def test_every_must_has_its_tests(sentence, entries):
    assert entries
    missing = [f"{path}: {name}" for path, names in entries for name in names if not runs(path, name)]
    assert not missing, f"'{sentence}' names tests that are not there: {missing}"


def test_no_gate_process_signs_approvals():
    """The hub, also as a stand-alone gate, signs tickets and checkpoints; approvals, policies, revocations and commands are
    signed by what people run (relayctl, fwtool), and by nothing else."""
    signs = re.compile(r"\b(\w+_sign|cose_sign1_write|cose_set_write)\(")
    found = {}
    for path in (TESTS.parent / "relayd").rglob("*.c"):
        if path.parent.name not in ("cli", "ctl"):
            found[path.name] = set(signs.findall(path.read_text())) & {
                "approval_sign", "command_sign", "ticket_sign", "checkpoint_sign", "cose_sign1_write", "cose_set_write"}
    assert {name: calls for name, calls in found.items() if calls} == {
        "tickets.c": {"ticket_sign"}, "checkpoints.c": {"checkpoint_sign"}}
