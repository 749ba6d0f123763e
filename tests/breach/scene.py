# SPDX-License-Identifier: GPL-2.0-or-later
"""A site that is about to be attacked, and the honest people of it.

    AT_RELAY   has its session at the site's relay
    AT_ROGUE   trusts the same relay at another port, where whoever stole the gateway's files can sit
    DIRECT     knows only the cloud
    ON_DESK    is switched off, its flash in somebody's hands
"""

import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import time

import relayobjects as objects
from lab.flash import Flash
from lab.process import LabError, wait_until
from lab.site import PEOPLE, SITE, THRESHOLD, World
from lab.updates import Desk, FileKey, Impostor, alerts, last_alert

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = os.environ.get("RELAYD_BUILD", str(ROOT / "build"))

AT_RELAY, AT_ROGUE, DIRECT, ON_DESK = "device-1", "device-2", "device-3", "device-4"
OPTIONS = ("--retry-ms", "500", "--dwell-ms", "500", "--settle-ms", "250", "--keep-alive", "5", "--period-ms", "500",
           "--gate-ms", "200")


class Scene(World):
    def __init__(self, ticket=False, devices_on=(AT_RELAY, DIRECT), **options):
        super().__init__(BUILD, devices=4, keep="RELAYD_KEEP" in os.environ, **options)
        self.devices_on = devices_on
        self.ticket, self.counters, self.approval_epoch = ticket, itertools.count(1), 1
        self.site_command = objects.Key("pump panel")          # of a person of the site
        self.panel_command = objects.Key("plan, on the gateway")  # a key that the site chose to keep on the gateway
        # taken till somebody sits there, so that no connection of ours gets it for its own end
        self.place = socket.create_server(("127.0.0.1", 0))
        self.rogue_port = self.place.getsockname()[1]
        self.desk = self.rogue = self.rogue_desk = self.rogue_gate = None

    def __enter__(self):
        try:
            self.make()
            for identity in ("app.panel",):
                self.add_application(identity, ["#"], ["sites/s1/devices/+/commands"])
            self.start_all()
            self.relayctl("gate", "open")
            self.desk = Desk(self)
            for name in self.devices_on:
                self.start_device(name, *OPTIONS)
            wait_until("all states at the cloud", lambda: set(self.desk.images()) >= set(self.devices_on))
            if AT_RELAY in self.devices_on:
                self.goes(AT_RELAY, "relay")
        except BaseException:
            self.close()
            raise
        return self

    def close(self):
        for desk in (self.desk, self.rogue_desk, self.rogue_gate):
            if desk:
                desk.close()
        if self.rogue:
            self.rogue.kill()
        self.place.close()
        super().close()

    # ---- the site's policy, from the documents alone

    def person(self, name):
        return FileKey(self.folder / "people" / name / "approver.key")

    def gateway_key(self, name):
        return FileKey(self.folder / "gateway" / "etc" / "relayd" / "keys" / f"{name}.key")

    def policy_fields(self):
        relay = bytes.fromhex(self.pin(self.folder / "gateway" / "etc" / "relayd" / "relay.crt"))
        cloud = bytes.fromhex(self.pin(self.cloud.certificates / "cloud.crt"))
        return {"site": SITE, "approvers": [self.person(name) for name in PEOPLE], "k": THRESHOLD,
                "gates": [self.gateway_key("gate")], "ticket": self.ticket,
                "grants": [objects.grant(self.site_command, ["pump.*", "plan.*"]),
                           objects.grant(self.panel_command, ["plan.show"])],
                "vendor_commands": ["diagnostics.*"],
                "endpoints": [objects.endpoint(0, "127.0.0.1", self.port, relay, devices=[AT_RELAY]),
                              objects.endpoint(0, "127.0.0.1", self.rogue_port, relay, devices=[AT_ROGUE]),
                              objects.endpoint(1, "127.0.0.1", self.cloud.port, cloud)]}

    def make_relay(self):
        super().make_relay()
        self.policy_payload = objects.site_policy(**self.policy_fields())
        signers = [self.person(name) for name in PEOPLE[:THRESHOLD]]
        self.policy.write_bytes(objects.sign_set(objects.SITE_POLICY_AAD, self.policy_payload, signers))

    # ---- the rooted relay

    def root_the_relay(self):
        """A broker with the gateway's TLS key where device-2 looks for its relay."""
        if self.rogue:
            return
        self.place.close()
        self.rogue = Impostor(self, self.rogue_port).start()
        self.rogue_desk = Desk(self, self.rogue)
        self.rogue_gate = RogueGate(self)
        self.start_device(AT_ROGUE, *OPTIONS)
        wait_until("device-2 at the rogue", lambda: AT_ROGUE in self.rogue_desk.images(), 90)

    def way_of(self, device):
        """What its session runs over, by its own word: "relay", "cloud", or None before the first one."""
        found = re.findall("session with the (relay|cloud)", self.processes[device].output())
        return found[-1] if found else None

    def goes(self, device, way):
        wait_until(f"{device} to go by the {way}", lambda: self.way_of(device) == way, 90)

    def desk_of(self, device):
        return self.rogue_desk if self.rogue and device == AT_ROGUE else self.desk

    # ---- what honest people do

    def make_update(self, **options):
        """The vendor's next update: signed by both, approved by nobody. Both desks count on."""
        update = self.desk.make(**options)
        if self.rogue_desk:
            self.rogue_desk.sequence = self.desk.sequence
        return update

    def signed(self, update):
        """The same manifest, signed by the vendor after all: what a control adds to an attack."""
        manifest = objects.decode(update.envelope).value[3]
        return objects.envelope(manifest, [self.desk.keys["organisation"], self.desk.keys["developer"]])

    def install(self, update, *devices, envelope=None, people=("anna", "bertil")):
        """The control: made by the vendor, approved by the site's people, it runs."""
        since = {device: self.desk_of(device).mark() for device in devices}
        for desk in {id(desk): desk for desk in map(self.desk_of, devices)}.values():
            desk.serve(update)
            for person in people:
                desk.approve(person, update)
            desk.offer(envelope or self.signed(update), *[device for device in devices if self.desk_of(device) is desk])
        for device in devices:
            self.desk_of(device).wait_running(update, device)
            self.desk_of(device).wait_status(device, since[device], "confirmed", update=update)

    def command(self, key, device, name, counter=None, expires=600):
        """A good one; counters rise, whoever signs."""
        return objects.command(key, SITE, device, counter or next(self.counters), unix_time(expires), name)

    def send(self, device, command):
        topic = f"sites/{SITE}/devices/{device}/commands"
        self.desk_of(device).vendor.client.publish(topic, command, qos=1).wait_for_publish(20)

    def does(self, key, device, name):
        """The control: a command that is signed as it should be is executed. Gives what the device answered."""
        return self.answers(device, self.command(key, device, name), "done")

    def answers(self, device, command, result, reason="none"):
        """The device gets this command, and answers so. A relay keeps a command till the device listens, a broker does not:
        there it is sent again till it is answered. A device executes one that it knows no second time."""
        since, sent = self.desk_of(device).mark(), 0
        counter = objects.decode(objects.decode(command).value[2])[3]
        kept = device == AT_RELAY and self.processes["hub"].alive()

        def look():
            nonlocal sent
            if not sent or (not kept and time.monotonic() > sent + 0.5):
                sent = time.monotonic()
                self.send(device, command)
            return [r for r in self.said(device, "commands/result", since) if
                    (r["counter"], r["result"], r["reason"]) == (counter, result, reason)]
        return self.awaited(device, f"a command to be {result}, {reason}", look, "commands/result", since)[0]

    # ---- what is seen

    def said(self, device, rest, since=0):
        topic = f"sites/{SITE}/devices/{device}/{rest}"
        return [json.loads(m.payload) for m in self.desk_of(device).listen()[since:] if m.topic == topic and m.payload]

    def refusal(self, device, thing, reason, since):
        """Waits till the device tells that it refused such a thing for this reason."""
        def look():
            return [r for r in self.said(device, "updates/refused", since) if (r["object"], r["reason"]) == (thing, reason)]
        return self.awaited(device, f"a {thing} to be refused, {reason}", look, "updates/refused", since)[0]

    def awaited(self, device, what, look, rest, since):
        try:
            return wait_until(f"{device}: {what}", look)
        except LabError as error:
            raise LabError(f"{error}; it said {self.said(device, rest, since)}") from None

    def running(self, device):
        return self.desk_of(device).images().get(device)

    @contextlib.contextmanager
    def nobody_moves(self):
        """No device starts anew or runs another image meanwhile."""
        names = [name for name in (AT_RELAY, AT_ROGUE, DIRECT) if name in self.processes]
        before = {name: self.running(name) for name in names}
        yield
        after = {name: self.running(name) for name in names}
        assert after == before, f"{before} became {after}"

    @contextlib.contextmanager
    def alerted(self, *reasons):
        """The relay says each of these meanwhile."""
        since = last_alert(self)
        yield
        for reason in reasons:
            try:
                wait_until(f"the alert {reason}", lambda: alerts(self, reason, since))
            except LabError as error:
                raise LabError(f"{error}; there are {self.relayctl_json('alerts')[-5:]}") from None

    @contextlib.contextmanager
    def refused(self, device, reason, update=None, state="refused"):
        """The device says this reason meanwhile, of this update, and goes on as before."""
        desk = self.desk_of(device)
        since = desk.mark()
        yield
        desk.wait_status(device, since, state, reason, update)

    def never_saw(self, device, update):
        return not [s for s in self.desk_of(device).statuses(device) if s["manifest"] == update.manifest.hex()]

    @contextlib.contextmanager
    def switched_anew(self, device):
        """Its power goes and comes back."""
        self.processes[device].kill()
        yield self.start_device(device, *OPTIONS)

    # ---- a device whose flash lies on a desk

    def flash(self, device=ON_DESK):
        return Flash(self.folder / "devices" / device / "flash")

    def reset(self, process):
        """The running application of a device ends; its boot stage starts again."""
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        os.kill(int(wait_until("an application", lambda: children.read_text().split())[0]), signal.SIGKILL)

    @contextlib.contextmanager
    def hijacked(self, update, envelope, approvals, device=ON_DESK):
        """The application is in the attacker's hands: it writes what it likes where it may write, marks it for trial in the
        boot stage's own journal as a flash programmer can, and resets the device. Gives the process and the slot's name."""
        with self.switched_on(device) as process:
            process.wait_for("session with the cloud")
            flash = self.flash(device)
            spare = flash.spare_slot()
            flash.put_slot(spare, envelope, approvals, update.image)
            flash.stage()
            self.reset(process)
            yield process, spare

    def local(self, *arguments, device=ON_DESK):
        """The device's local port: exit status and what it said."""
        done = self.run("device-local", "--flash", self.folder / "devices" / device / "flash", *arguments, check=False)
        return done.returncode, done.stdout + done.stderr

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def approvals(self, update, people=("anna", "bertil")):
        return [objects.approval(self.person(who), SITE, update.manifest) for who in people]

    def carried(self, update, approvals, envelope=None):
        """An update on a stick, put into the device on the desk."""
        files = [self.file("stick.manifest", envelope or update.envelope), self.file("stick.image", update.image)]
        files += [self.file(f"stick.{number}", approval) for number, approval in enumerate(approvals)]
        return self.local("install", *files)

    def carried_refused(self, update, approvals, reason):
        code, said = self.carried(update, approvals)
        assert code == 1 and f"{reason}: " in said, said

    def carried_installs(self, update, people=("anna", "bertil")):
        """The control: signed and approved, it comes into force by the stick, too."""
        code, said = self.carried(update, self.approvals(update, people), self.signed(update))
        assert code == 0, said
        with self.switched_on() as device:
            device.wait_for(", on trial")
            device.wait_for("update: confirmed")

    @contextlib.contextmanager
    def switched_on(self, device=ON_DESK, *options):
        process = self.start_device(device, *OPTIONS, *options)
        try:
            yield process
        finally:
            process.kill()


