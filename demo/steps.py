# SPDX-License-Identifier: GPL-2.0-or-later
"""The steps of the demo. Each takes (world, narrator), raises if something is not as promised, and returns one line."""

import json
import pathlib
import shutil
import signal
import subprocess
import time

from lab.cloud import event_keys
from lab.process import LabError, wait_until

DIRECT = "device-5"
INSTALL = 90  # seconds at most for an install: the gate answers a device twice, ten seconds apart
SETTLE = 3  # seconds to watch that nobody flaps


def expect(condition, complaint):
    if not condition:
        raise LabError(complaint)


def relay_devices(world):
    return [name for name in world.devices if name != DIRECT]


def start(world, say):
    """1: the world comes up."""
    say.say("making keys: vendor (organisation, developer), three approvers, factory, cloud, relay; each in its own folder")
    world.make()
    say.say(f"starting mosquitto as the vendor's cloud on 127.0.0.1:{world.cloud.port}: TLS 1.3, client certificates, ACLs")
    world.start_all()
    say.say(f"starting the hub, the front end on 127.0.0.1:{world.port}, and five devices (real firmware, posix port)")
    world.watcher = world.cloud.watch("sites/#")
    for name in world.devices:
        world.start_device(name)
    for name in relay_devices(world):
        world.wait_device(name, "connects to the relay", lambda device: device["Online"])
    say.show(world.relayctl("devices").stdout)
    return f"{len(world.processes)} programs and a broker; {len(relay_devices(world))} devices at the relay, 1 at the cloud"


def telemetry(world, say):
    """2: events of all five reach the cloud."""
    say.say("each device measures soil moisture and waters by its own plan; the cloud's side reads with mosquitto_sub")
    counts = world.watcher.wait_for("three events of each device at the cloud", lambda messages: enough_events(messages, world, 3))
    for name in world.devices:
        message = next(m for m in world.watcher.messages() if f"/{name}/events/" in m["topic"])
        say.show(f"{message['topic']}  {message['payload']}")
    say.say("the other way: a person of the site switches device-1's pump off, with a key that the site policy grants just that")
    say.show(world.relayctl("device", "call", "device-1", "pump.off", "--key", world.command_key).stdout)
    return ", ".join(f"{name}: {counts[name]}" for name in world.devices) + " events at the cloud; device-1 did as it was told"


def enough_events(messages, world, least):
    counts = {name: 0 for name in world.devices}
    for device, _, _ in event_keys(messages):
        counts[device] = counts.get(device, 0) + 1
    return counts if all(counts[name] >= least for name in world.devices) else None


def status_of(world, name, state, reason=None, version=None):
    """The device's last updates/status at the cloud, if it says this."""
    for message in reversed(world.watcher.messages(f"devices/{name}/updates/status")):
        status = json.loads(message["payload"])
        if version and status["version"] != version:
            continue
        return status if status["state"] == state and (reason is None or status["reason"] == reason) else None
    return None


def offer(world, say):
    """3: an update waits."""
    program = world.program("plant-care-1.1.0")
    say.say("the vendor builds 1.1.0; two people sign its manifest (organisation, developer); fwtool publishes it as retained blocks")
    world.update = world.make_image("1.1.0", 2, program, urgency="security", description="waters less at night")
    world.publish(*world.update)
    wait_until("the update to show as pending", lambda: find_update(world, "1.1.0", "pending"))
    say.show(world.relayctl("updates").stdout)
    wait_until(f"{DIRECT} to refuse it", lambda: status_of(world, DIRECT, "refused", "not-approved"))
    versions = {d["Identity"]: d["FirmwareVersion"] for d in world.relayctl_json("devices", "list") if d["Online"]}
    expect(set(versions.values()) == {"1.0.0"}, f"devices moved without approval: {versions}")
    return f"pending at the relay, no device moved; {DIRECT} got the offer from the cloud and refused it: not-approved"


def find_update(world, version, state=None):
    for update in world.relayctl_json("updates", "list"):
        if update["Version"] == version and (state is None or update["State"] == state):
            return update
    return None


