# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices, gateway and cloud in network namespaces of their own, a wire between each two of them, and no way out.

    devices 10.0.0.2 -- lan -- 10.0.0.1 gateway 10.2.0.1 -- up -- 10.2.0.10 cloud
    devices 10.1.0.2 -- wan -- 10.1.0.10 cloud

The cloud is 203.0.113.10 for both. It knows the way by which an event came: what devices bring themselves stands below "direct/",
what the relay brings below "relay/" (the broker's mount points). One watcher at the cloud's own loopback sees everything. The broker
writes to it, at QoS 0, before it acknowledges to the sender: what a sender believes to be delivered was seen, even if the broker is
killed in the next moment.
"""

import datetime
import json
import pathlib
import subprocess

from .cloud import Cloud, user_properties
from .fence import wire
from .netns import Namespace
from .process import Process, wait_until
from .site import PEOPLE, SITE, THRESHOLD, World

CLOUD, GATEWAY = "203.0.113.10", "10.0.0.1"
DEVICE_PORT, UPLINK_PORT, WATCH_PORT = 8883, 8884, 1883
# wire -> (namespace where it is cut, its interface there)
WIRES = {"lan": ("gateway", "lan0"), "wan": ("cloud", "wan0"), "up": ("cloud", "up0")}

TLS_LISTENER = """\
listener {port} {address}
cafile {certificates}/ca.crt
certfile {certificates}/cloud.crt
keyfile {certificates}/cloud.key
require_certificate true
use_identity_as_username true
allow_anonymous false
tls_version tlsv1.3
mount_point {way}/
"""


def seconds(stamp):
    """Unix time of a mosquitto_sub time stamp, with its microseconds."""
    return datetime.datetime.strptime(stamp.replace("Z", ""), "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


class TriangleCloud(Cloud):
    def __init__(self, folder, certificates, namespace):
        super().__init__(folder, certificates, port=DEVICE_PORT, address=CLOUD)
        self.command = namespace.command
        listeners = "".join(TLS_LISTENER.format(port=port, address=CLOUD, certificates=certificates, way=way)
                            for port, way in ((DEVICE_PORT, "direct"), (UPLINK_PORT, "relay")))
        (folder / "mosquitto.conf").write_text(f"""\
per_listener_settings true
{listeners}
listener {WATCH_PORT} 127.0.0.1
allow_anonymous true

user root
set_tcp_nodelay true
max_queued_messages 0
max_inflight_messages 0
log_dest stderr
log_type error
log_type warning
log_type notice
log_type information
""")


class Watch:
    """What the cloud got. arrivals, in their order: (way, device, boot, seq, payload)."""

    def __init__(self, folder, namespace):
        self.at, self.rest, self.arrivals, self.subscribed = 0, b"", [], 0
        self.states = {}  # (way, device) -> its newest payload, and when it came
        self.process = Process("watch", namespace.command(
            "stdbuf", "-oL", "mosquitto_sub", "-d", "-V", "5", "-h", "127.0.0.1", "-p", WATCH_PORT, "-i", "watch", "-q", 0, "-k", 5,
            *(part for way in ("direct", "relay") for kind in ("events", "state") for part in
                                                  ("-t", f"{way}/sites/+/devices/+/{kind}/#")), "-F", "%j"), folder / "watch.log")

    def read(self):
        """Takes in what is new."""
        with self.process.log.open("rb") as log:
            log.seek(self.at)
            new = log.read()
        self.at += len(new)
        *lines, self.rest = (self.rest + new).split(b"\n")
        for line in lines:
            if b"received SUBACK" in line:
                self.subscribed += 1
            elif line.startswith(b"{"):
                self.take(json.loads(line))
        return self

    def take(self, message):
        way, _, _, _, device, kind, *_ = message["topic"].split("/")
        if kind == "state":
            self.states[way, device] = message["payload"], seconds(message["tst"])
            return
        found = user_properties(message)
        self.arrivals.append((way, device, int(found["boot"]), int(found["seq"]), message["payload"]))

    def wait_for_subscription(self, count):
        wait_until("the watcher's subscription", lambda: self.read().subscribed >= count)


class Triangle(World):
    def __init__(self, build, patience=None, **options):
        """patience: of the site policy, with a relay whose uplink is down; None: what is usual"""
        super().__init__(build, **options)
        self.patience = ["--patience", patience] if patience else []
        self.port, self.cloud_address = DEVICE_PORT, CLOUD
        self.places = {name: Namespace(name) for name in ("lan", "gateway", "cloud")}
        lan, gateway, cloud = self.places.values()
        for namespace in self.places.values():
            namespace.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        wire(lan, "lan0", "10.0.0.2", gateway, "lan0", GATEWAY)
        wire(lan, "wan0", "10.1.0.2", cloud, "wan0", "10.1.0.10")
        wire(gateway, "up0", "10.2.0.1", cloud, "up0", "10.2.0.10")
        cloud.run("ip", "address", "add", f"{CLOUD}/32", "dev", "lo")
        self.restore_routes()
        self.watch = None

    def restore_routes(self):
        """Taking an interface down takes its routes with it."""
        self.places["lan"].run("ip", "route", "replace", CLOUD, "via", "10.1.0.10", check=False)
        self.places["gateway"].run("ip", "route", "replace", CLOUD, "via", "10.2.0.10", check=False)

    def placed(self, name, command):
        if name in ("hub", "front"):
            return self.places["gateway"].command(*command)
        return self.places["lan"].command(*command) if name.startswith("device-") else command

    def listen_options(self):
        return ["--listen", f"{GATEWAY}:{self.port}"]

    def make_cloud(self, persistence=False):
        super().make_cloud(persistence)
        folder = self.folder / "cloud"
        self.cloud = TriangleCloud(folder / "broker", folder / "certificates", self.places["cloud"])

    def make_relay(self):
        certificates, gateway = self.cloud.certificates, self.folder / "gateway"
        approvers = [part for person in PEOPLE
                     for part in ("--approver", self.folder / "people" / person / "approver.key.pub")]
        self.relayctl("setup", "--root", gateway, "--site", SITE, *approvers, "--threshold", THRESHOLD, "--listen",
                      f"{GATEWAY}:{self.port}", "--cloud", f"{CLOUD}:{DEVICE_PORT}", "--cloud-pin",
                      self.pin(certificates / "cloud.crt"), "--uplink-ca", certificates / "ca.crt", "--uplink-certificate",
                      certificates / f"relay.{SITE}.crt", "--uplink-key", certificates / f"relay.{SITE}.key", "--device-ca",
                      self.folder / "factory" / "ca" / "ca.crt", "--bus-address", self.bus, *self.patience, "--no-ticket",
                      "--yes")
        self.policy = gateway / "etc" / "relayd" / "site-policy.cbor"
        for person in PEOPLE[:THRESHOLD]:
            self.relayctl("approvers", "sign", self.policy, "--key", self.folder / "people" / person / "approver.key", "--yes",
                          person=person)
        drop_in = self.config().parent / "relayd.conf.d"
        drop_in.mkdir(exist_ok=True)
        (drop_in / "triangle.conf").write_text(f"[uplink]\nport = {UPLINK_PORT}\nkeep_alive = 5s\n")

    def start_all(self):
        self.start_bus()
        self.cloud.start()
        self.watch = Watch(self.folder, self.places["cloud"])
        self.processes["watch"] = self.watch.process
        self.watch.wait_for_subscription(1)
        self.start_relay()
        self.import_all()
        return self

    # ---- wires

    def wire_rules(self, name, rule):
        """This nftables rule for all that comes and goes by this wire; None: none."""
        place, interface = WIRES[name]
        text = f"table ip {name} {{}}\ndelete table ip {name}\n"
        if rule:
            text += (f"table ip {name} {{\n chain in {{ type filter hook input priority 0; iifname {interface} {rule}; }}\n"
                     f" chain out {{ type filter hook output priority 0; oifname {interface} {rule}; }}\n}}\n")
        self.places[place].run("nft", "-f", "-", text=text)

    def cloud_door(self, is_open):
        """Closed, nobody but the watcher reaches the broker."""
        text = "table ip door {}\ndelete table ip door\n"
        if not is_open:
            text += (f"table ip door {{ chain in {{ type filter hook input priority 0; iifname != lo tcp dport {{ {DEVICE_PORT}, "
                     f"{UPLINK_PORT} }} drop; }}; }}\n")
        self.places["cloud"].run("nft", "-f", "-", text=text)

    def wire_link(self, name, state):
        place, interface = WIRES[name]
        self.places[place].run("ip", "link", "set", interface, state)
        if state == "up":
            self.restore_routes()

    # ---- a device's power

    def flash(self, name):
        return self.folder / "devices" / name / "flash"

    def cut_power(self, name):
        """Boot stage and application end in the same moment, as far as a kernel can do that."""
        boot = self.processes[name]
        children = pathlib.Path(f"/proc/{boot.pid}/task/{boot.pid}/children")
        pids = children.read_text().split() if children.exists() else []
        subprocess.run(["kill", "-9", str(boot.pid), *pids], capture_output=True)
        boot.popen.wait()
        wait_until(f"the application of {name} to be gone", lambda: not any(is_running(pid) for pid in pids))

    def close(self):
        super().close()
        for namespace in self.places.values():
            namespace.close()


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
