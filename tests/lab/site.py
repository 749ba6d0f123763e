# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole world on loopback: vendor, cloud, site with relay and approvers, devices. Used by the demo and the system tests.

Everybody has a folder of his own, as on machines of their own:
    vendor/      organisation and developer keys, manifests        (release managers)
    factory/     factory CA, devices' keys, factory list           (manufacturing)
    cloud/       mosquitto and its certificates                    (cloud operator)
    people/X/    an approver's key and his trust folder            (the site's people)
    gateway/     what lies on the relay's disk
    devices/X/   a device's flash
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from .cloud import Cloud
from .identity import make_leaf
from .process import LabError, Process, free_port, wait_until

SITE = "s1"
DOMAIN = "acme.example"
CLASS = "plant-care"
PEOPLE = ("anna", "bertil", "cecilia")
THRESHOLD = 2


class World:
    isolated = False  # does the factory vouch for its devices' boot stage?
    relay_endpoint = cloud_endpoint = None  # as the site policy names them, if that is not where they listen

    def __init__(self, build, devices=5, direct_only=(), folder=None, keep=False, relay_build=None, ticket=False,
                 commands=False, proves=()):
        """relay_build: another build folder (with sanitizers, say) for everything but the devices' firmware. ticket: does an
        install need the gate's fresh answer? Tests that are not about the gate do without. commands: people/operations has
        a command key of the site, and the vendor's may ask for diagnostics. proves: devices that must prove themselves
        by DICE-1, or True for all; the others may, and a test may act as one of them with a leaf alone."""
        self.proves = proves
        self.with_ticket = ticket
        self.with_commands = commands
        self.build = pathlib.Path(build).resolve()
        self.relay_build = pathlib.Path(relay_build or build).resolve()
        self.keep = keep
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="relayd-", dir="/tmp"))
        self.devices = [f"device-{number}" for number in range(1, devices + 1)]
        self.direct_only = [name for name in self.devices if name in direct_only]
        self.recovery = None  # (manifest, image)
        self.processes = {}
        self.port = free_port()
        self.cloud = None
        self.cloud_address = "127.0.0.1"
        self.bus = f"unix:path={self.folder}/bus"
        for name in ("vendor", "factory", "cloud", "gateway", "devices", "people"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    # ---- running programs

    def program(self, name):
        places = [self.relay_build / place for place in ("relayd/hub", "relayd/front", "relayd/ctl", "relayd/guard", "tools")]
        places += [self.build / place for place in ("firmware", "firmware/ports/posix")]
        for place in places:
            if (place / name).is_file():
                return place / name
        raise LabError(f"{name} is not built in {self.build}; make build")

    def run(self, name, *arguments, check=True, env=None, cwd=None, text=True, stdin=""):
        """Runs one of our programs to its end; gives the CompletedProcess."""
        command = [str(self.program(name)), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=text, cwd=cwd, input=stdin,
                              env={**os.environ, "NO_COLOR": "1", **(env or {})}, timeout=120)
        if check and done.returncode:
            raise LabError(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def fwtool(self, *arguments, **options):
        return self.run("fwtool", *arguments, **options)

    def relayctl(self, *arguments, person=None, **options):
        """relayctl against this world's relay, as one of the site's people (with his home) or as the integrator."""
        home = self.folder / "people" / person if person else self.folder / "gateway" / "home"
        home.mkdir(parents=True, exist_ok=True)
        env = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
        return self.run("relayctl", "--bus", self.bus, *arguments, env=env, **options)

    def relayctl_json(self, *arguments, **options):
        return json.loads(self.relayctl("--json", *arguments, **options).stdout)

    def placed(self, _name, command):
        """The command that runs this one where it belongs."""
        return command

    def start(self, name, command, ready=None, **options):
        process = Process(name, self.placed(name, command), self.folder / f"{name}.log", **options)
        self.processes[name] = process
        if ready:
            process.wait_for(ready)
        return process

    # ---- making everything

    def make_vendor(self):
        vendor = self.folder / "vendor"
        for role in ("organisation", "developer", "command"):
            self.fwtool("keys", "create", vendor / f"{role}.key")
        keys = vendor / "vendor-keys.cbor"
        self.fwtool("vendor-keys", "create", "--domain", DOMAIN, "--organisation", vendor / "organisation.key.pub",
                    "--developer", vendor / "developer.key.pub", "--command", vendor / "command.key.pub", "-o", keys)
        for role in ("organisation", "developer"):
            self.fwtool("vendor-keys", "sign", keys, "--key", vendor / f"{role}.key", "--yes")

    def make_cloud(self, persistence=False):
        folder = self.folder / "cloud"
        certificates = folder / "certificates"
        self.fwtool("ca", "create", "--name", "acme cloud", "-o", certificates)
        for identity in ("relay." + SITE, "vendor.acme", "ops.acme"):
            self.fwtool("ca", "issue", "--ca", certificates, "--identity", identity, "-o", certificates / identity)
        self.fwtool("ca", "issue", "--ca", certificates, "--identity", "cloud.acme", "--server", "--dns", self.cloud_address,
                    "-o", certificates / "cloud")
        # the broker believes its own clients and the factory's devices
        factory = self.folder / "factory" / "ca" / "ca.crt"
        with (certificates / "ca.crt").open("a") as trusted:
            trusted.write(factory.read_text())
        self.cloud = Cloud(folder / "broker", certificates, SITE, persistence=persistence, address=self.cloud_address)

    def make_factory(self):
        folder = self.folder / "factory"
        self.fwtool("ca", "create", "--name", "acme factory", "-o", folder / "ca")
        for name in self.devices:
            self.make_identity(name)
        for image in (self.image("1.0.0"), self.recovery_image()) if self.devices else ():
            self.ship(image)

    def make_identity(self, name):
        """A device's secret and certificate in factory/made, and factory/NAME.crt and .key for a test that acts as it."""
        folder = self.folder / "factory"
        made = folder / "made" / name
        made.parent.mkdir(exist_ok=True)
        proves = self.proves is True or name in self.proves
        self.fwtool("device", "create", "--ca", folder / "ca", "--identity", name, "--organisation", "acme",
                    "--domain", DOMAIN, "--class", CLASS, "-o", made, *(["--isolated"] if self.isolated else []),
                    "--list", folder / ("devices.cbor" if proves else "unused.cbor"))
        make_leaf(made, folder / name)
        if not proves:
            self.fwtool("factory", "add", "--list", folder / "devices.cbor", "--domain", DOMAIN, "--class", CLASS,
                        "--identity", name, "--certificate", folder / "made" / f"{name}.pub")

    def make_people(self):
        for person in PEOPLE:
            home = self.folder / "people" / person
            home.mkdir(parents=True, exist_ok=True)
            self.relayctl("keys", "create", home / "approver.key", person=person)
        self.command_key = self.folder / "people" / "operations" / "command.key"
        if self.with_commands:
            self.command_key.parent.mkdir()
            self.relayctl("keys", "create", self.command_key)

    def pin(self, certificate):
        """SHA-256 of the key's SubjectPublicKeyInfo, by openssl."""
        key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], capture_output=True, check=True)
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key.stdout, capture_output=True,
                             check=True)
        digest = subprocess.run(["sha256sum"], input=der.stdout, capture_output=True, check=True)
        return digest.stdout.split()[0].decode()

    def make_relay(self):
        gateway, certificates = self.folder / "gateway", self.cloud.certificates
        approvers = []
        for person in PEOPLE:
            approvers += ["--approver", self.folder / "people" / person / "approver.key.pub"]
        at_relay = [name for name in self.devices if name not in self.direct_only]
        only = ["--endpoint-devices", ",".join(at_relay)] if self.direct_only else []
        self.relayctl("setup", "--root", gateway, "--site", SITE, *approvers, "--threshold", THRESHOLD,
                      "--listen", self.relay_endpoint or f"127.0.0.1:{self.port}", *only,
                      "--cloud", self.cloud_endpoint or f"{self.cloud_address}:{self.cloud.port}", "--cloud-pin", self.pin(certificates / "cloud.crt"),
                      "--uplink-ca", certificates / "ca.crt",
                      "--uplink-certificate", certificates / f"relay.{SITE}.crt",
                      "--uplink-key", certificates / f"relay.{SITE}.key",
                      "--device-ca", self.folder / "factory" / "ca" / "ca.crt", "--bus-address", self.bus, "--yes",
                      "--ticket" if self.with_ticket else "--no-ticket",
                      *(("--grant", f"{self.command_key}.pub=pump.*,plan.show", "--vendor-commands", "diagnostics.*")
                        if self.with_commands else ()))
        self.policy = gateway / "etc" / "relayd" / "site-policy.cbor"
        for person in PEOPLE[:THRESHOLD]:
            self.relayctl("approvers", "sign", self.policy, "--key",
                          self.folder / "people" / person / "approver.key", "--yes", person=person)

    def config(self):
        return self.folder / "gateway" / "etc" / "relayd" / "relayd.conf"

    def runtime(self):
        return self.folder / "gateway" / "run" / "relayd"

    def make_image(self, version, sequence, program, urgency="routine", description="", sign=("organisation", "developer"),
                   keys=None, name=None):
        """Builds a manifest and has it signed by these roles; gives (manifest, image)."""
        vendor, keys = self.folder / "vendor", keys or self.folder / "vendor"
        manifest = vendor / f"{name or version}.manifest"
        self.fwtool("manifest", "build", "--image", program, "--domain", DOMAIN, "--class", CLASS, "--version", version,
                    "--sequence", sequence, "--urgency", urgency, "--description", description or version, "-o", manifest)
        for role in sign:
            self.fwtool("manifest", "sign", manifest, "--role", role, "--key", keys / f"{role}.key", "--yes")
        return manifest, program

    def publish(self, manifest, image, devices=None, identity="vendor.acme"):
        certificates = self.cloud.certificates
        offers = []
        for name in devices or self.devices:
            offers += ["--device", name]
        return self.fwtool("publish", "--manifest", manifest, "--image", image, "--host", "127.0.0.1",
                           "--port", self.cloud.port, "--ca", certificates / "ca.crt",
                           "--certificate", certificates / f"{identity}.crt", "--key", certificates / f"{identity}.key",
                           "--site", SITE, *offers)

    def image(self, version):
        """The image of our example application for these devices."""
        return self.program(f"plant-care-{version}")

    def recovery_image(self):
        return self.program("recovery")

    def make_devices(self, version="1.0.0"):
        manifest, image = self.make_image(version, 1, self.image(version))
        self.recovery = self.recovery or self.make_image("1.0.0", 1, self.recovery_image(), name="recovery")
        for name in self.devices:
            self.make_device(name, manifest, image)

    def ship(self, image):
        """The factory list says that devices come with this image, so that the site knows it."""
        self.fwtool("factory", "add-image", image, "--list", self.folder / "factory" / "devices.cbor")

    def make_device(self, name, manifest, image):
        made, home = self.folder / "factory" / "made", self.folder / "devices" / name
        home.mkdir(parents=True, exist_ok=True)
        recovery = ["--recovery-manifest", self.recovery[0], "--recovery", self.recovery[1]] if self.recovery else []
        self.run("device-provision", "--flash", home / "flash", "--identity", name, "--secret", made / f"{name}.secret",
                 "--certificate", made / f"{name}.crt", "--vendor-keys", self.folder / "vendor" / "vendor-keys.cbor",
                 "--site-policy", self.policy, "--manifest", manifest, "--image", image, *recovery)

    def add_application(self, identity, read, write):
        """A site application with a certificate and a role file; before the hub starts, or followed by a SIGHUP."""
        applications = self.folder / "applications"
        applications.mkdir(exist_ok=True)
        if not (applications / "ca").exists():
            self.fwtool("ca", "create", "--name", "site applications", "-o", applications / "ca")
        self.fwtool("ca", "issue", "--ca", applications / "ca", "--identity", identity, "-o", applications / identity)
        roles = self.folder / "gateway" / "etc" / "relayd" / "roles.d"
        roles.mkdir(parents=True, exist_ok=True)
        lines = ["[role]", f"fingerprint = {self.pin(applications / (identity + '.crt'))}"]
        lines += [f"read = {topic}" for topic in read] + [f"write = {topic}" for topic in write]
        (roles / f"{identity}.conf").write_text("\n".join(lines) + "\n")

    def credentials(self, identity):
        """(certificate, key, CA to check the relay with) of an application or a device."""
        folder = self.folder / ("applications" if "." in identity else "factory")
        return folder / f"{identity}.crt", folder / f"{identity}.key", self.folder / "gateway" / "etc" / "relayd" / "relay.crt"

    def make(self):
        self.make_vendor()
        self.make_factory()
        self.make_cloud()
        self.make_people()
        self.make_relay()
        self.make_devices()
        return self

    # ---- starting and ending

    def start_bus(self):
        self.start("dbus", ["dbus-daemon", "--session", f"--address={self.bus}", "--nofork", "--nopidfile",
                            "--print-address"], ready="unix:path=")

    def start_hub(self):
        self.start("hub", [self.program("relayd"), "--config", self.config()], ready="ready")

    def listen_options(self):
        return ["--listen", f"127.0.0.1:{self.port}"]

    def start_front_end(self):
        gateway = self.folder / "gateway" / "etc" / "relayd"
        self.start("front", [self.program("relay-mqttd"), *self.listen_options(),
                             "--channel", self.runtime() / "mqtt.channel", "--sign", self.runtime() / "mqtt.sign",
                             "--certificate", gateway / "relay.crt"], ready="listening on")

    def start_relay(self):
        self.start_hub()
        self.start_front_end()

    def import_all(self):
        self.relayctl("setup", "--import-policy", self.policy, "--import-vendor",
                      self.folder / "vendor" / "vendor-keys.cbor")
        self.relayctl("devices", "import", self.folder / "factory" / "devices.cbor")

    def start_device(self, name, *options):
        return self.start(name, [self.program("device-boot"), "--flash", self.folder / "devices" / name / "flash",
                                 *options])

    def start_all(self):
        self.start_bus()
        self.cloud.start()
        self.start_relay()
        self.import_all()
        return self

    def approve(self, update, person):
        return self.relayctl("updates", "approve", update, "--key", self.folder / "people" / person / "approver.key",
                             "--policy", self.policy, "--vendor-keys", self.folder / "vendor" / "vendor-keys.cbor",
                             "--yes", person=person)

    def wait_device(self, name, what, condition, **patience):
        """Waits until condition(device as relayctl shows it) holds."""
        def look():
            for device in self.relayctl_json("devices", "list"):
                if device["Identity"] == name and condition(device):
                    return device
            return None
        return wait_until(f"{name} {what}", look, **patience)

    def close(self):
        for process in reversed(list(self.processes.values())):
            process.kill()
        if self.cloud and self.cloud.process:
            self.cloud.process.kill()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
