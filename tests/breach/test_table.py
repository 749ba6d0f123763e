# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/threat-model.md says which attack shows what: every name there is a test here, every test has its cell."""

import ast
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent
DOCUMENT = FOLDER.parent.parent / "docs" / "threat-model.md"
WITHOUT_TEST = "n/a"


def rows(head):
    """Cells of the table with this head, without it and its line of dashes."""
    text = DOCUMENT.read_text()
    assert head in text, f"no table '{head}' in {DOCUMENT.name}"
    lines = text[text.index(head):].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def written():
    found = []
    for path in sorted(FOLDER.glob("test_*.py")):
        if path.name != "test_table.py":
            found += [node.name for node in ast.parse(path.read_text()).body
                      if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return found


def names(cells):
    return [name for cell in cells for name in re.findall(r"`(test_\w+)`", cell)]


def all_cells():
    return rows("| row | firmware install |") + rows("| attack | shown by |")


def test_every_cell_has_a_test():
    for row in all_cells():
        for cell in row[1:]:
            assert names([cell]) or cell.startswith(WITHOUT_TEST), f"'{row[0]}' has an empty cell: '{cell}'"
    missing = set(names(cell for row in all_cells() for cell in row)) - set(written())
    assert not missing, f"the table names tests that are not there: {missing}"


def test_every_test_has_a_cell():
    assert len(set(written())) == len(written()), "two tests of one name"
    homeless = set(written()) - set(names(cell for row in all_cells() for cell in row))
    assert not homeless, f"no cell of the table names {homeless}"


def test_every_broken_thing_has_a_row():
    """Rows of the promise are rows of the proof."""
    promised = [row[0] for row in rows("| broken into | firmware install |")]
    shown = [row[0] for row in rows("| row | firmware install |")]
    numbers = [row.split(".")[0] for row in promised if row[0].isdigit()]
    assert numbers and all(any(row.startswith(f"{number}.") for row in shown) for number in numbers)
