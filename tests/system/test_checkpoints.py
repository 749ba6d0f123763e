# SPDX-License-Identifier: GPL-2.0-or-later
"""Checkpoints of a real relay's audit log: signed, chained, carried out; the chain is verified in Python."""

import os
import time

import dbus
import pytest
import relaygate
from lab.gate import GateWorld, digest_of
from lab.mqtt import Paho
from lab.packets import Client
from lab.process import wait_until
from lab.site import SITE
from lab.updates import objects

from conftest import BUILD

TOPIC = f"sites/{SITE}/audit/checkpoint"


class Site(GateWorld):
    def make_devices(self, version="1.0.0"):
        pass


@pytest.fixture
def site():
    with Site(BUILD, devices=2, keep="RELAYD_KEEP" in os.environ) as world:
        world.make()
        world.add_application("app.auditor", ["#"], [])
        world.start_all()
        yield world


class Auditor:
    """Keeps what the cloud shows, and compares it with the log."""

    def __init__(self, site):
        files = site.cloud.certificates
        self.site, self.seen = site, []
        self.client = Paho(site.cloud.port, (files / "ops.acme.crt", files / "ops.acme.key", files / "ca.crt"), "ops.acme.audit")
        self.client.subscribe(TOPIC, qos=1)

    def look(self):
        while not self.client.messages.empty():
            payload = self.client.messages.get().payload
            if payload not in self.seen:  # told again at each start
                self.seen.append(payload)
        return self.seen

    def wait(self, checkpoint):
        wait_until("the checkpoint at the cloud", lambda: checkpoint in self.look())

    def verify(self):
        """All that was seen follows each other and is what the log says; gives the last."""
        records, previous, count = dict(self.site.hub().audit()), None, 0
        for sign1 in self.look():
            item = relaygate.verify_checkpoint(sign1, [self.site.gate_key.cose])
            assert item[1] == SITE and item[2] == f"relay.{SITE}" and abs(item[5] - time.time()) < 600
            assert item.get(6) == previous and item[3] > count
            assert digest_of(records[item[3]]) == item[4]
            previous, count = digest_of(sign1), item[3]
        return item


def verify_log(site):
    """The whole log, record by record."""
    previous = bytes(32)
    for place, (number, record) in enumerate(site.hub().audit(), 1):
        item = objects.decode(record)
        assert number == item[1] == place and item[3] == previous
        previous = digest_of(record)


def test_checkpoints_are_chained_signed_and_carried_out(site):
    auditor, hub = Auditor(site), site.hub()
    first = hub.checkpoint(make=True)
    assert hub.checkpoint() == first and hub.checkpoint(make=True) == first  # nothing new: the same
    auditor.wait(first)
    for _ in range(3):
        site.relayctl("gate", "open")
        site.relayctl("gate", "close")
        made = hub.checkpoint(make=True)
        assert made != first
        auditor.wait(made)
    assert len(auditor.look()) >= 4
    assert auditor.verify()[3] == len(hub.audit())
    verify_log(site)


def test_checkpoint_is_retained_for_devices_and_applications(site):
    made = site.hub().checkpoint(make=True)
    application = Client(site, "app.auditor")
    with site.device("device-1") as device:
        for client in (application, device):
            def shown(client=client):
                assert client.subscribe(TOPIC) == [1]
                message = client.message()
                assert message.retain and message.topic == TOPIC
                return message.payload == made
            wait_until("the checkpoint to be shown", shown)
    application.drop()


def test_clean_stop_ends_with_a_checkpoint(site):
    auditor = Auditor(site)
    site.relayctl("gate", "open")
    site.restart_hub()
    hub = site.hub()
    wait_until("the last checkpoint at the cloud", lambda: hub.checkpoint() in auditor.look())
    item = auditor.verify()
    stopped = objects.decode(dict(hub.audit())[item[3]])
    assert stopped[5] == "stopped"
    assert hub.alerts("audit-broken") == []


def test_kill_leaves_log_and_checkpoints_that_fit(site):
    """Wherever the kill was: the log has what a checkpoint that left says."""
    auditor, hub = Auditor(site), site.hub()
    for _ in range(3):
        for _ in range(5):
            site.relayctl("gate", "open")
        hub.checkpoint(make=True)
        site.relayctl("gate", "close")
        site.restart_hub(kill=True)
        hub = site.hub()
        made = hub.checkpoint(make=True)
        auditor.wait(made)
    auditor.verify()
    verify_log(site)
    assert hub.alerts("audit-broken") == []


def test_thousand_records_make_one(site):
    hub = site.hub()
    hub.checkpoint(make=True)
    before, start = hub.checkpoint(), len(hub.audit())
    for _ in range(500):
        hub.manager.OpenGate(dbus.UInt64(0), ignore_reply=True)
        hub.manager.CloseGate(ignore_reply=True)
    assert hub.checkpoint() != before  # calls are answered in their order
    item = relaygate.verify_checkpoint(hub.checkpoint(), [site.gate_key.cose])
    assert item[3] == start + 1000 and item[6] == digest_of(before)


def test_without_a_key_there_is_none(site):
    conf = site.config()
    conf.write_text("\n".join(line for line in conf.read_text().splitlines() if "gate.key" not in line and line != "[gate]") + "\n")
    site.restart_hub()
    hub = site.hub()
    last = hub.checkpoint()
    assert hub.refused(hub.checkpoint, True) == "NotAuthorised"
    site.relayctl("gate", "open")
    site.restart_hub()
    assert site.hub().checkpoint() == last
