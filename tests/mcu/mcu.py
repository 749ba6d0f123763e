#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the checks a device makes for a Cortex-M33 with wolfCrypt, runs them in QEMU, and prints what they cost.

    mcu.py --checks PROGRAM --folder FOLDER SOURCE...

PROGRAM is tests/bench/checks, which makes the objects; FOLDER takes all that is built of SOURCES. wolfSSL's source comes from
Debian's source package by apt, with lists of its own in FOLDER: the system's stay as they are. Exits 1 if a check refuses
its object.
"""
import argparse
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(TOP / "firmware/ports/mps2-an505"))

import sources  # noqa: E402

CC = "arm-none-eabi-gcc"
TARGET = ["-mcpu=cortex-m33", "-mthumb", "-Os", "-ffunction-sections", "-fdata-sections"]
OURS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wmissing-prototypes", "-Wshadow", "-Wvla"]
THEIRS = ["-std=gnu11", "-w"]
WOLFCRYPT = ["asn", "ecc", "ed25519", "fe_low_mem", "fe_operations", "ge_low_mem", "ge_operations", "hash", "memory",
             "sha256", "sha512", "sp_c32", "sp_cortexm", "sp_int", "wc_port", "wolfmath"]
VARIANTS = {"fast": [], "small": ["-DMCU_SMALL"]}
PARTS = [("librelay's checks", r"librelay/src/"), ("backend (wolfcrypt.c)", r"librelay/crypto/"),
         ("Ed25519", r"/(ed25519|fe_\w+|ge_\w+)\.o"), ("SHA-512", r"/sha512\.o"), ("SHA-256", r"/sha256\.o"),
         ("P-256", r"wolfssl/"), ("C library", r"\.a\(")]
MACHINE = ["qemu-system-arm", "-M", "mps2-an505", "-nographic", "-monitor", "none", "-serial", "none",
           "-semihosting-config", "enable=on,target=native", "-icount", "shift=6"]


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, text=True, **options)


def compile_all(folder, source, defines, sources):
    (source / "wolfssl/options.h").touch()  # what Debian's own build was made with; ours is user_settings.h
    crypto = [*TARGET, *defines, "-DWOLFSSL_USER_SETTINGS", f"-I{HERE}", f"-isystem{source}"]
    ours = [*TARGET, *OURS, f"-I{TOP}/librelay/include", f"-I{TOP}/tests", f"-I{folder.parent}"]
    jobs = [(path, ours + crypto if path.parent.name == "crypto" else ours) for path in sources]
    jobs += [(source / f"wolfcrypt/src/{name}.c", [*crypto, *THEIRS]) for name in WOLFCRYPT]
    for path, flags in jobs:
        origin = "wolfssl" if source in path.parents else path.parent.relative_to(TOP)
        made = folder / origin / f"{path.stem}.o"
        made.parent.mkdir(parents=True, exist_ok=True)
        run(CC, *flags, "-c", path, "-o", made)
        yield made


def link(folder, objects):
    """No heap: there is no _sbrk, so a program that called malloc would not link."""
    program = folder / "checks.elf"
    run(CC, *TARGET, "--specs=nano.specs", "-nostartfiles", "-Wl,--gc-sections", "-Wl,--wrap=crypto_verify",
        f"-Wl,-Map={folder}/map", f"-T{HERE}/an505.ld", *objects, "-o", program)
    return program


def code_sizes(folder):
    """bytes of code and constants that were linked, by part"""
    linked = (folder / "map").read_text().split("Linker script and memory map")[1]
    sizes = dict.fromkeys([name for name, _ in PARTS], 0)
    for size, origin in re.findall(r"^ \.(?:text|rodata)\S*\s+0x[0-9a-f]+\s+(0x[0-9a-f]+) (\S+)$", linked, re.M):
        for name, pattern in PARTS:
            if re.search(pattern, origin):
                sizes[name] += int(size, 16)
                break
    return sizes


def execute(variant, program):
    done = subprocess.run([*MACHINE, "-kernel", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=600, check=False)
    if done.returncode != 0:
        sys.exit(f"{variant}: the checks failed in QEMU: {done.stdout}")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return {name: [int(number) for number in numbers] for name, *numbers in rows}


def print_table(heads, rows):
    for row in [heads, ["---"] * len(heads), *rows]:
        print("| " + " | ".join(row) + " |")
    print()


def report(results, sizes):
    heads = ["check", "signatures"]
    for variant in results:
        heads += [f"{variant}: instructions, million", "ms at 25 MHz", "ms at 64 MHz", "stack, bytes"]
    table = []
    for name, (_, signatures, *_) in results["fast"].items():
        row = [name, str(signatures)]
        for rows in results.values():
            _, _, instructions, _, stack = rows[name]
            row += [f"{instructions / 1e6:.2f}", f"{instructions / 25e3:,.0f}", f"{instructions / 64e3:,.0f}", f"{stack:,}"]
        table.append(row)
    print_table(heads, table)
    parts = [[part, *(f"{sizes[variant][part]:,}" for variant in sizes)] for part, _ in PARTS]
    total = ["together", *(f"{sum(sizes[variant].values()):,}" for variant in sizes)]
    print_table(["code and constants, bytes", *sizes], [*parts, total])
    others = [instructions - verifying for _, signatures, instructions, verifying, _ in results["fast"].values() if signatures]
    print(f"Instructions of a check that do not verify: at most {max(others):,}. Heap: none, or it would not have linked.")
    print("Milliseconds are an estimate, one instruction a clock; flash wait states and multiplications make it more.")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--checks", type=pathlib.Path, required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("sources", type=lambda name: pathlib.Path(name).resolve(), nargs="+")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    source = sources.fetch(folder, "wolfssl")
    (folder / "objects.h").write_text(run(options.checks.resolve(), "--objects", capture_output=True).stdout)
    results, sizes = {}, {}
    for variant, defines in VARIANTS.items():
        program = link(folder / variant, list(compile_all(folder / variant, source, defines, options.sources)))
        results[variant], sizes[variant] = execute(variant, program), code_sizes(folder / variant)
    report(results, sizes)


if __name__ == "__main__":
    main()
