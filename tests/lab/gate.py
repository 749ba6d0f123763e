# SPDX-License-Identifier: GPL-2.0-or-later
"""A site whose policy says more than setup writes (command keys, other gates), its bus as Python calls it, a gate of its own."""

import contextlib
import hashlib
import json
import pathlib
import secrets
import sys
import time

import dbus
import dbus.bus

from .packets import PUBACK, PUBLISH, Client
from .process import Process, wait_until
from .site import CLASS, DOMAIN, PEOPLE, SITE, THRESHOLD, World
from .updates import FileKey, objects

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import relaygate  # noqa: E402
import relaypolicy  # noqa: E402

NAME, PATH, MANAGER = "org.relayd.Relay1", "/org/relayd/Relay1", "org.relayd.Relay1.Manager"
SITE_COMMAND = "the site's command key"


def gate_file(world):
    return world.folder / "gateway" / "etc" / "relayd" / "keys" / "gate.key"


class GateWorld(World):
    """bend(policy): changes the decoded site policy before its approvers sign it. By default the site's command key may
    run pump.*, and the vendor's may run diagnostics."""

    def __init__(self, *arguments, bend=None, **options):
        super().__init__(*arguments, **options)
        self.bend = bend or (lambda policy: None)
        self.site_command = objects.Key(SITE_COMMAND)

    def make_relay(self):
        super().make_relay()
        policy = dict(objects.decode(objects.open_set(self.policy.read_bytes())[0]))
        policy[9] = True
        policy[13] = [relaypolicy.grant(self.site_command, ["pump.*"])]
        policy[14] = ["diagnostics"]
        self.bend(policy)
        self.policy_payload = objects.encode(policy)
        self.policy_item = policy
        keys = [FileKey(self.folder / "people" / name / "approver.key") for name in PEOPLE[:THRESHOLD]]
        self.policy.write_bytes(objects.sign_set(relaypolicy.SITE_POLICY_AAD, self.policy_payload, keys))

    def make(self):
        super().make()
        self.class_id = objects.ids(DOMAIN, CLASS)[1]
        self.vendor_command = FileKey(self.folder / "vendor" / "command.key")
        self.gate_key = FileKey(gate_file(self))
        return self

    def hub(self):
        return Hub(self.bus, self.folder)

    def restart_hub(self, kill=False):
        hub = self.processes["hub"]
        (hub.kill if kill else hub.stop)()
        self.start_hub()
        self.restart_front_end()

    def restart_front_end(self):
        self.processes["front"].stop()
        self.start_front_end()

    def command(self, device, counter, name="pump.on", key=None, expiry=None, arguments=b"", site=SITE):
        return relaygate.command(key or self.site_command, site, device, counter, expiry or int(time.time()) + 600, name, arguments)

    @contextlib.contextmanager
    def device(self, name, *filters, **options):
        """A device that is a Python program, connected and subscribed below its prefix."""
        client = Client(self, name, **options)
        client.prefix = f"sites/{SITE}/devices/{name}"
        if filters:
            assert client.subscribe(*(f"{client.prefix}/{rest}" for rest in filters)) == [1] * len(filters)
        try:
            yield client
        finally:
            client.drop()


class Hub:
    """The manager's D-Bus interface; signals are read from a monitor that runs along."""

    def __init__(self, address, folder):
        self.bus = dbus.bus.BusConnection(address)
        self.manager = dbus.Interface(self.bus.get_object(NAME, PATH), MANAGER)
        self.folder, self.address = folder, address

    def send(self, command):
        return int(self.manager.SendCommand(dbus.ByteArray(command)))

    def refused(self, call, *arguments):
        """The reason (of the error's name) of a call that must be refused."""
        try:
            call(*arguments)
        except dbus.DBusException as error:
            return error.get_dbus_name().rsplit(".", 1)[1]
        raise AssertionError("it was not refused")

    def checkpoint(self, make=False):
        return bytes(bytearray(self.manager.MakeCheckpoint() if make else self.manager.GetCheckpoint()))

    def audit(self):
        """(number, encoded) of every record"""
        found, start = [], 1
        while True:
            part = self.manager.ReadAudit(dbus.UInt64(start), dbus.UInt32(500))
            if not part:
                return found
            found += [(int(number), bytes(bytearray(record))) for number, record in part]
            start = found[-1][0] + 1

    def actions(self, action):
        """actor, object, detail of the audit records with this action"""
        records = [objects.decode(record) for _, record in self.audit()]
        return [(r[4], r[6], r[7]) for r in records if r[5] == action]

    def alerts(self, reason):
        return [(str(device), str(detail)) for _, _, device, name, detail in self.manager.ListAlerts(dbus.UInt64(0))
                if name == reason]

    def wait_alert(self, reason, device=None, count=1):
        return wait_until(f"the alert {reason} of {device}",
                          lambda: len([a for a in self.alerts(reason) if device in (None, a[0])]) >= count)

    def monitor(self, signal):
        process = Process("busctl", ["stdbuf", "-oL", "busctl", f"--address={self.address}", "--json=short", "monitor",
                                     f"--match=type='signal',member='{signal}'"], self.folder / f"monitor-{signal}.log")
        process.wait_for("Monitoring bus")
        return process


