# The doors of the project. `make` alone prints them.
#
# PREFIX, LIBDIR, INCLUDEDIR and DESTDIR say where install puts things; CARGO_TARGET_DIR is heeded.

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=
export PREFIX LIBDIR INCLUDEDIR DESTDIR

LIBRARY := $(or $(CARGO_TARGET_DIR),target)/release/libdeformconv.so
SOURCES := Cargo.toml Cargo.lock build.rs $(shell find src -type f)

.PHONY: help lib demo test test-python-full test-avx512 test-aarch64 miri ascend-kernels ascend-check ascend-validate bench bench-peers \
    instructions performance pictures install uninstall fmt lint clean

help: ## print this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24

lib: $(LIBRARY) ## build the shared and the static library

demo: $(LIBRARY) ## build the library, run the examples, leave the pictures in build/demo
	@scripts/demo.sh

test: ## run everything that tests this library, and say what ran and what did not
	@scripts/test.sh

test-python-full: ## install PyTorch and torchvision below build/, and test the Python package with them
	@scripts/test-python.sh full

test-avx512: ## run the AVX-512 kernels and whole problems under the Bochs emulator
	@scripts/test-avx512.sh

test-aarch64: ## run all Rust tests, those of the NEON kernels among them, for aarch64 under qemu (hours)
	@scripts/test-aarch64.sh

miri: ## look for undefined behaviour in the kernels with Miri
	@scripts/miri.sh

ascend-kernels: ## build the Ascend kernels (needs CANN; SOC_VERSION names the SoC)
	@scripts/ascend-kernels.sh

ascend-check: ## check the Ascend kernels' syntax against CANN's headers, where there are any
	@scripts/ascend-check.sh

ascend-validate: ## on an Ascend machine: build the kernels, compare with the CPU, time both passes
	@scripts/ascend-validate.sh

bench: ## measure the library on this machine (ARGS="--case s2 --threads 1"; benches/README.md)
	@scripts/bench.sh $(ARGS)

instructions: ## count the instructions of small cases, compare with the committed counts (ARGS=--bless replaces these)
	@scripts/instructions.sh $(ARGS)

performance: ## measure what docs/performance.md shows (8 minutes), draw its pictures, write its table
	@scripts/performance.sh

pictures: ## draw them again from the newest measurement in docs/measurements
	@python3 benches/plot.py --install

bench-peers: ## compare with the other implementations that are installed (ARGS="--install" installs them)
	@scripts/bench.sh peers $(ARGS)

install: $(LIBRARY) ## install library, headers and pkg-config file (PREFIX, LIBDIR, INCLUDEDIR, DESTDIR)
	@scripts/install.sh install

uninstall: ## remove what install put there
	@scripts/install.sh uninstall

fmt: ## format the sources
	cargo fmt

lint: ## check the format, and the sources with clippy
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

clean: ## remove all that was built
	cargo clean
	rm -rf build

$(LIBRARY): $(SOURCES)
	@scripts/build.sh
	@touch $@
