# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo as a program: it shows the whole main job, and it says so when it cannot."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from conftest import BUILD, ROOT

STEPS = 7


def demo(*arguments, **environment):
    return subprocess.run([sys.executable, ROOT / "demo/demo.py", *arguments], capture_output=True, text=True,
                          timeout=300, env={**os.environ, **environment})


def rows(output):
    """[(ok or FAILED, number)] of the table at the end"""
    table = output.split("What was shown", 1)[1]
    return re.findall(r"^  (ok|FAILED) +(\d)  ", table, re.MULTILINE)


def test_shows_every_step():
    done = demo("--build", BUILD)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(done.stdout) == [("ok", str(number)) for number in range(1, STEPS + 1)]
    assert "\033" not in done.stdout  # no colour in a file


@pytest.mark.parametrize("missing", ["mosquitto", "mosquitto_sub", "dbus-daemon", "openssl"])
def test_says_which_program_is_missing(missing, tmp_path):
    """All of PATH but one program."""
    for folder in reversed(os.environ["PATH"].split(":") + ["/usr/sbin"]):
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            (tmp_path / name).unlink(missing_ok=True)
            (tmp_path / name).symlink_to(os.path.join(folder, name))
    (tmp_path / missing).unlink()
    done = demo("--build", BUILD, PATH=str(tmp_path))
    assert shutil.which(missing), "it is there for the others"
    assert done.returncode == 1
    assert f"{missing} is not installed; make demo installs it" in done.stderr
    assert "Traceback" not in done.stderr


def test_says_what_is_not_built(tmp_path):
    done = demo("--build", str(tmp_path))
    assert done.returncode == 1
    assert "is not built" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert rows(done.stdout) == [("FAILED", "1")]
