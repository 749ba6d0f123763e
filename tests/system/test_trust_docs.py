#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/trust.md is normative: its examples are read out of it and checked, by Python and by librelay.

Run as a program it writes the examples into the document anew.
"""
import hashlib
import pathlib
import re
import sys
import textwrap

import pytest
from cryptography import x509

import relaydice as dice
import relayobjects as ro
from test_objects import Tool

TOP = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = TOP / "docs/trust.md"
BLOCK = re.compile(r"^```hex ([a-z0-9-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CLASS = ro.ids("acme.example", "plant-care")[1]


def examples():
    return {name: bytes.fromhex("".join(text.split())) for name, text in BLOCK.findall(DOCUMENT.read_text())}


def written():
    sample = ro.Sample()
    device = dice.DiceSample(sample)
    return {"vendor-set": sample.vendor_set, "site-policy-set": sample.policy_set, "manifest": sample.envelope,
            "manifest-digest": sample.digest, "approval-1": sample.approvals[0], "approval-2": sample.approvals[1],
            "factory-list": sample.factory, "vendor-next-set": sample.next_vendor_set,
            "site-policy-next-set": sample.next_policy_set, "revocation-set": sample.revocation,
            "gate-request": sample.request, "ticket": sample.ticket, "ticket-closed": sample.refusal,
            "time-request": sample.time_request, "time-answer": sample.time_answer, "command": sample.order,
            "checkpoint": sample.checkpoint, "update-file-head": sample.update_head,
            "factory-list-attested": device.listed, "device-certificate": dice.to_der(device.device),
            "leaf-certificate": device.leaf, "cdi-certificate": device.certificate, "challenge": device.challenge,
            "statement": device.statement, "rotation": device.rotation}


@pytest.fixture(scope="module")
def shown():
    return examples()


@pytest.fixture(scope="module")
def tool():
    tool = Tool()
    yield tool
    tool.process.stdin.close()
    assert tool.process.wait() == 0


def test_every_example_is_there(shown):
    assert set(shown) == set(written())


def test_examples_by_python(shown):
    vendor = ro.accept_vendor_keys(shown["vendor-set"])
    assert vendor[1] == ro.ids("acme.example", "plant-care")[0]
    policy = ro.accept_site_policy(shown["site-policy-set"])
    assert policy[1] == "site-1" and len(policy[4]) == 3 and policy[5] == 2
    fields = ro.verify_manifest(shown["manifest"], vendor)
    assert (fields["version"], fields["sequence"]) == ("1.1.0", 7)
    assert fields["class"] == ro.ids("acme.example", "plant-care")[1]
    assert fields["digest"] == shown["manifest-digest"]
    image = bytes(range(256)) * 20
    assert fields["image"] == hashlib.sha256(image).digest() and fields["size"] == len(image)
    assert fields["list"] == hashlib.sha256(ro.block_list(image)).digest()
    places = []
    for name in ("approval-1", "approval-2"):
        place, approval = ro.verify_approval(shown[name], policy)
        assert approval[2] == shown["manifest-digest"] and approval[3] == [0]
        places.append(place)
    assert places == [0, 1]
    devices = ro.decode(shown["factory-list"])[2]
    assert [device[0] for device in devices] == ["device-1", "device-2"]


def test_chain_and_gate_by_python(shown):
    vendor, vendor_payload = ro.accept_vendor_keys(shown["vendor-set"]), ro.open_set(shown["vendor-set"])[0]
    policy, policy_payload = ro.accept_site_policy(shown["site-policy-set"]), ro.open_set(shown["site-policy-set"])[0]
    successor = ro.accept_next_site_policy(shown["site-policy-next-set"], policy_payload)
    assert (successor[2], successor[11]) == (2, 2) and successor[4] != policy[4]
    next_vendor = ro.accept_next_vendor_keys(shown["vendor-next-set"], vendor_payload, policy)
    assert next_vendor[3] == vendor[3] and next_vendor[4] != vendor[4]
    assert ro.accept_revocation(shown["revocation-set"], policy, 1)[2] == 2
    assert ro.read_gate_request(shown["gate-request"])[2] == shown["manifest-digest"]
    facts = ("device-1", CLASS)
    for name, request, verdict in (("ticket", "gate-request", 1), ("ticket-closed", "gate-request", 0),
                                   ("time-answer", "time-request", 0)):
        assert ro.verify_ticket(shown[name], policy_payload, *facts, shown[request], 1, policy[12])[7] == verdict
    order = ro.verify_command(shown["command"], policy, vendor, "device-1")
    assert (order[3], order[5], ro.decode(order[6])) == (7, "pump.on", {"s": 90})
    assert ro.verify_checkpoint(shown["checkpoint"], [gate[0] for gate in policy[6]])[3] == 1234
    envelope, notes, image = ro.open_update_file(shown["update-file-head"] + bytes(range(256)) * 20)
    assert envelope == shown["manifest"] and notes == "Waters less at night.\n" and len(image) == 5120


def test_chain_and_gate_by_librelay(shown, tool):
    vendor, policy = shown["vendor-set"], shown["site-policy-set"]
    assert tool.ask("policy-next", shown["site-policy-next-set"], policy)[0] == "ok"
    assert tool.ask("vendor-next", shown["vendor-next-set"], vendor, policy)[0] == "ok"
    assert tool.ask("revocation", shown["revocation-set"], policy, 1)[0] == "ok"
    for name, request, opens in (("ticket", "gate-request", "1"), ("ticket-closed", "gate-request", "0"),
                                 ("time-answer", "time-request", "0")):
        answer, fields = tool.ask("ticket", shown[name], policy, "device-1", CLASS, shown[request], 1, 0)
        assert answer == "ok" and fields["open"] == opens
    assert tool.ask("command", shown["command"], policy, vendor, "device-1", CLASS)[0] == "ok"
    assert tool.ask("checkpoint", shown["checkpoint"], ro.encode(ro.Key("gate").cose))[0] == "ok"
    head = shown["update-file-head"]
    assert tool.ask("update-file", head, len(head) + 5120)[1]["size"] == "5120"


def test_dice_by_python(shown):
    listed = ro.decode(shown["factory-list-attested"])
    identity, image = listed[2][0][1], listed[3][0]
    assert listed[2][0][0] == "device-1" and listed[2][0][4] == 2
    device = x509.load_der_x509_certificate(shown["device-certificate"])
    leaf = x509.load_der_x509_certificate(shown["leaf-certificate"])
    assert dice.raw(device.public_key()) == identity[-2]
    ro.Key("factory").public.verify(device.signature, device.tbs_certificate_bytes)
    device.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes)
    assert leaf.subject == leaf.issuer == device.subject
    body, said = dice.appraise(shown["statement"], shown["challenge"], "device-1", identity[-2])
    assert body[5] == shown["cdi-certificate"] and body[4] == 12
    assert said == dice.measured(leaf) and said[:2] == (image, shown["manifest-digest"]) and said[4] == dice.NORMAL
    assert said[2] == {0: 1, 1: CLASS, 2: 7} and said[3] == ro.sha256(ro.open_set(shown["vendor-set"])[0])
    key, _ = dice.appraise_certificate(shown["cdi-certificate"], identity[-2])
    assert dice.raw(leaf.public_key()) == key
    number, new = dice.accept_rotation(shown["rotation"], identity, "device-1")
    assert number == 1 and new == dice.Signer(dice.key_of(dice.rotated(ro.sha256(b"device secret"), 1))).cose


def test_dice_by_librelay(shown, tool):
    assert tool.ask("factory", shown["factory-list-attested"])[1]["again"] == shown["factory-list-attested"].hex()
    identity = ro.encode(ro.decode(shown["factory-list-attested"])[2][0][1])
    question = (shown["challenge"], "device-1", identity)
    answer, fields = tool.ask("attest-check", shown["statement"], *question)
    assert answer == "ok" and fields["manifest"] == shown["manifest-digest"].hex() and fields["boot"] == "12"
    assert tool.ask("dice-read", shown["cdi-certificate"], identity)[0] == "ok"
    assert tool.ask("rotation-check", shown["rotation"], "device-1", identity)[0] == "ok"
    assert tool.make("challenge", *[ro.decode(shown["challenge"])[n] for n in (1, 2)]) == shown["challenge"]


def test_stated_sizes_of_dice(shown):
    text = DOCUMENT.read_text()
    assert f"CDI certificate has {len(shown['cdi-certificate'])} bytes" in text
    assert f"; {len(shown['challenge'])} bytes" in text
    for name, about in (("leaf-certificate", 750), ("device-certificate", 430)):
        assert abs(len(shown[name]) - about) < 10 and f"about {about}" in text


def test_examples_by_librelay(shown, tool):
    assert tool.ask("vendor", shown["vendor-set"])[0] == "ok"
    assert tool.ask("policy", shown["site-policy-set"])[0] == "ok"
    answer, fields = tool.ask("manifest", shown["manifest"], shown["vendor-set"])
    assert answer == "ok" and bytes.fromhex(fields["digest"]) == shown["manifest-digest"]
    question = ("decide", shown["site-policy-set"], shown["manifest-digest"], "device-1", bytes(16), 1, "-")
    assert tool.ask(*question, shown["approval-1"], shown["approval-2"])[0] == "ok"
    assert tool.ask(*question, shown["approval-1"], shown["approval-1"])[0] == "refused not-approved"
    assert tool.ask("factory", shown["factory-list"])[0] == "ok"


def test_examples_are_of_the_stated_keys(shown):
    assert shown == written()


def header(name):
    return (TOP / "librelay/include/relay" / name).read_text()


@pytest.mark.parametrize("file, macro", [("vendor.h", "VENDOR_KEYS"), ("sitepolicy.h", "SITE_POLICY"),
                                         ("approval.h", "APPROVAL"), ("revocation.h", "REVOCATION"),
                                         ("ticket.h", "TICKET"), ("command.h", "COMMAND"),
                                         ("checkpoint.h", "CHECKPOINT"), ("attest.h", "ATTEST"),
                                         ("attest.h", "ROTATION")])
def test_stated_names_and_sizes(file, macro):
    """the table of signatures against the headers"""
    aad = re.search(rf'#define {macro}_AAD\s+"([^"]+)"', header(file))[1]
    largest = re.search(rf"#define {macro}(?:_SET|_STATEMENT)?_MAX\s+(\d{{3,4}})\b", header(file))[1]
    row = next(line for line in DOCUMENT.read_text().splitlines() if f"`{aad}`" in line)
    assert row.endswith(f"| {largest} bytes |")


def test_stated_reasons_exist():
    known = set(re.findall(r'X\([A-Z_0-9]+, "([a-z-]+)"', header("reason.h")))
    stated = [word for part in re.findall(r"Reasons? of a refusal: ([^.]*)\.|the\s+reason is ([^.]*)\.",
                                          DOCUMENT.read_text()) for text in part for word in re.findall(r"`([a-z-]+)`", text)]
    assert len(stated) > 15 and set(stated) <= known


def write_examples():
    made = written()

    def block(match):
        return f"```hex {match[1]}\n" + "\n".join(textwrap.wrap(made[match[1]].hex(), 112)) + "\n```"

    DOCUMENT.write_text(BLOCK.sub(block, DOCUMENT.read_text()))


if __name__ == "__main__":
    sys.exit(write_examples())
