# SPDX-License-Identifier: GPL-2.0-or-later
"""The site's trust as Python speaks it: successors of what a world was set up with, and the hub's words on D-Bus."""

import queue

import dbus
import dbus.bus

from .mqtt import Paho
from .process import wait_until
from .updates import SITE, objects

import relaygate  # noqa: E402  lab.updates put their folder on the path
import relaypolicy  # noqa: E402
from relaycose import decode, encode, open_set, sha256, sign_set  # noqa: E402

NAME, PATH = "org.relayd.Relay1", "/org/relayd/Relay1"


def typed(argument):
    """as the interface has them: ay, t, as"""
    if isinstance(argument, bytes):
        return dbus.ByteArray(argument)
    if isinstance(argument, int):
        return dbus.UInt64(argument)
    return dbus.Array(argument, signature="s") if isinstance(argument, list) else argument


class Manager:
    """The hub's D-Bus object: methods by their names; refusals are the names of their errors."""

    def __init__(self, world):
        self.bus = dbus.bus.BusConnection(world.bus)
        self.refresh()

    def refresh(self):
        """The hub that has the name now: after it was started anew, the bus may still know the one that died."""
        def look():
            try:
                self.object = self.bus.get_object(NAME, PATH, introspect=False)
                return self.get("Version")
            except dbus.DBusException:
                return None
        wait_until("the hub on the bus", look)

    def call(self, method, *arguments):
        """What the method answers."""
        arguments = [typed(argument) for argument in arguments]
        return self.object.get_dbus_method(method, f"{NAME}.Manager")(*arguments, byte_arrays=True, timeout=60)

    def refusal(self, method, *arguments):
        """The error's name without its prefix; None if there was none."""
        try:
            self.call(method, *arguments)
        except dbus.DBusException as error:
            return error.get_dbus_name().removeprefix(f"{NAME}.Error.")
        return None

    def get(self, name, path=PATH, kind="Manager"):
        properties = dbus.Interface(self.bus.get_object(NAME, path, introspect=False), "org.freedesktop.DBus.Properties")
        return properties.Get(f"{NAME}.{kind}", name, byte_arrays=True)

    def update(self, update, name):
        return self.get(name, f"{PATH}/update/{update.manifest.hex()}", "Update")

    def close(self):
        self.bus.close()


def connected(world):
    """A session of app.all; None: the front end is still finding its hub."""
    try:
        application = Paho(world.port, world.credentials("app.all"), "app.all")
    except (OSError, queue.Empty):
        return None
    if application.reason == 0:
        return application
    application.close()
    return None


def watch(world):
    """app.all sees from now on what local subscribers see: retained ones first; world.local has it by topic."""
    if getattr(world, "application", None):
        world.application.close()
    world.application, world.local = wait_until("a session of app.all", lambda: connected(world), 60), {}
    assert world.application.subscribe("sites/#", qos=1) == [1]


def locally(world, rest):
    """the newest payload below sites/<site>/; None: there was none"""
    while not world.application.messages.empty():
        message = world.application.messages.get()
        world.local[message.topic] = bytes(message.payload)
    return world.local.get(f"sites/{SITE}/{rest}")


def restart(world):
    """kill -9 of the hub and a new start"""
    world.processes["hub"].kill()
    world.start_hub()
    world.manager.refresh()
    watch(world)


class Chain:
    """Signed site policies from the one that the world was set up with on; signed by the people of `desk`."""

    def __init__(self, world, desk):
        self.desk = desk
        self.sets = [world.policy.read_bytes()]

    @property
    def payload(self):
        return open_set(self.sets[-1])[0]

    @property
    def policy(self):
        return decode(self.payload)

    def make(self, changes, signers=("anna", "bertil"), after=None, extra=()):
        """The successor of the newest one (or of the payload `after`) with these labels changed; it is not kept."""
        payload = after or self.payload
        policy = decode(payload)
        policy.update({2: policy[2] + 1, 3: sha256(payload), **changes})
        policy = {label: value for label, value in policy.items() if value is not None}
        keys = [self.desk.keys[name] for name in signers] + list(extra)
        return sign_set(relaypolicy.SITE_POLICY_AAD, encode(policy), keys)

    def add(self, changes, **options):
        self.sets.append(self.make(changes, **options))
        return self.sets[-1]


def digest(signed_set):
    return sha256(open_set(signed_set)[0]).hex()


def revocation(desk, epoch, signers=("anna", "bertil")):
    return relaygate.revocation([desk.keys[name] for name in signers], SITE, epoch)


def key_id(key):
    return objects.key_id(key.cose).hex()
