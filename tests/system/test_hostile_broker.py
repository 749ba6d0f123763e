# SPDX-License-Identifier: GPL-2.0-or-later
"""fwtool publishes to a broker that misbehaves: it ends, says why, and never claims that it worked."""

import pytest
from lab.fakecloud import FakeCloud
from lab.site import World

from conftest import BUILD


@pytest.fixture(scope="module")
def vendor(tmp_path_factory):
    world = World(BUILD, devices=1)
    try:
        world.make_vendor()
        world.make_factory()
        world.make_cloud()
        image = tmp_path_factory.mktemp("image") / "image"
        image.write_bytes(bytes(range(256)) * 64)
        world.update = world.make_image("1.1.0", 2, image)
        yield world
    finally:
        world.close()


@pytest.mark.parametrize("behaviour", [name for name in FakeCloud.BEHAVIOURS if name != "stall-suback"])
def test_publish(vendor, behaviour):
    fake = FakeCloud(vendor.cloud.certificates, behaviour, vendor.cloud.port)
    try:
        certificates = vendor.cloud.certificates
        manifest, image = vendor.update
        done = vendor.run("fwtool", "publish", "--manifest", manifest, "--image", image, "--host", "127.0.0.1",
                          "--port", vendor.cloud.port, "--ca", certificates / "ca.crt",
                          "--certificate", certificates / "vendor.acme.crt", "--key", certificates / "vendor.acme.key",
                          "--site", "s1", "--device", "device-1", check=False)
    finally:
        fake.close()
    assert done.returncode not in (0, 2), done.stdout
    assert len(done.stderr.strip()) > 20
    assert "Traceback" not in done.stderr and "core dumped" not in done.stderr
