#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the firmware's images for the mps2-an505 with a bare-metal GCC; what changed only, on all cores.

    build.py --folder FOLDER --module NAME SOURCE... [--module ...]

Writes FOLDER/build.ninja and runs it. A module is a part of the image that the report of sizes tells apart.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

import sources

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent.parent
CC = "arm-none-eabi-gcc"
TARGET = ("-mthumb -mcpu=cortex-m33+nofp+nodsp -Os -g1 -ffunction-sections -fdata-sections -fno-common "
          f"-ffile-prefix-map={TOP}/=")
OURS = ("-std=c11 -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wvla "
        "-Wno-missing-field-initializers -Werror=switch")
THEIRS = "-std=gnu11 -w"
LINK = "--specs=nano.specs -nostartfiles -Wl,--gc-sections -Wl,--fatal-warnings -Wl,--no-warn-rwx-segments"
WOLFSSL = ["internal", "keys", "ssl", "tls", "tls13", "wolfio"]
WOLFCRYPT = ["aes", "asn", "chacha", "chacha20_poly1305", "coding", "curve25519", "ecc",
             "fe_operations", "hash", "hmac", "kdf", "memory", "poly1305", "random", "sha256", "sha512", "sp_c32", "sp_int",
             "wc_port", "wolfmath"]
LWIP = ["core/*.c", "core/ipv4/*.c", "netif/ethernet.c"]
SECURE_WOLFCRYPT = ["ed25519", "fe_operations", "ge_operations", "hash", "memory", "sha256", "sha512", "wc_port", "wolfmath"]
SECURE_SMALL_UNUSED = ["fe_init", "curve25519", "ed25519_smult", "ed25519_add", "ed25519_double", "ge_compress_key",
                       "ge_scalarmult_base", "ge_p3_tobytes", "ge_tobytes", "ge_frombytes_negate_vartime",
                       "ge_double_scalarmult_vartime"]
SECURE_WRAPS = ["sc_reduce", "sc_muladd", "ge_scalarmult_base", "ge_double_scalarmult_vartime"]
# image -> its version, and what else is defined for its application
IMAGES = {"1.0.0": "", "1.1.0": "", "broken": "-DFIRMWARE_BROKEN"}


class Ninja:
    """Collects the statements of a build.ninja."""

    def __init__(self, folder):
        self.folder, self.lines = folder, ["ninja_required_version = 1.5"]
        compiler = f"ccache {CC}" if shutil.which("ccache") else CC
        self.rule("cc", f"{compiler} $flags -MD -MF $out.d -c $in -o $out", "depfile = $out.d", "deps = gcc")
        self.rule("ld", f"{CC} $flags -Wl,-Map=$out.map $in -o $out")
        self.rule("bin", "arm-none-eabi-objcopy -O binary $in $out")

    def rule(self, name, command, *more):
        self.lines += [f"rule {name}", f"  command = {command}", f"  description = {name} $out",
                       *(f"  {line}" for line in more)]

    def make(self, rule, out, inputs, flags="", depends=()):
        after = f" | {' '.join(map(str, depends))}" if depends else ""
        self.lines += [f"build {out}: {rule} {' '.join(map(str, inputs))}{after}", f"  flags = {flags}"]
        return out

    def compile(self, module, paths, flags):
        return [self.make("cc", f"{module}/{path.stem}.o", [path], f"{TARGET} {flags}") for path in paths]

    def run(self):
        (self.folder / "build.ninja").write_text("\n".join(self.lines) + "\n")
        jobs = ["-j", os.environ["MCU_JOBS"]] if "MCU_JOBS" in os.environ else []
        done = subprocess.run(["ninja", "--quiet", *jobs, "-C", self.folder], check=False)
        return done.returncode


def libraries(folder):
    """The folders of the foreign sources, and include flags for them."""
    wolfssl, lwip = (sources.fetch(folder / "sources", name) for name in ("wolfssl", "lwip"))
    (wolfssl / "wolfssl/options.h").touch()  # what Debian's own build was made with; ours is user_settings.h
    return wolfssl, lwip


