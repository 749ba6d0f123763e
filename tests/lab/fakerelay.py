#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A relay that is only its D-Bus interface: shows what a JSON file says, writes down what it was asked to do.

    fakerelay.py BUS-ADDRESS STATE.json CALLS.jsonl
State: {"manager": {...}, "devices": [{...}], "updates": [{..., "envelope": hex}], "policy": hex, "vendor": hex,
"policies": {epoch: hex}, "vendors": {epoch: hex}, "revocation": hex, "gates": [[scope, state, until, [window]]],
"counter": number, "answer": [[result, reason, hex]] to a command, "alerts": [[...]], "audit": [[number, hex]]}. It is read again for every call, so a test can change the relay's mind.
"""

import json
import pathlib
import sys

import cbor2
import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME, PATH = "org.relayd.Relay1", "/org/relayd/Relay1"
TYPES = {"UplinkSince": dbus.UInt64, "GateUntil": dbus.UInt64, "PolicyEpoch": dbus.UInt64, "Threshold": dbus.UInt32,
         "Sessions": dbus.UInt32, "OutboxEvents": dbus.UInt64, "OutboxBytes": dbus.UInt64, "StoreUsed": dbus.UInt64,
         "Since": dbus.UInt64, "Boot": dbus.UInt64, "UpdateProgress": dbus.UInt32, "Sequence": dbus.UInt64,
         "ImageSize": dbus.UInt32, "Received": dbus.UInt64, "Needed": dbus.UInt32, "BlocksCached": dbus.UInt32,
         "Blocks": dbus.UInt32, "Online": dbus.Boolean,
         "ProvedSequence": dbus.UInt64, "ProvedTime": dbus.UInt64, "Rotation": dbus.UInt32,
         "PolicyDigest": lambda text: dbus.ByteArray(bytes.fromhex(text)),
         "Approvals": lambda ids: dbus.Array(ids, signature="s"),
         "Devices": lambda pairs: dbus.Array([dbus.Struct(pair, signature="ss") for pair in pairs], signature="(ss)")}


def typed(properties):
    return dbus.Dictionary({key: TYPES.get(key, dbus.String)(value) for key, value in properties.items()
                            if key != "envelope"}, signature="sv")


class Relay:
    def __init__(self, state, calls):
        self.file, self.calls = pathlib.Path(state), pathlib.Path(calls)

    def state(self):
        return json.loads(self.file.read_text())

    def note(self, method, *arguments):
        with self.calls.open("a") as log:
            log.write(json.dumps([method, *arguments]) + "\n")


class Update(dbus.service.Object):
    def __init__(self, bus, relay, digest):
        self.relay, self.digest = relay, digest
        super().__init__(bus, f"{PATH}/update/{digest}")

    @dbus.service.method(NAME + ".Update", out_signature="ay")
    def GetManifest(self):
        return next(dbus.ByteArray(bytes.fromhex(update["envelope"])) for update in self.relay.state()["updates"]
                    if update["Digest"] == self.digest)


class Manager(dbus.service.Object):
    def __init__(self, bus, relay):
        self.relay = relay
        super().__init__(bus, PATH)

    def refuse_unknown(self, identity):
        if identity not in [device["Identity"] for device in self.relay.state()["devices"]]:
            raise dbus.DBusException(f"there is no device '{identity}'", name=NAME + ".Error.UnknownDevice")

    @dbus.service.method("org.freedesktop.DBus.Properties", in_signature="s", out_signature="a{sv}")
    def GetAll(self, interface):
        return typed(self.relay.state()["manager"])

    @dbus.service.method("org.freedesktop.DBus.ObjectManager", out_signature="a{oa{sa{sv}}}")
    def GetManagedObjects(self):
        state, objects = self.relay.state(), {}
        for device in state["devices"]:
            objects[f"{PATH}/device/{device['Identity'].replace('-', '_2d')}"] = {NAME + ".Device": typed(device)}
        for update in state["updates"]:
            objects[f"{PATH}/update/{update['Digest']}"] = {NAME + ".Update": typed(update)}
        return dbus.Dictionary(objects, signature="oa{sa{sv}}")

    @dbus.service.method(NAME + ".Manager", in_signature="ay", out_signature="uu", byte_arrays=True)
    def ImportDevices(self, listed):
        self.relay.note("ImportDevices", bytes(listed).hex())
        return dbus.UInt32(2), dbus.UInt32(1)

    @dbus.service.method(NAME + ".Manager", in_signature="s")
    def AdmitDevice(self, identity):
        self.refuse_unknown(identity)
        self.relay.note("AdmitDevice", identity)
        self.AlertRaised(9, 1763800000, identity, "pending-device", "was admitted")

    @dbus.service.method(NAME + ".Manager", in_signature="ss")
    def RevokeDevice(self, identity, why):
        self.refuse_unknown(identity)
        self.relay.note("RevokeDevice", identity, why)

    @dbus.service.method(NAME + ".Manager", in_signature="s")
    def ReleaseDevice(self, identity):
        self.refuse_unknown(identity)
        self.relay.note("ReleaseDevice", identity)

    @dbus.service.method(NAME + ".Manager", in_signature="ay", out_signature="s", byte_arrays=True)
    def RotateDevice(self, rotation):
        self.relay.note("RotateDevice", bytes(rotation).hex())
        return "device-1"

    @dbus.service.method(NAME + ".Manager", out_signature="a(ssstts)")
    def ListImages(self):
        return dbus.Array([dbus.Struct(image, signature="ssstts") for image in self.relay.state()["images"]],
                          signature="(ssstts)")

    @dbus.service.method(NAME + ".Manager", in_signature="ay", out_signature="sb", byte_arrays=True)
    def AddImage(self, envelope):
        self.relay.note("AddImage", bytes(envelope).hex())
        return "ab" * 32, True

    @dbus.service.method(NAME + ".Manager", in_signature="s")
    def ForgetImage(self, image):
        self.relay.note("ForgetImage", image)

    @dbus.service.method(NAME + ".Manager", in_signature="ay", byte_arrays=True)
    def ImportSitePolicy(self, signed_set):
        self.relay.note("ImportSitePolicy", bytes(signed_set).hex())

    @dbus.service.method(NAME + ".Manager", in_signature="ay", byte_arrays=True)
    def ImportVendorKeys(self, signed_set):
        self.relay.note("ImportVendorKeys", bytes(signed_set).hex())

    @dbus.service.method(NAME + ".Manager", out_signature="ay")
    def GetSitePolicy(self):
        return dbus.ByteArray(bytes.fromhex(self.relay.state()["policy"]))

    @dbus.service.method(NAME + ".Manager", out_signature="ay")
    def GetVendorKeys(self):
        return dbus.ByteArray(bytes.fromhex(self.relay.state()["vendor"]))

    @dbus.service.method(NAME + ".Manager", in_signature="t", out_signature="ay")
    def GetSitePolicyAt(self, epoch):
        return dbus.ByteArray(bytes.fromhex(self.relay.state().get("policies", {}).get(str(epoch), "")))

    @dbus.service.method(NAME + ".Manager", in_signature="t", out_signature="ay")
    def GetVendorKeysAt(self, epoch):
        return dbus.ByteArray(bytes.fromhex(self.relay.state().get("vendors", {}).get(str(epoch), "")))

    @dbus.service.method(NAME + ".Manager", out_signature="ay")
    def GetRevocation(self):
        return dbus.ByteArray(bytes.fromhex(self.relay.state().get("revocation", "")))

    @dbus.service.method(NAME + ".Manager", in_signature="ay", byte_arrays=True)
    def Revoke(self, signed_set):
        self.relay.note("Revoke", bytes(signed_set).hex())

    @dbus.service.method(NAME + ".Manager", out_signature="a(sstas)")
    def GetGate(self):
        return dbus.Array([dbus.Struct((scope, state, dbus.UInt64(until), dbus.Array(windows, signature="s")),
                                       signature="sstas") for scope, state, until, windows in self.relay.state()["gates"]],
                          signature="(sstas)")

    @dbus.service.method(NAME + ".Manager", in_signature="sstas")
    def SetGate(self, scope, state, until, windows):
        self.relay.note("SetGate", scope, state, int(until), list(windows))

    @dbus.service.method(NAME + ".Manager", in_signature="s")
    def ResetGate(self, scope):
        self.relay.note("ResetGate", scope)

    @dbus.service.method(NAME + ".Manager", in_signature="ss", out_signature="t")
    def CommandCounter(self, device, key_id):
        return dbus.UInt64(self.relay.state().get("counter", 0))

    @dbus.service.method(NAME + ".Manager", in_signature="ay", out_signature="t", byte_arrays=True)
    def SendCommand(self, command):
        body = cbor2.loads(cbor2.loads(bytes(command)).value[2])
        key_id = cbor2.loads(cbor2.loads(bytes(command)).value[0])[4].hex()
        self.relay.note("SendCommand", bytes(command).hex())
        for result, reason, value in self.relay.state().get("answer") or []:
            # of another command first, which is not the answer
            self.CommandResult(body[2], key_id, dbus.UInt64(body[3] - 1), "failed", "none", dbus.ByteArray(b""))
            self.CommandResult(body[2], key_id, dbus.UInt64(body[3]), result, reason, dbus.ByteArray(bytes.fromhex(value)))
        return dbus.UInt64(body[3])

    @dbus.service.signal(NAME + ".Manager", signature="sstssay")
    def CommandResult(self, device, key_id, counter, result, reason, value):
        pass

    @dbus.service.method(NAME + ".Manager", in_signature="ay", out_signature="uu", byte_arrays=True)
    def Approve(self, approval):
        self.relay.note("Approve", bytes(approval).hex())
        return dbus.UInt32(1), dbus.UInt32(2)

    @dbus.service.method(NAME + ".Manager", in_signature="ss")
    def DenyUpdate(self, digest, why):
        self.relay.note("DenyUpdate", digest, why)

    @dbus.service.method(NAME + ".Manager", in_signature="t")
    def OpenGate(self, until):
        self.relay.note("OpenGate", int(until))

    @dbus.service.method(NAME + ".Manager")
    def CloseGate(self):
        self.relay.note("CloseGate")

    @dbus.service.method(NAME + ".Manager", in_signature="t", out_signature="a(ttsss)")
    def ListAlerts(self, start):
        return dbus.Array([dbus.Struct(alert, signature="ttsss") for alert in self.relay.state()["alerts"]
                           if alert[0] >= start], signature="(ttsss)")

    @dbus.service.method(NAME + ".Manager", in_signature="tu", out_signature="a(tay)")
    def ReadAudit(self, start, most):
        found = [record for record in self.relay.state()["audit"] if record[0] >= start][:most]
        return dbus.Array([dbus.Struct((dbus.UInt64(number), dbus.ByteArray(bytes.fromhex(record))), signature="tay")
                           for number, record in found], signature="(tay)")

    @dbus.service.method(NAME + ".Manager", in_signature="tu", out_signature="a(tay)")
    def ReadCheckpoints(self, start, most):
        found = [entry for entry in self.relay.state().get("checkpoints", []) if entry[0] >= start][:most]
        return dbus.Array([dbus.Struct((dbus.UInt64(number), dbus.ByteArray(bytes.fromhex(signed))), signature="tay")
                           for number, signed in found], signature="(tay)")

    @dbus.service.signal(NAME + ".Manager", signature="ttsss")
    def AlertRaised(self, number, time, device, reason, detail):
        pass


def main():
    address, state, calls = sys.argv[1:]
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.bus.BusConnection(address)
    relay = Relay(state, calls)
    objects = [Manager(bus, relay)] + [Update(bus, relay, update["Digest"]) for update in relay.state()["updates"]]
    bus.request_name(NAME)
    print(f"ready with {len(objects)} objects", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
