# SPDX-License-Identifier: GPL-2.0-or-later
"""Events from many devices through a relay to a cloud: ours, and mosquitto as a bridge, with the same clients and sinks."""

import json
import subprocess
import time

import measure
from lab.cloud import Cloud
from lab.process import LabError, Process, free_port

DEVICES = 200
WINDOW = 16
SECONDS = 3
ROUNDS = 3
QUIET = 5.0  # seconds without a new event after which nothing more is believed to come


class CountingSink:
    """The harness's own broker: acknowledges at once and counts distinct events."""
    name = "counting sink"

    def __init__(self, build, certificates):
        self.popen = subprocess.Popen([build / "tests" / "bench" / "sink", certificates / "cloud.crt", certificates / "cloud.key"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.popen.stdout.readline())

    def ask(self, line):
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()
        return json.loads(self.popen.stdout.readline())

    def begin(self):
        self.ask("new")

    def arrived(self):
        """(events so far, time of the last one)"""
        seen = self.ask("count")
        return seen["events"], seen["last"]

    def stop(self):
        self.popen.stdin.close()
        self.popen.wait()


class MosquittoSink:
    """A real broker; what it took is read from its own statistics, once a second."""
    name = "mosquitto as the cloud"
    topic = "$SYS/broker/publish/messages/received"

    def __init__(self, folder, certificates):
        self.cloud = Cloud(folder, certificates)
        (folder / "acl").write_text("user relay.s1\ntopic readwrite #\n\nuser ops.acme\ntopic read #\ntopic read $SYS/#\n")
        with (folder / "mosquitto.conf").open("a") as config:
            config.write("sys_interval 1\n")
        self.cloud.start()
        self.port = self.cloud.port
        self.watcher = self.cloud.watch(self.topic)
        self.base = 0

    def total(self):
        messages = self.watcher.messages()
        return (int(messages[-1]["payload"]), measure.seconds(messages[-1]["tst"])) if messages else (0, 0)

    def begin(self):
        time.sleep(2)  # the statistics of what came before
        self.base = self.total()[0]

    def arrived(self):
        count, when = self.total()
        return count - self.base, when - time.time() + time.monotonic()

    def stop(self):
        self.watcher.stop()
        self.cloud.stop()


class Bridge:
    """mosquitto between the same devices and the same sink, with persistence and without a limit of its queue."""
    name = "mosquitto bridge, persistence on"

    def __init__(self, world, folder, sink):
        certificates, etc = world.cloud.certificates, world.folder / "gateway" / "etc" / "relayd"
        folder.mkdir()
        (folder / "ca.crt").write_text((world.folder / "factory" / "ca" / "ca.crt").read_text())
        self.port = free_port()
        self.ca = certificates / "ca.crt"
        config = folder / "mosquitto.conf"
        config.write_text(f"""\
listener {self.port} 127.0.0.1
cafile {folder}/ca.crt
certfile {certificates}/cloud.crt
keyfile {certificates}/cloud.key
require_certificate true
use_identity_as_username true
allow_anonymous false
tls_version tlsv1.3
user root
set_tcp_nodelay true
max_queued_messages 0
max_inflight_messages 1000
persistence true
persistence_location {folder}/
log_dest stderr
log_type error
log_type information
log_type notice
connection cloud
address 127.0.0.1:{sink.port}
bridge_protocol_version mqttv50
remote_clientid relay.s1
topic sites/# out 1
cleansession false
notifications false
try_private false
restart_timeout 1
bridge_cafile {certificates}/ca.crt
bridge_certfile {etc}/uplink.crt
bridge_keyfile {etc}/keys/uplink.key
""")
        self.process = Process("bridge", ["mosquitto", "-c", config], folder / "bridge.log")
        self.process.wait_for(r"mosquitto version .* running")
        self.processes = [self.process]

    def stop(self):
        self.process.stop()


class Relay:
    """Ours, with its uplink turned to the sink."""
    name = "relay"

    def __init__(self, world, sink):
        self.world = world
        self.port, self.ca = world.port, world.folder / "gateway" / "etc" / "relayd" / "relay.crt"
        self.turn(world.cloud.port, sink.port)
        self.sink_port = sink.port
        world.processes["hub"].wait_for("uplink is up")
        self.processes = [world.processes["hub"], world.processes["front"]]

    def turn(self, old, new):
        config = self.world.config()
        config.write_text(config.read_text().replace(f"port = {old}\n", f"port = {new}\n"))
        for name in ("front", "hub"):
            self.world.processes[name].kill()
        self.world.start_relay()

    def stop(self):
        self.turn(self.sink_port, self.world.cloud.port)


def add_devices(world):
    """Certificates and factory list entries of the load's devices; before the list is imported."""
    factory = world.folder / "factory"
    for number in range(1, DEVICES + 1):
        name = f"load-{number}"
        world.fwtool("ca", "issue", "--ca", factory / "ca", "--identity", name, "-o", factory / name)
        world.fwtool("factory", "add", "--list", factory / "devices.cbor", "--domain", "acme.example", "--class", "plant-care",
                     "--identity", name, "--certificate", factory / f"{name}.crt")


def run_once(world, target, sink):
    sink.begin()
    cpu = measure.cpu_seconds(target.processes)
    done = subprocess.run([str(part) for part in (world.build / "tests" / "bench" / "events", target.port, target.ca,
                                                  world.folder / "factory", DEVICES, SECONDS, WINDOW)],
                          capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"load on {target.name}: {done.stderr}")
    load = json.loads(done.stdout)
    count, changed = -1, time.monotonic()
    while count < load["acknowledged"] and time.monotonic() - changed < QUIET:
        seen, last = sink.arrived()
        if seen != count:
            count, changed = seen, time.monotonic()
        time.sleep(0.05)
    cpu = measure.cpu_seconds(target.processes) - cpu
    return {"rate": count / (last - load["start"]), "per_cpu": count / cpu, "p50": load["p50"], "p99": load["p99"],
            "missing": load["acknowledged"] - count, "refused": load["refused"]}


def alternate(world, sink, folder, rounds):
    """Runs in turns; for each figure the median."""
    targets = {"ours": Relay(world, sink), "peer": Bridge(world, folder, sink)}
    runs = {who: [] for who in targets}
    try:
        for _ in range(rounds):
            for who, target in targets.items():
                runs[who].append(run_once(world, target, sink))
    finally:
        for target in targets.values():
            target.stop()
    return {who: {key: measure.percentile([run[key] for run in rows], 0.5) for key in rows[0]} for who, rows in runs.items()}


def bench(world, report):
    what = f"QoS 1 events of {DEVICES} devices, {WINDOW} on their way each, delivered"
    sink = CountingSink(world.build, world.cloud.certificates)
    try:
        result = alternate(world, sink, world.folder / "bridge", ROUNDS)
    finally:
        sink.stop()
    ours, peer = result["ours"], result["peer"]
    missing = "".join(f"; {who}: {int(row['missing']):,} acknowledged events missing" for who, row in result.items() if row["missing"])
    report.add("events-durable", what, "1/s", ours["rate"], peer["rate"], Bridge.name, goal=2, note=f"ours on disk first{missing}")
    report.add("events-p50", "publish to PUBACK, median", "ms", ours["p50"], peer["p50"], Bridge.name, better="less")
    report.add("events-p99", "publish to PUBACK, 99 of 100", "ms", ours["p99"], peer["p99"], Bridge.name, better="less", goal=1)
    report.add("events-cpu", "events per CPU-second of the relay's processes", "1/s", ours["per_cpu"], peer["per_cpu"], Bridge.name,
               goal=2)
    sink = MosquittoSink(world.folder / "cloud" / "counted", world.cloud.certificates)
    try:
        result = alternate(world, sink, world.folder / "bridge-2", 1)
    finally:
        sink.stop()
    ours, peer = result["ours"], result["peer"]
    report.add("events-mosquitto", "the same with mosquitto as the cloud", "1/s", ours["rate"], peer["rate"], Bridge.name)
