# SPDX-License-Identifier: GPL-2.0-or-later
"""openssl looks at the front end: versions, group, suite, and who is let in."""

import subprocess

import pytest


def s_client(relay, *arguments, identity="app.all", stdin=b""):
    certificate, key, ca = relay.credentials("app.all")
    who = ["-cert", str(certificate), "-key", str(key)] if identity else []
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-CAfile", str(ca), *who, *arguments],
                          input=stdin, capture_output=True, timeout=60)


def test_tls_1_3_with_x25519_and_chacha20(relay):
    output = s_client(relay, "-verify_return_error").stdout.decode()
    assert "TLSv1.3" in output and "TLS_CHACHA20_POLY1305_SHA256" in output
    assert "X25519" in output
    assert "Verification: OK" in output


@pytest.mark.parametrize("group, shown", [("X25519", "X25519"), ("P-256", "prime256v1")])
def test_groups(relay, group, shown):
    key = [line for line in s_client(relay, "-groups", group).stdout.decode().splitlines() if "Server Temp Key" in line]
    assert key and shown in key[0]


@pytest.mark.parametrize("suite", ["TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"])
def test_suites(relay, suite):
    assert f"Cipher is {suite}" in s_client(relay, "-ciphersuites", suite).stdout.decode()


def test_tls_1_2_is_refused(relay):
    done = s_client(relay, "-tls1_2")
    assert done.returncode != 0
    assert "Cipher is (NONE)" in done.stdout.decode()


def test_no_certificate_is_refused(relay):
    """A TLS 1.3 client learns of it at its first read."""
    connect = b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x02d1"
    done = s_client(relay, "-quiet", identity=None, stdin=connect)
    assert done.stdout[:1] != b"\x20"
    assert "alert" in done.stderr.decode()


def test_foreign_alpn_is_refused(relay):
    done = s_client(relay, "-alpn", "h2")
    assert "no application protocol" in done.stderr.decode() or "Cipher is (NONE)" in done.stdout.decode()


def test_mqtt_alpn_is_accepted(relay):
    assert "ALPN protocol: mqtt" in s_client(relay, "-alpn", "mqtt").stdout.decode()
