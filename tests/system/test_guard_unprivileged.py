# SPDX-License-Identifier: GPL-2.0-or-later
"""An ordinary user's run of the guard's tests: in a user namespace of one's own, where network namespaces are free."""

import pathlib
import subprocess
import sys

import pytest

from lab import netns

FOLDER = pathlib.Path(__file__).resolve().parent
OWN_NAMESPACE = ["unshare", "--user", "--map-root-user", "--net"]


@pytest.mark.skipif(netns.possible(), reason="the tests run by themselves")
@pytest.mark.parametrize("name", ["test_guard_kernel.py", "test_guard_uplink.py"])
def test_in_a_user_namespace(name, tmp_path):
    if subprocess.run([*OWN_NAMESPACE, "true"], capture_output=True).returncode != 0:
        pytest.skip("this host allows no user namespaces")
    done = subprocess.run([*OWN_NAMESPACE, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                           "--basetemp", tmp_path / "t", FOLDER / name], capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout[-4000:]