def approve(world, say):
    """4: two of three approvers say yes; devices install."""
    say.say("the site's policy demands tickets (the default): each device asks the gate with a nonce of its own before it installs,"
            " device-5 through the cloud; the gate opens for ten minutes")
    say.show(world.relayctl("gate", "open", "--for", "10m").stdout)
    for person in ("anna", "bertil"):
        say.say(f"{person} approves on a machine of her own or his own; relayctl checks the vendor's signatures there before it signs")
        say.show(world.approve("1.1.0", person).stdout)
    for name in relay_devices(world):
        world.wait_device(name, "to confirm 1.1.0", lambda device: device["FirmwareVersion"] == "1.1.0" and device["Online"]
                          and device["UpdateState"] == "confirmed", patience=INSTALL)
    wait_until(f"{DIRECT} to confirm 1.1.0", lambda: status_of(world, DIRECT, "confirmed", version="1.1.0"), INSTALL)
    say.show(world.relayctl("devices").stdout)
    found = [path for path in (world.folder / "gateway").rglob("*") if path.is_file() and holds_a_key(path, approver_keys(world))]
    expect(not found, f"approver keys on the gateway: {found}")
    say.say("no file of the gateway holds an approver's private key (every file was searched for each of the three)")
    status = world.relayctl_json("status")
    fetched, served = status["ImageBytesFetched"], status["ImageBytesServed"]
    size = pathlib.Path(world.update[1]).stat().st_size
    expect(fetched < 2 * size, f"fetched {fetched} bytes for an image of {size}")
    expect(served >= len(relay_devices(world)) * size, f"served only {served} bytes")
    return f"all five run 1.1.0; the image ({size} bytes) was fetched once ({fetched}) and served {served} bytes from the cache"


def approver_keys(world):
    """Each approver's private key as openssl shows it: the 32 bytes, and the Base64 line of its file."""
    keys = []
    for path in (world.folder / "people").glob("*/approver.key"):
        pkcs8 = subprocess.run(["openssl", "pkey", "-in", path, "-outform", "DER"], capture_output=True, check=True).stdout
        keys += [pkcs8[-32:], path.read_bytes().splitlines()[1]]
    return keys


def holds_a_key(path, keys):
    content = path.read_bytes()
    return any(key in content for key in keys)


def attack(world, say):
    """5: the whole cloud and the organisation key in an attacker's hands."""
    empty = world.folder / "vendor" / "empty.bin"
    empty.write_bytes(bytes(4096))
    attacker = world.folder / "attacker"
    attacker.mkdir(exist_ok=True)
    world.fwtool("keys", "create", attacker / "developer.key")
    shutil.copy(world.folder / "vendor" / "organisation.key", attacker / "organisation.key")
    say.say("the attacker is root on the broker, has its data and the organisation key; he publishes an empty image (zeros) to everybody")
    world.attack = world.make_image("6.6.6", 66, empty, urgency="security", keys=attacker, name="attack")
    world.publish(*world.attack)
    alert = wait_until("the relay's alert", lambda: find_alert(world, "developer-signature"))
    say.show(world.relayctl("alerts").stdout)
    wait_until(f"{DIRECT} to refuse", lambda: status_of(world, DIRECT, "refused", "developer-signature"))
    say.say("the relay is cut off, so that the devices meet the attacker's offer directly at the cloud")
    stop_relay(world)
    for name in world.devices:
        wait_until(f"{name} to refuse at the cloud", lambda: status_of(world, name, "refused", "developer-signature"), 40)
        say.show(f"{name}: refused, developer-signature")
    versions = device_versions(world)
    expect(set(versions.values()) == {"1.1.0"}, f"versions now: {versions}")
    world.start_relay()
    wait_until("the devices to come home", lambda: all_home(world), 40)
    return f"refused by the relay ({alert['reason'] if 'reason' in alert else alert['Reason']}) and by each of the five devices"


def newest_states(world):
    """What each device says of itself at the cloud: (way, state) of the highest (boot, session), the later of equals."""
    found = {}
    for message in world.watcher.messages():
        parts = message["topic"].split("/")
        if len(parts) == 6 and parts[4] == "state" and message.get("payload"):
            state = json.loads(message["payload"])
            key = (state["boot"], state["session"])
            if parts[3] not in found or key >= found[parts[3]][0]:
                found[parts[3]] = (key, parts[5], state)
    return {name: (way, state) for name, (_, way, state) in found.items()}


def device_versions(world):
    return {name: state["version"] for name, (_, state) in newest_states(world).items()}


def all_home(world):
    """Every device has moved back: it leaves the working direct session only after the relay has proved itself for a while."""
    states = newest_states(world)
    return all(states[name][0] == "relay" and states[name][1]["online"] for name in relay_devices(world))