class RogueGate:
    """Answers devices at the rooted relay, with the gate's stolen key: openly and in time, unless make() says otherwise."""

    def __init__(self, site):
        self.site, self.made = site, []
        self.behave()
        self.client = site.rogue_desk.client("ops.acme", "gate")
        self.client.client.on_message = lambda _client, _data, message: self.answer(message)
        self.client.subscribe(f"sites/{SITE}/devices/+/gate/request", qos=1)

    def behave(self, make=None):
        """make(device, request): the tickets to be sent; nothing: as an honest open gate."""
        self.make = make or (lambda device, request: [self.ticket(device, request)])

    def ticket(self, device, request, key=None, site=SITE, policy=None, **changes):
        digest = hashlib.sha256(policy or self.site.policy_payload).digest()
        return objects.ticket(key or self.site.gateway_key("gate"), site, device, request, digest,
                              **{"time": unix_time(), "epoch": self.site.approval_epoch, **changes})

    def answer(self, message):
        device = message.topic.split("/")[3]
        for ticket in self.make(device, message.payload):
            self.made.append((device, message.payload, ticket))
            self.site.rogue_desk.vendor.client.publish(f"sites/{SITE}/devices/{device}/gate/ticket", ticket, qos=1)

    def close(self):
        self.client.close()


def unix_time(seconds=0):
    return int(time.time()) + seconds
