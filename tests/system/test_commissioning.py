# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/commissioning.md, played: its own lines, in its order, by the real programs. What differs are names and addresses."""

import pathlib
import re
import shlex
import shutil

import pytest

from conftest import BUILD
from lab.process import wait_until
from lab.site import SITE, World

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "commissioning.md"
ON_A_SYSTEM = ("apt", "systemctl", "device-local")  # packages and services; device-local has tests of its own


def lines():
    """The commands of the page's blocks, in order."""
    blocks = re.findall(r"^```\n(.*?)^```", PAGE.read_text(), re.S | re.M)
    return [shlex.split(line) for line in "".join(blocks).replace("\\\n", " ").splitlines()]


class Site(World):
    """A world whose relay, policy and trust are made by the page."""

    def __init__(self):
        super().__init__(BUILD, devices=1, ticket=True)
        self.desk = self.folder / "desk"  # where the files of the page lie
        self.desk.mkdir()
        self.policy = self.desk / "site-policy.cbor"

    def replaced(self, words):
        """The same command for this world."""
        files, certificates = self.folder / "gateway" / "etc" / "relayd", self.cloud.certificates
        values = {"mill": SITE, "10.0.0.1:8883": f"127.0.0.1:{self.port}", "HEX": self.pin(certificates / "cloud.crt"),
                  "cloud.acme.example:8883": f"{self.cloud_address}:{self.cloud.port}"}
        words = [values.get(word, word) for word in words if word not in ("-H", "gateway")]
        if words[1] == "setup":
            words += ["--root", str(self.folder / "gateway"), "--bus-address", self.bus, "--yes",
                      "--uplink-certificate", str(certificates / f"relay.{SITE}.crt"),
                      "--uplink-key", str(certificates / f"relay.{SITE}.key")]
        if words[1:3] == ["keys", "create"]:
            words.append("--no-passphrase")
        if "--key" in words:
            words.append("--yes")
        return words, files

    def play(self, words):
        words, files = self.replaced(words)
        person = next((name for name in ("anna", "bertil") if f"{name}.key" in words), "integrator")
        done = self.relayctl(*words[1:], person=person, cwd=self.desk)
        if words[1] == "setup":
            shutil.copy(files / "site-policy.cbor", self.policy)
        return done


@pytest.fixture
def site():
    world = Site()
    try:
        world.make_vendor()
        world.make_factory()
        world.make_cloud()
        yield world
    finally:
        world.close()


def remember(site):
    """What an approver compared when he signed: the digests, on the telephone."""
    for person in ("anna", "bertil"):
        folder = site.folder / "people" / person / ".config/relayd/trust" / SITE
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(site.policy, folder / "site-policy.cbor")
        shutil.copy(site.desk / "vendor-keys.cbor", folder / "vendor-keys.cbor")


def test_the_page(site):
    for name in ("bertil", "cecilia", "david"):  # anna's is the page's
        site.relayctl("keys", "create", site.desk / f"{name}.key", "--no-passphrase")
    shutil.copy(site.folder / "vendor" / "vendor-keys.cbor", site.desk)
    shutil.copy(site.folder / "factory" / "devices.cbor", site.desk)
    shutil.copy(site.folder / "factory" / "ca" / "ca.crt", site.desk / "factory-ca.crt")
    shutil.copy(site.cloud.certificates / "ca.crt", site.desk / "cloud-ca.crt")
    played = []
    for words in lines():
        if words[0] == "systemctl":
            site.make_devices()
            site.start_bus()
            site.cloud.start()
            site.start_relay()
        if words[0] in ON_A_SYSTEM:
            continue
        if words[1:3] == ["-H", "gateway"] and "update" not in played:
            remember(site)
            site.start_device("device-1")
            site.publish(*site.make_image("1.1.0", 2, site.program("plant-care-1.1.0"), urgency="security"))
            wait_until("the update to show", lambda: any(u["Version"] == "1.1.0" for u in site.relayctl_json("updates")))
            played.append("update")
        done = site.play(words)
        if "show" in words and "1.1.0" in words:
            site.wait_device("device-1", "to confirm 1.1.0", lambda d: d["FirmwareVersion"] == "1.1.0" and d["Online"]
                             and d["UpdateState"] == "confirmed", patience=180)
        played.append(" ".join(words[1:3]))
        assert done.returncode == 0
    status = site.relayctl_json("status")
    assert (status["PolicyEpoch"], status["ApprovalEpoch"], status["GateAnswers"]) == (2, 1, True)
    assert {"keys create", "setup --site", "approvers sign", "approvers import"} <= set(played)