def find_alert(world, reason):
    for alert in world.relayctl_json("alerts"):
        if alert.get("reason", alert.get("Reason")) == reason:
            return alert
    return None


def stop_relay(world):
    """Without a goodbye, as a dead gateway."""
    world.processes["front"].kill()
    world.processes["hub"].kill()


def failover(world, say):
    """6: the relay's processes are killed while it holds events that the cloud does not have yet."""
    say.say("the cloud stalls for a moment, so the relay stores; then hub and front end get SIGKILL; nobody tells the devices")
    world.cloud.process.popen.send_signal(signal.SIGSTOP)
    world.stored = wait_until("events in the relay's outbox", lambda: waiting_events(world, 12))
    stop_relay(world)
    killed, seen = time.monotonic(), len(world.watcher.messages("state/direct"))
    world.cloud.process.popen.send_signal(signal.SIGCONT)
    took = {}

    def all_direct():
        for message in world.watcher.messages("state/direct")[seen:]:
            if json.loads(message["payload"])["online"]:
                took.setdefault(message["topic"].split("/")[3], time.monotonic() - killed)
        return set(relay_devices(world)) <= set(took)
    wait_until("every device at the cloud", all_direct, 40)
    newest = dict((device, (boot, seq)) for device, boot, seq in sorted(event_keys(world.watcher.messages())))
    for name in world.devices:
        world.watcher.wait_for(f"an event of {name} sent directly", lambda messages: any(
            device == name and (boot, seq) > newest.get(name, (0, 0)) for device, boot, seq in event_keys(messages)))
    say.say("the attacker now has both vendor keys and offers 1.2.0, properly signed, directly to every device")
    unapproved = world.make_image("1.2.0", 3, world.program("plant-care-1.1.0"), name="unapproved")
    world.publish(*unapproved)
    for name in world.devices:
        wait_until(f"{name} to refuse on the direct way", lambda: status_of(world, name, "refused", "not-approved", "1.2.0"))
        say.show(f"{name}: refused, not-approved")
    return (f"in session at the cloud after {max(took.values()):.2f} s at most and publishing; the update gate holds there, too;"
            f" {world.stored} events wait in the dead relay")


def waiting_events(world, least):
    waiting = world.relayctl_json("status")["OutboxEvents"]
    return waiting if waiting >= least else None


def gaps(keys):
    """Missing sequence numbers per (device, boot) up to the highest seen."""
    seen = {}
    for device, boot, seq in keys:
        seen.setdefault((device, boot), set()).add(seq)
    missing = {who: set(range(min(numbers), max(numbers))) - numbers for who, numbers in seen.items()}
    return {who: numbers for who, numbers in missing.items() if numbers}


def come_back(world, say):
    """7: the relay comes back."""
    missing = sum(map(len, gaps(event_keys(world.watcher.messages())).values()))
    say.say(f"{missing} events are missing at the cloud; hub and front end start again, and what the store kept goes up")
    seen = len(world.watcher.messages("state/relay"))
    world.start_relay()
    wait_until("the devices to come home", lambda: all_home(world), 40)
    status = wait_until("the outbox to empty", lambda: empty_outbox(world))
    wait_until("every event at the cloud", lambda: not gaps(event_keys(world.watcher.messages())))
    time.sleep(SETTLE)
    keys = event_keys(world.watcher.messages())
    sessions = [m["topic"] for m in world.watcher.messages("state/relay")[seen:] if json.loads(m["payload"])["online"]]
    expect(len(sessions) == len(set(sessions)), f"devices flapped: {sessions}")
    return (f"{len(set(keys))} events at the cloud, none missing, {len(keys) - len(set(keys))} repeated with the same key;"
            f" outbox {status['OutboxEvents']}; each of the {len(set(sessions))} devices came home once")


def empty_outbox(world):
    status = world.relayctl_json("status")
    return status if status["OutboxEvents"] == 0 and status["UplinkState"] == "up" else None


STEPS = [
    ("The world starts", start),
    ("Telemetry flows device -> relay -> cloud", telemetry),
    ("The vendor publishes an update; it waits", offer),
    ("Two of three approvers approve; devices install", approve),
    ("The cloud and the organisation key are stolen", attack),
    ("The relay dies; devices go direct", failover),
    ("The relay comes back", come_back),
]
