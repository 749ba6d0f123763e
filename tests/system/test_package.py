# SPDX-License-Identifier: GPL-2.0-or-later
"""What an installation holds, from a staged one: every file against a table, and what systemd says of the units."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT

PROGRAM, DATA = 0o755, 0o644
UNITS = ("relayd.service", "relay-mqttd@.service", "relay-mqttd.socket", "relay-guardd.service",
         "relay-country.path", "relay-country.timer", "relay-country.service", "relay-country-import.service")

# below the prefix: path -> mode
FILES = {
    "sbin/relayd": PROGRAM,
    "sbin/relay-mqttd": PROGRAM,
    "sbin/relay-guardd": PROGRAM,
    "sbin/relay-country": PROGRAM,
    "bin/relayctl": PROGRAM,
    "bin/fwtool": PROGRAM,
    **{f"lib/systemd/system/{unit}": DATA for unit in UNITS},
    "lib/sysusers.d/relayd.conf": DATA,
    "lib/tmpfiles.d/relayd.conf": DATA,
    "share/dbus-1/system.d/org.relayd.Relay1.conf": DATA,
    "share/dbus-1/interfaces/org.relayd.Relay1.xml": DATA,
    "share/bash-completion/completions/relayctl": DATA,
    "share/bash-completion/completions/fwtool": DATA,
    "share/doc/relayd/examples/relayd.conf": DATA,
    "share/doc/relayd/examples/gate.conf": DATA,
    "share/doc/relayd/examples/gate-role.conf": DATA,
    "share/doc/relayd/examples/gate-only.service.conf": DATA,
    "share/man/man1/relayctl.1": DATA,
    "share/man/man1/fwtool.1": DATA,
    "share/man/man5/relayd.conf.5": DATA,
    "share/man/man8/relayd.8": DATA,
    "share/man/man8/relay-mqttd.8": DATA,
    "share/man/man8/relay-guardd.8": DATA,
    "share/man/man8/relay-country.8": DATA,
}


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """The prefix's folder of an installation that went to a folder of its own."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet"], check=True, capture_output=True,
                   env={**os.environ, "DESTDIR": str(folder)})
    return next(path.parent for path in folder.rglob("sbin"))


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_nothing_is_missing_and_nothing_too_much(staged):
    assert files(staged) == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_mode_and_content(staged, name):
    path = staged / name
    assert path.stat().st_mode & 0o777 == FILES[name]
    assert path.stat().st_size > 0


@pytest.mark.parametrize("name", [name for name, mode in FILES.items() if mode == PROGRAM])
def test_program_names_its_version(staged, name):
    done = subprocess.run([staged / name, "--version"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0
    assert re.fullmatch(rf"{pathlib.Path(name).name} \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize("name, options", (("relayd.conf", []), ("gate.conf", ["--gate-only"])))
def test_example_configuration_is_valid(staged, name, options):
    done = subprocess.run([staged / "sbin/relayd", "--config", staged / "share/doc/relayd/examples" / name, *options,
                           "--check-config"], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


def test_packages_take_everything():
    """Each file stands in exactly one package; the lists may name whole folders."""
    lines = []
    for package in ("relayd", "relayd-tools"):
        lines += (ROOT / "debian" / f"{package}.install").read_text().split()
    for name in FILES:
        takers = [line for line in lines if f"usr/{name}" == line or f"usr/{name}".startswith(line + "/")]
        assert len(takers) == 1, f"{name}: {takers}"


@pytest.mark.parametrize("unit, limit", [("relay-mqttd@.service", 0.5)] + [
    (unit, 1.5) for unit in UNITS if unit.endswith(".service") and not unit.startswith("relay-mqttd")])
def test_sandbox(unit, limit):
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager",
                           ROOT / "etc/systemd/system" / unit], capture_output=True, text=True, timeout=60)
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert exposure, done.stdout + done.stderr
    assert float(exposure.group(1)) <= limit


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_understood(unit, tmp_path):
    """systemd finds no fault; the programs of this build stand in for the installed ones."""
    for name in UNITS:
        text = (ROOT / "etc/systemd/system" / name).read_text()
        for program, place in (("relayd", "hub"), ("relay-mqttd", "front"), ("relay-guardd", "guard"),
                               ("relay-country", "country")):
            text = text.replace(f"/usr/sbin/{program} ", f"{BUILD}/relayd/{place}/{program} ")
        (tmp_path / name).write_text(re.sub(r"^(User|Documentation)=.*\n", "", text, flags=re.MULTILINE))
    checked = unit.replace("@.", "@1.")
    if checked != unit:
        shutil.copy(tmp_path / unit, tmp_path / checked)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", tmp_path / checked],
                          capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


# pkg-config's name -> Debian's package; threads are the C library's
PACKAGES = {
    "cmocka": "libcmocka-dev",
    "inih": "libinih-dev",
    "jansson": "libjansson-dev",
    "libmaxminddb": "libmaxminddb-dev",
    "libnl-3.0": "libnl-3-dev",
    "libsystemd": "libsystemd-dev",
    "lmdb": "liblmdb-dev",
    "threads": "",
    "wolfssl": "libwolfssl-dev",
}


def test_what_the_build_needs_is_installed_everywhere():
    """make demo on a fresh machine and the package's build know each library that meson.build asks for."""
    asked = set()
    for path in ROOT.rglob("meson.build"):
        asked |= set(re.findall(r"(?<![a-z_])dependency\('([^']+)'", path.read_text()))
    assert asked == set(PACKAGES)
    fresh = (ROOT / "tests/deps").read_text().split("build=", 1)[1].split('"')[1].split()
    package = (ROOT / "debian/control").read_text().split("Build-Depends:", 1)[1].split("Standards-Version", 1)[0]
    for name in filter(None, PACKAGES.values()):
        assert name in fresh
        assert f" {name},\n" in package