def application(ninja, folder, modules):
    wolfssl, lwip = libraries(folder)
    tls = f"-DWOLFSSL_USER_SETTINGS -I{HERE}/ns/wolfssl -isystem {wolfssl}"
    net = f"-I{HERE}/ns/lwip -isystem {lwip}/src/include"
    ours = f"{OURS} -I{TOP}/librelay/include -I{TOP}/firmware {tls} {net}"
    common = []
    for module, paths in modules.items():
        if module not in ("example", "recovery"):
            common += ninja.compile(module, paths, ours)
    common += ninja.compile("wolfssl", [wolfssl / f"src/{name}.c" for name in WOLFSSL], f"{THEIRS} {tls}")
    common += ninja.compile("wolfcrypt", [wolfssl / f"wolfcrypt/src/{name}.c" for name in WOLFCRYPT], f"{THEIRS} {tls}")
    common += ninja.compile("lwip", [path for part in LWIP for path in sorted((lwip / "src").glob(part))],
                            f"{THEIRS} {net}")
    for name, defines in IMAGES.items():
        version = "1.2.0" if name == "broken" else name
        own = ninja.compile(f"example-{name}", modules["example"], rf'{ours} -DFIRMWARE_VERSION=\"{version}\" {defines}')
        link_application(ninja, f"plant-care-{name}", own + common)
    link_application(ninja, "recovery-image", ninja.compile("recovery", modules["recovery"], ours) + common)


def link_application(ninja, name, objects):
    elf = ninja.make("ld", f"{name}.elf", objects, f"{TARGET} {LINK} -T{HERE}/ns/application.ld",
                     [HERE / "ns/application.ld"])
    ninja.make("bin", name, [elf])


def secure(ninja, folder, modules, peek):
    """The secure side: boot stage and all that it needs, without a heap (there is no _sbrk)."""
    wolfssl, _ = libraries(folder)
    crypto = f"-DWOLFSSL_USER_SETTINGS -I{HERE}/secure/wolfssl -isystem {wolfssl}"
    ours = f"-mcmse {OURS} -I{TOP}/librelay/include -I{TOP}/firmware {crypto}"
    objects = []
    for module, paths in modules.items():
        objects += ninja.compile(f"secure/{module}", paths, ours)
    objects += ninja.compile("secure/wolfcrypt", [wolfssl / f"wolfcrypt/src/{name}.c" for name in SECURE_WOLFCRYPT],
                             f"-mcmse {THEIRS} {crypto}")
    # arithmetic modulo the group's order from the small variant, everything else from the fast one
    renamed = " ".join(f"-D{name}=small_{name}" for name in SECURE_SMALL_UNUSED)
    objects += ninja.compile("secure/wolfcrypt-small",
                             [wolfssl / f"wolfcrypt/src/{name}.c" for name in ("fe_low_mem", "ge_low_mem")],
                             f"-mcmse {THEIRS} {crypto} -DED25519_SMALL {renamed} -Dsc_reduce=__wrap_sc_reduce "
                             "-Dsc_muladd=__wrap_sc_muladd")
    link_secure(ninja, "secure.elf", objects, SECURE_WRAPS)
    link_secure(ninja, "secure-peek.elf", objects + ninja.compile("secure/peek", [peek], ours),
                [*SECURE_WRAPS, "boot_server_answer"])


def link_secure(ninja, name, objects, wraps):
    replaced = " ".join(f"-Wl,--wrap={symbol}" for symbol in wraps)
    script = HERE / "secure/secure.ld"
    ninja.make("ld", name, objects,
               f"{TARGET} -mcmse {LINK} {replaced} -Wl,--section-start=.gnu.sgstubs=0x100ff000 -T{script}", [script])


def probe(ninja, paths):
    """An application that tries what it must not, for the tests of the isolation."""
    ours = f"{OURS} -I{TOP}/librelay/include -I{TOP}/firmware"
    elf = ninja.make("ld", "probe.elf", ninja.compile("attempts", paths, ours),
                     f"{TARGET} {LINK} -T{HERE}/ns/application.ld", [HERE / "ns/application.ld"])
    ninja.make("bin", "probe", [elf])


def paths_of(modules):
    return {name: [pathlib.Path(path).resolve() for path in paths] for name, *paths in modules}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--module", action="append", nargs="+", required=True)
    parser.add_argument("--secure-module", action="append", nargs="+", required=True, help="of the secure side")
    parser.add_argument("--peek", type=pathlib.Path, required=True, help="a hole in the secure side, for a test")
    parser.add_argument("--probe", type=pathlib.Path, nargs="+", required=True, help="a source of the test's application")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not shutil.which(CC):
        sys.exit(f"{CC} is missing: tests/deps mcu installs it")
    ninja = Ninja(folder)
    application(ninja, folder, paths_of(options.module))
    secure(ninja, folder, paths_of(options.secure_module), options.peek.resolve())
    probe(ninja, [path.resolve() for path in options.probe])
    sys.exit(ninja.run())


if __name__ == "__main__":
    main()