def signals(monitor):
    """The arguments of the signals a monitor has seen."""
    found = []
    for line in monitor.output().splitlines():
        with contextlib.suppress(ValueError):
            message = json.loads(line)
            if message.get("type") == "signal" and message.get("interface") == MANAGER:
                found.append(message["payload"]["data"])
    return found


def nonce():
    return secrets.token_bytes(16)


def ask(client, digest=None):
    """Publishes a gate request on a client's own topic; gives it, and what was answered until it was acknowledged: a ticket
    overtakes the acknowledgement, which waits for the disk."""
    request = relaygate.gate_request(nonce(), digest)
    packet_id, answers = client.publish(f"{client.prefix}/gate/request", request, qos=1), []
    while True:
        packet = client.packet()
        assert packet and packet.type in (PUBLISH, PUBACK), packet
        if packet.type == PUBACK:
            assert packet.packet_id == packet_id and packet.reason == 0, packet
            return request, answers
        client.answer(PUBACK, packet.packet_id)
        answers.append(packet)


def ticket_of(client, digest=None):
    """The request, and the message with its ticket; fails if there is none."""
    request, answers = ask(client, digest)
    return request, answers[0] if answers else client.message()


def key_id(key):
    return objects.key_id(key.cose).hex()


def result_json(key, counter, result="done", reason="none", value=""):
    return json.dumps({"key": key_id(key), "counter": counter, "result": result, "reason": reason, "value": value},
                      separators=(",", ":"))


class StandAloneGate:
    """relayd --gate-only on a machine of its own: folder, configuration, bus. uplink: [uplink] lines; None: air-gapped."""

    def __init__(self, world, uplink=None, listen=False, name="gate"):
        self.world, self.name, self.folder = world, name, world.folder / name
        self.key = gate_file(self)
        self.bus = f"unix:path={self.folder}/bus"
        self.listen, self.processes = listen, {}
        etc = self.folder / "gateway" / "etc" / "relayd"
        (etc / "keys").mkdir(parents=True)
        (etc / "roles.d").mkdir()
        world.fwtool("keys", "create", self.key)
        self.conf = etc / "relayd.conf"
        lines = ["[relay]", f"site = {SITE}", f"identity = gate.{SITE}", f"state = {self.folder}/state",
                 f"runtime = {self.folder}/run", f"roles = {etc}/roles.d", "[listener]", f"certificate = {etc}/relay.crt",
                 f"key = {etc}/keys/relay.key", "[gate]", f"key = {self.key}", "[bus]", f"address = {self.bus}"]
        if listen:
            lines += ["[devices]", f"ca = {world.folder}/factory/ca/ca.crt"]
        self.lines, self.uplink = lines, uplink

    def public(self):
        return FileKey(self.key)

    def make_listener(self, port):
        """A front end of its own needs a TLS key and a certificate."""
        self.port = port
        etc = self.conf.parent
        self.world.fwtool("ca", "create", "--name", "the gate", "-o", self.folder / "ca")
        self.world.fwtool("ca", "issue", "--ca", self.folder / "ca", "--identity", f"gate.{SITE}", "--server", "--dns", "127.0.0.1",
                          "-o", self.folder / "tls")
        (etc / "relay.crt").write_bytes((self.folder / "tls.crt").read_bytes())
        (etc / "keys" / "relay.key").write_bytes((self.folder / "tls.key").read_bytes())

    def credentials(self, identity):
        certificate, key, _ = self.world.credentials(identity)
        return certificate, key, self.folder / "ca" / "ca.crt"

    def start_process(self, name, command, ready):
        process = Process(f"{self.name}-{name}", command, self.folder / f"{name}.log")
        self.processes[name] = process
        self.world.processes[f"{self.name}-{name}"] = process
        process.wait_for(ready)

    def start_hub(self):
        self.start_process("hub", [self.world.program("relayd"), "--gate-only", "--config", self.conf], "ready")

    def start(self):
        self.conf.write_text("\n".join(self.lines + (["[uplink]", *self.uplink] if self.uplink else [])) + "\n")
        self.world.run("relayd", "--config", self.conf, "--new-store")
        self.start_process("dbus", ["dbus-daemon", "--session", f"--address={self.bus}", "--nofork", "--nopidfile",
                                    "--print-address"], "unix:path=")
        self.start_hub()
        if self.listen:
            self.start_process("front", [self.world.program("relay-mqttd"), "--listen", f"127.0.0.1:{self.port}",
                                         "--channel", self.folder / "run" / "mqtt.channel", "--sign",
                                         self.folder / "run" / "mqtt.sign", "--certificate", self.conf.parent / "relay.crt"],
                               "listening on")
        return self

    def import_all(self):
        self.relayctl("setup", "--import-policy", self.world.policy, "--import-vendor",
                      self.world.folder / "vendor" / "vendor-keys.cbor")
        self.relayctl("devices", "import", self.world.folder / "factory" / "devices.cbor")

    def relayctl(self, *arguments):
        return self.world.run("relayctl", "--bus", self.bus, *arguments, env={"HOME": str(self.folder)})

    def hub(self):
        return Hub(self.bus, self.folder)


def digest_of(data):
    return hashlib.sha256(data).digest()
