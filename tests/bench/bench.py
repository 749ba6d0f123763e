#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures the relay beside mosquitto, in the same run with the same clients; prints a table and writes report.json."""

import argparse
import json
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import countryload  # noqa: E402
import countrylookup  # noqa: E402
import events  # noqa: E402
import fanout  # noqa: E402
import fanoutdevices  # noqa: E402
import measure  # noqa: E402
from lab import dice  # noqa: E402
from lab.cloud import Cloud  # noqa: E402
from lab.process import wait_until  # noqa: E402
from lab.site import World  # noqa: E402

LOADERS = 4
IDENTITIES = 50  # of applications; one may have 100 sessions
ROUNDS = 3
SECONDS = 3


class Bench:
    def __init__(self, world, report):
        self.world, self.report = world, report
        self.peer = None

    def relay_processes(self):
        return [self.world.processes["hub"], self.world.processes["front"]]

    def loader(self, port, ca, seconds, processes=LOADERS, hold=None, prefix=None):
        command = [self.world.build / "tests" / "bench" / "handshakes", port, ca,
                   prefix or self.world.folder / "applications" / "app.load", seconds, processes] + ([hold] if hold else [])
        return [str(part) for part in command]

    def start_peer(self):
        """mosquitto that believes the same application certificates."""
        folder = self.world.folder / "peer"
        folder.mkdir()
        certificates = self.world.cloud.certificates
        for name in ("cloud.crt", "cloud.key"):
            (folder / name).write_bytes((certificates / name).read_bytes())
        own = (certificates / "ca.crt").read_text()
        (folder / "ca.crt").write_text(own + (self.world.folder / "applications" / "ca" / "ca.crt").read_text())
        self.peer = Cloud(folder / "broker", folder)
        (folder / "broker" / "acl").write_text("pattern readwrite #\n")
        self.peer.start()

    def targets(self):
        relay_ca = self.world.folder / "gateway" / "etc" / "relayd" / "relay.crt"
        return {"ours": (self.world.port, relay_ca, self.relay_processes()),
                "peer": (self.peer.port, self.world.folder / "peer" / "ca.crt", [self.peer.process])}

    def handshakes(self):
        rates = {"ours": [], "peer": []}
        for _ in range(ROUNDS):
            for who, (port, ca, processes) in self.targets().items():
                before = measure.cpu_seconds(processes)
                done = subprocess.run(self.loader(port, ca, SECONDS), capture_output=True, text=True)
                sessions = json.loads(done.stdout)["sessions"]
                rates[who].append(sessions / (measure.cpu_seconds(processes) - before))
        ours, peer = (measure.percentile(rates[who], 0.5) for who in ("ours", "peer"))
        self.report.add("handshake-cpu", "TLS 1.3 mutual handshakes with CONNECT per CPU-second of the server", "1/s", ours, peer,
                        "mosquitto", goal=2.5)
        self.proofs()

    def proofs(self):
        """The same with devices that prove themselves (DICE-1); no broker to compare with knows it."""
        devices = [dice.Device(self.world, f"load-{number}") for number in range(1, LOADERS + 1)]
        dice.register(self.world, *devices)
        for device in devices:
            device.save(self.world.folder / "dice" / device.identity)
        port, ca, processes = self.targets()["ours"]
        rates = []
        for _ in range(ROUNDS):
            before = measure.cpu_seconds(processes)
            done = subprocess.run(self.loader(port, ca, SECONDS, prefix=self.world.folder / "dice" / "load"), capture_output=True,
                                  text=True, check=True)
            rates.append(json.loads(done.stdout)["sessions"] / (measure.cpu_seconds(processes) - before))
        self.report.add("handshake-dice-cpu", "the same with boot stages' certificates and DICE-1", "1/s",
                        measure.percentile(rates, 0.5))

    def session_memory(self, count=5000):
        growth = {}
        for who, (port, ca, processes) in self.targets().items():
            before = sum(measure.pss_kib(process) for process in processes)
            load = subprocess.Popen(self.loader(port, ca, 0, IDENTITIES, count // IDENTITIES), stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, text=True)
            opened = json.loads(load.stdout.readline())["sessions"]
            if opened != count:
                raise RuntimeError(f"{who}: {opened} of {count} sessions opened")
            growth[who] = (sum(measure.pss_kib(process) for process in processes) - before) / count
            load.stdin.close()
            load.wait()
        self.report.add("session-memory", f"user memory per idle session ({count:,} sessions)", "KiB", growth["ours"], growth["peer"],
                        "mosquitto", better="less", goal=8, absolute=True)

    def idle_memory(self):
        for process in self.relay_processes():
            self.report.add(f"idle-{process.name}", f"PSS of {process.command[0].rsplit('/', 1)[-1]}, idle", "KiB",
                            measure.pss_kib(process))
        total = sum(measure.pss_kib(process) for process in self.relay_processes())
        self.report.add("idle-memory", "PSS of all processes, idle", "KiB", total, 14.8 * 1024, "Greengrass nucleus lite, as published",
                        better="less", goal=8192, absolute=True)

    def start(self):
        took = []
        for _ in range(5):
            self.world.processes["front"].kill()
            self.world.processes["hub"].kill()
            began = time.monotonic()
            self.world.start_relay()
            load = subprocess.run(self.loader(*self.targets()["ours"][:2], 0, 1, 1), capture_output=True, text=True, stdin=subprocess.DEVNULL)
            took.append(time.monotonic() - began)
            if json.loads(load.stdout)["sessions"] != 1:
                raise RuntimeError(load.stderr)
        self.report.add("start", "start to first session accepted", "s", measure.percentile(took, 0.5), 1.7,
                        "Greengrass nucleus lite on a Pi 4, as published", better="less", goal=0.2, absolute=True)

    def failover(self, rounds=10):
        """SIGKILL of the relay's processes -> each device's state/direct at the cloud. The devices start anew in each round:
        one that loses its relay again and again stays with the cloud for longer and longer."""
        world, took = self.world, []
        watcher = world.cloud.watch("sites/+/devices/+/state/direct", name="failover")
        for _ in range(rounds):
            for name in world.devices:
                world.start_device(name)
            for name in world.devices:
                world.wait_device(name, "is at the relay", lambda device: device["Online"])
            seen = len(watcher.messages())
            world.processes["front"].kill()
            world.processes["hub"].kill()
            began, arrived = time.time(), {}

            def all_there():
                for message in watcher.messages()[seen:]:
                    if message["payload"] and json.loads(message["payload"])["online"]:
                        arrived.setdefault(message["topic"], measure.seconds(message["tst"]) - began)
                return len(arrived) == len(world.devices)
            wait_until("all devices at the cloud", all_there, 60)
            took += arrived.values()
            for name in world.devices:
                world.processes[name].kill()
            world.start_relay()
        watcher.stop()
        self.report.add("failover", f"relay killed -> device in session at the cloud, median of {len(took)}", "s",
                        measure.percentile(took, 0.5), goal=1, absolute=True, note=f"longest {max(took):.2f} s")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--build", default="build")
    options.add_argument("--only", help="one measurement, by its name here")
    options = options.parse_args()

    report = measure.Report(pathlib.Path(options.build) / "bench" / "report.json")
    with World(options.build, devices=5, proves=True) as world:
        world.make()
        if options.only in (None, "events"):
            events.add_devices(world)
        for number in range(1, IDENTITIES + 1):
            world.add_application(f"app.load-{number}", ["#"], ["#"])
        world.start_all()
        bench = Bench(world, report)
        bench.start_peer()
        print(f"{'id':<16} {'ours':>12} {'peer':>12} {'ratio':>7} {'goal':>11} {'met':>4}  what")
        try:
            for name, run in {"idle": bench.idle_memory, "start": bench.start, "handshakes": bench.handshakes,
                              "sessions": bench.session_memory,
                              "events": lambda: events.bench(world, report), "failover": bench.failover,
                              "update-fanout": lambda: (fanout.bench(options.build, report),
                                                        fanoutdevices.bench(options.build, report)),
                              "country-lookup": lambda: countrylookup.bench(options.build, report),
                              "country-load": lambda: countryload.bench(options.build, report)}.items():
                if options.only in (None, name):
                    run()
        finally:
            bench.peer.stop()
    report.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
