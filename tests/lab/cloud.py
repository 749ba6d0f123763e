# SPDX-License-Identifier: GPL-2.0-or-later
"""The vendor's cloud: a real mosquitto with TLS 1.3, client certificates and pattern ACLs, and clients to look at it."""

import json
import subprocess

from .process import PATIENCE, LabError, Process, free_port, wait_until

ACL = """\
pattern readwrite sites/{site}/devices/%u/#
pattern read images/+/+
pattern read sites/{site}/relay/state
pattern read sites/{site}/policy/+
pattern read sites/{site}/revocations
pattern read sites/{site}/approvals/#
pattern read sites/{site}/vendor/+
pattern read sites/{site}/audit/checkpoint

user relay.{site}
topic readwrite sites/{site}/#
topic read images/#

user gate.{site}
topic read sites/{site}/devices/+/updates/offer
topic read sites/{site}/devices/+/gate/request
topic write sites/{site}/devices/+/gate/ticket
topic readwrite sites/{site}/policy/+
topic readwrite sites/{site}/vendor/+
topic readwrite sites/{site}/revocations
topic readwrite sites/{site}/approvals/#
topic write sites/{site}/alerts
topic write sites/{site}/audit/checkpoint/gate.{site}

user vendor.acme
topic readwrite images/#
topic readwrite sites/#

user ops.acme
topic read #
"""


# so that a SIGKILL of the broker does not make it forget what it acknowledged
SAVE_AT_ONCE = """autosave_on_changes true
autosave_interval 1"""


class Cloud:
    """mosquitto on a loopback port of its own. certificates: folder with ca.crt, cloud.crt, cloud.key."""

    def __init__(self, folder, certificates, site="s1", port=None, persistence=False, address="127.0.0.1"):
        self.folder, self.certificates, self.site = folder, certificates, site
        self.port = port or free_port()
        self.process = None
        self.address, self.command = address, lambda *command: command
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "acl").write_text(ACL.format(site=site))
        (folder / "acl").chmod(0o600)
        (folder / "mosquitto.conf").write_text(f"""\
listener {self.port} {address}
cafile {certificates}/ca.crt
certfile {certificates}/cloud.crt
keyfile {certificates}/cloud.key
require_certificate true
use_identity_as_username true
allow_anonymous false
tls_version tlsv1.3
acl_file {folder}/acl
user root
set_tcp_nodelay true
max_queued_messages 0
max_inflight_messages 200
persistence {'true' if persistence else 'false'}
persistence_location {folder}/
{SAVE_AT_ONCE if persistence else ''}
log_dest stderr
log_type error
log_type warning
log_type notice
log_type information
""")

    def start(self):
        self.process = Process("mosquitto", self.command("mosquitto", "-c", self.folder / "mosquitto.conf"),
                               self.folder / "mosquitto.log")
        self.process.wait_for(r"mosquitto version .* running")
        return self

    def kill(self):
        self.process.kill()

    def stop(self):
        if self.process:
            self.process.stop()

    def client(self, program, identity, *arguments):
        """Command line of mosquitto_pub or mosquitto_sub as this identity."""
        return ["stdbuf", "-oL", program, "-h", "127.0.0.1", "-p", str(self.port), "--cafile", f"{self.certificates}/ca.crt",
                "--cert", f"{self.certificates}/{identity}.crt", "--key", f"{self.certificates}/{identity}.key",
                "-V", "5", *map(str, arguments)]

    def publish(self, identity, topic, payload=b"", retain=False, qos=1):
        """One message; bytes go through a file, so that they may hold anything."""
        body = self.folder / "publish.bin"
        body.write_bytes(payload)
        flags = ["-q", str(qos), "-t", topic] + (["-r"] if retain else [])
        flags += ["-f", str(body)] if payload else ["-n"]
        run = subprocess.run(self.client("mosquitto_pub", identity, *flags), capture_output=True, text=True)
        if run.returncode:
            raise LabError(f"mosquitto_pub {topic}: {run.stderr}")

    def watch(self, *topics, identity="ops.acme", name="watch", session=None):
        """session: a client id whose messages the broker keeps while nobody watches; None: only what comes from now on"""
        return Watcher(self, topics, identity, name, session)


class Watcher:
    """A mosquitto_sub that runs along; messages() gives what it has seen so far."""

    def __init__(self, broker, topics, identity, name, session=None):
        flags = ["-d", "-q", "1", "-F", "%j", "-i", session or f"{identity}.{name}"]
        flags += ["-c", "-x", "3600"] if session else []
        for topic in topics:
            flags += ["-t", topic]
        self.process = Process("mosquitto_sub", broker.client("mosquitto_sub", identity, *flags),
                               broker.folder / f"{name}.log")
        self.process.wait_for("SUBACK")

    def messages(self, suffix=""):
        found = []
        for line in self.process.output().splitlines():
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if message["topic"].endswith(suffix) or f"/{suffix}" in message["topic"]:
                found.append(message)
        return found

    def wait_for(self, what, condition, suffix="", patience=PATIENCE):
        """Waits until condition(messages) is true; gives its value."""
        return wait_until(what, lambda: condition(self.messages(suffix)), patience)

    def stop(self):
        self.process.stop()


def event_keys(messages):
    """(device, boot, seq) of each event among the messages, in order of arrival."""
    keys = []
    for message in messages:
        parts = message["topic"].split("/")
        if len(parts) < 6 or parts[4] != "events":
            continue
        properties = user_properties(message)
        if "seq" in properties:
            keys.append((parts[3], int(properties.get("boot", 0)), int(properties["seq"])))
    return keys


def user_properties(message):
    """User properties of a message as mosquitto_sub's %j prints them: a list of single pairs, or one object."""
    found = {}
    properties = message.get("properties", {})
    for name in ("user-properties", "user-property"):
        entries = properties.get(name, [])
        for entry in entries if isinstance(entries, list) else [entries]:
            found.update(entry)
    return found
