# SPDX-License-Identifier: GPL-2.0-or-later
"""A site without a cloud: vendor, factory, people, relay with uplink = none, devices. What crosses its fence are files."""

from .site import PEOPLE, SITE, THRESHOLD, World


class AirGapped(World):
    ticket = ("--ticket",)  # every install needs the gate's fresh word

    def make_relay(self):
        approvers = [part for person in PEOPLE
                     for part in ("--approver", self.folder / "people" / person / "approver.key.pub")]
        gateway = self.folder / "gateway"
        self.relayctl("setup", "--root", gateway, "--site", SITE, *approvers, "--threshold", THRESHOLD,
                      "--listen", f"127.0.0.1:{self.port}", "--device-ca", self.folder / "factory" / "ca" / "ca.crt",
                      "--bus-address", self.bus, "--yes", *self.ticket)
        self.policy = gateway / "etc" / "relayd" / "site-policy.cbor"
        for person in PEOPLE[:THRESHOLD]:
            self.relayctl("approvers", "sign", self.policy, "--key", self.folder / "people" / person / "approver.key", "--yes",
                          person=person)

    def configure(self, *lines):
        """Before the hub starts."""
        folder = self.config().with_name("relayd.conf.d")
        folder.mkdir(exist_ok=True)
        (folder / "test.conf").write_text("\n".join(lines) + "\n")

    def make(self):
        self.make_vendor()
        self.make_factory()
        self.make_people()
        self.make_relay()
        return self

    def start_all(self):
        self.start_bus()
        self.start_relay()
        self.import_all()
        return self

    def restart_hub(self, kill=False):
        (self.processes["hub"].kill if kill else self.processes["hub"].stop)()
        self.start_hub()
