# SPDX-License-Identifier: GPL-2.0-or-later
# Thin: installs what is needed from Debian, then calls meson, the test runner or dpkg.

BUILD ?= build
PYTHON := /usr/bin/python3
CC := $(shell command -v ccache >/dev/null 2>&1 && echo "ccache gcc" || echo gcc)
export CC
# progress on a terminal, only what is wrong in a log
QUIET := $(shell [ -t 2 ] || echo --quiet)

.PHONY: help demo check check-quick check-breach check-mcu bench campaign mcu mcu-images deb build build-asan deps-demo \
	deps-check deps-deb deps-mcu style clean

help:
	@echo "make demo         installs what it needs, builds, and plays the main job against a real broker"
	@echo "make check        installs what it needs, builds, and runs every test"
	@echo "make check-quick  unit, pair and fuzz tests only"
	@echo "make check-breach the attacks of the table in docs/threat-model.md only"
	@echo "make check-mcu    the firmware on a Cortex-M33 in QEMU against the real relay and a real broker only"
	@echo "make bench        measures against peers, writes build/bench/report.json"
	@echo "make campaign     what takes too long for make check: faults and kills by the thousand; build/campaign/report.json"
	@echo "make mcu          what a device's checks cost on a Cortex-M33, in QEMU: instructions, stack, code"
	@echo "make deb          builds the Debian package into build/deb"
	@echo "make style        reformats the sources"

deps-demo:
	@tests/deps demo

deps-check:
	@tests/deps check

deps-deb:
	@tests/deps deb

deps-mcu:
	@tests/deps mcu

build: deps-demo
	@[ -f $(BUILD)/build.ninja ] || said=$$(meson setup $(BUILD)) || { echo "$$said" | tail -20; exit 1; }
	@echo "Building in $(BUILD)"; ninja $(QUIET) -C $(BUILD)

build-asan: deps-check
	@[ -f build-asan/build.ninja ] || said=$$(meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false) || \
		{ echo "$$said" | tail -20; exit 1; }
	@echo "Building in build-asan, with sanitizers"; ninja $(QUIET) -C build-asan

demo: build
	@$(PYTHON) demo/demo.py --build $(BUILD)

mcu-images: deps-mcu build
	@echo "Building the firmware for the Cortex-M33"; ninja $(QUIET) -C $(BUILD) mcu-images

check: deps-check build build-asan
	@$(PYTHON) tests/check.py --build $(BUILD) --asan build-asan

check-quick: build
	@$(PYTHON) tests/check.py --build $(BUILD) --quick

check-breach: deps-check build
	@$(PYTHON) tests/check.py --build $(BUILD) --breach

check-mcu: deps-check build
	@$(PYTHON) tests/check.py --build $(BUILD) --mcu

bench: build
	@$(PYTHON) tests/bench/bench.py --build $(BUILD)

campaign: deps-check build mcu-images
	@$(PYTHON) tests/campaign/campaign.py --build $(BUILD)

mcu: deps-mcu build
	@ninja $(QUIET) -C $(BUILD) mcu

deb: deps-deb
	@debian/make-deb

style:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	@rm -rf build build-asan
