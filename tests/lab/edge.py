# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's world with its gateway in a network namespace and cloud and devices outside of it: real addresses, a real guard."""

import os

from .country import configure, make_database
from .mqtt import Raw, connect_packet
from .netns import PLACES, Net
from .process import wait_until
from .site import World

IN_GATEWAY = ("hub", "front", "guard")


class Edge(World):
    """The cloud is in SE (203.0.113.10); the gateway has address .1 in every place of lab/netns.py."""

    def __init__(self, build, **options):
        super().__init__(build, **options)
        self.net = Net()
        self.port = 8883
        self.cloud_address = self.net.address("SE", 4, 10)

    def placed(self, name, command):
        return self.net.gateway.command(*command) if name in IN_GATEWAY else command

    def listen_options(self):
        return ["--listen", f"0.0.0.0:{self.port}", "--listen", f"[::]:{self.port}"]

    def make(self):
        self.make_vendor()
        self.make_factory()
        self.make_cloud()
        self.cloud.command = self.net.outside.command
        self.make_people()
        self.make_relay()
        self.database = make_database(self.build, self.folder)
        # a lost way must not be found out by the keep-alive
        configure(self, self.database, "[uplink]", "keep_alive = 1h", "[firewall]", "lockdown = allowed")
        self.add_application("app.all", ["#"], ["#"])
        return self

    def start_guard(self, *options, wrapper=()):
        self.start("guard", [*wrapper, self.program("relay-guardd"), "--channel", self.runtime() / "guard.channel", "--database",
                             self.database, "--hub-user", os.getuid(), "--ports", self.port, *options])

    def start_all(self):
        self.start_bus()
        self.cloud.start()
        self.start_relay()
        self.import_all()
        return self

    # ---- somebody outside

    def session(self, identity, place, version, host=10):
        """A device's or an application's MQTT session from that place: None (no TCP), or (Raw, reason code of the CONNACK)."""
        plain = self.net.connect(place, version, self.port, host=host)
        if not plain:
            return None
        client = Raw(self.port, self.credentials(identity), plain=plain)
        client.send(connect_packet(identity))
        connack = client.packet()
        return client, connack[2][1] if connack else None

    def inside(self, identity):
        """A session over the gateway's own loopback."""
        with self.net.gateway.entered():
            client = Raw(self.port, self.credentials(identity))
        client.send(connect_packet(identity))
        assert client.packet()[2][1] == 0
        return client

    def restore_wire(self):
        """After the wire was down: both ends are up, and have the addresses again that IPv6 lost."""
        for namespace, host in ((self.net.gateway, "1"), (self.net.outside, "10")):
            namespace.run("ip", "link", "set", "wan0", "up")
            for _, ipv6 in PLACES.values():
                namespace.run("ip", "address", "replace", f"{ipv6}{host}/64", "dev", "wan0", "nodad")

    # ---- asking the relay

    def shown(self):
        return self.relayctl_json("country", "show")

    def judged(self, address, *options):
        return self.relayctl_json("country", "test", address, *options)

    def alerts(self, reason):
        return [alert for alert in self.relayctl_json("alerts") if alert["reason"] == reason]

    def status(self):
        return self.relayctl_json("status")

    def wait_for_guard(self, state="in-force"):
        wait_until(f"the guard to be {state}", lambda: self.shown()["GuardState"] == state)

    def close(self):
        super().close()
        self.net.close()
