# Every target brings what it needs: Debian packages by name, the lab kernel into a cache folder.
SWIFT     ?= swift
SUDO      := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
DESTDIR   ?=
PREFIX    ?= /usr
BUILD     := .build
# Small where the compiler must choose: pages that are not there need no memory. Nothing is exported, equal functions are kept once, and
# addresses to be adjusted at the start take bits instead of words (glibc 2.36 and later). 36 MB become 29.
SMALL     := -Xswiftc -Osize -Xswiftc -use-ld=lld -Xlinker --icf=safe -Xlinker -z -Xlinker pack-relative-relocs
RELEASE   := -c release --static-swift-stdlib $(SMALL) -Xlinker --version-script=$(CURDIR)/Deploy/exports.map
CACHE     ?= $(CURDIR)/.cache
JOBS      := $(shell nproc)

BUILD_PACKAGES := build-essential libmosquitto-dev libgpiod-dev libsqlite3-dev libtomlplusplus-dev zlib1g-dev libavahi-client-dev
RUN_PACKAGES   := mosquitto
BENCH_PACKAGES := serf iproute2 nftables util-linux
STORE_PACKAGES := influxdb prometheus victoria-metrics liblmdb0 librocksdb-dev curl
ARM64_PACKAGES := mmdebstrap debian-archive-keyring qemu-user-static binutils git
TEST_PACKAGES  := mosquitto mosquitto-clients openssl strace procps zsh fish linux-source-6.1 flex bison bc libelf-dev xz-utils kmod \
    iproute2 nftables faketime avahi-daemon dbus e2fsprogs mount

.PHONY: help run test lint build release install format bench bench-covey soak sim power-loss arm64 clean setup-build setup-run setup-test lab

help:
	@echo "make run      the main job on this machine: three gateways, one of them killed, a table (Ctrl-C ends it)"
	@echo "make test     all tests, the real broker and the real GPIO chip among them"
	@echo "make release  the installed program, static Swift, stripped"
	@echo "make arm64    the same for Debian 13 and Raspberry Pi OS 13 on arm64, and its tests under emulation"
	@echo "make install  into DESTDIR=/ PREFIX=/usr, with unit, users, udev rule and a first config"
	@echo "make bench    the figures of Documentation/Benchmarks.md"
	@echo "make bench-covey  a covey: durable readings, takeover, repair, and membership beside serf (root)"
	@echo "make soak     load for MINUTES=30, with troubles, and a verdict"
	@echo "make sim      whole coveys in simulated time: SEEDS=1..2000, then the planted bugs"
	@echo "make power-loss  starts on IMAGES=1000000 images of power cuts"
	@echo "make format   formats all Swift sources"

# Installs only what is missing, so that a machine without network can build again.
define apt_install
	@missing=""; for package in $(1); do \
	    dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then echo "installing$$missing"; \
	    $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi
endef

setup-build:
	@command -v $(SWIFT) >/dev/null || { echo "no Swift here: install Swift 6.2 or later (https://swift.org/install)"; exit 1; }
	$(call apt_install,$(BUILD_PACKAGES))

setup-run: setup-build
	$(call apt_install,$(RUN_PACKAGES))

setup-test: setup-build
	$(call apt_install,$(TEST_PACKAGES))

build: setup-build
	$(SWIFT) build -j $(JOBS)

run: setup-run
	$(SWIFT) build -j $(JOBS) --product covey
	$(SWIFT) build -j $(JOBS) --product covey-demo
	@exec "$$($(SWIFT) build --show-bin-path)/covey-demo"

# The kernel with a simulated GPIO chip that the tests boot; built once.
lab: setup-test
	Tests/Lab/build-uml-kernel.sh "$(CACHE)/uml"

lint:
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests Benchmarks
	@for suite in $(notdir $(wildcard Tests/*Tests)); do grep -q "\"$$suite\"" Package.swift || \
	    { echo "Package.swift does not name $$suite: its tests would never run"; exit 1; }; done

# One test at a time: those that wait for real programs share two cores with those that compute.
test: lab lint
	$(SWIFT) build -j $(JOBS) --build-tests
	COVEY_LAB_KERNEL="$(CACHE)/uml/linux" Tests/Lab/check-gpiod2.sh
	COVEY_LAB_KERNEL="$(CACHE)/uml/linux" $(SWIFT) test --skip-build --no-parallel

SEEDS ?= 1..2000

sim: setup-build
	$(SWIFT) build -j $(JOBS) -c release --product covey-sim
	"$$($(SWIFT) build -c release --show-bin-path)/covey-sim" run --seeds $(SEEDS) --jobs $(JOBS)
	"$$($(SWIFT) build -c release --show-bin-path)/covey-sim" planted

IMAGES ?= 1000000

power-loss: setup-build
	$(SWIFT) build -j $(JOBS) -c release --product covey-sim
	"$$($(SWIFT) build -c release --show-bin-path)/covey-sim" power-loss --images $(IMAGES) --jobs $(JOBS)

format:
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Tests Benchmarks

release: setup-build
	$(SWIFT) build -j $(JOBS) $(RELEASE) --product covey
	strip -o $(BUILD)/covey "$$($(SWIFT) build $(RELEASE) --show-bin-path)/covey"

# For the boards: needs no Swift on this machine, as it brings Debian's compiler and the boards' libraries (4 GB in the cache folder).
arm64:
	$(call apt_install,$(ARM64_PACKAGES))
	Deploy/arm64/fetch.sh "$(CACHE)/arm64"
	Deploy/arm64/build.sh "$(CACHE)/arm64" $(BUILD)/arm64 $(SMALL)
	Deploy/arm64/check.sh "$(CACHE)/arm64" $(BUILD)/arm64/covey
	Deploy/arm64/test.sh "$(CACHE)/arm64"

# The unit names the program's path, so a PREFIX of its own goes into it.
install: release
	install -D -m 755 $(BUILD)/covey $(DESTDIR)$(PREFIX)/bin/covey
	install -D -m 644 Deploy/covey.service $(DESTDIR)$(PREFIX)/lib/systemd/system/covey.service
	sed -i 's|/usr/bin/covey|$(PREFIX)/bin/covey|' $(DESTDIR)$(PREFIX)/lib/systemd/system/covey.service
	install -D -m 644 Deploy/covey.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/covey.conf
	install -D -m 644 Deploy/covey.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/covey.conf
	install -D -m 644 Deploy/60-covey-gpio.rules $(DESTDIR)$(PREFIX)/lib/udev/rules.d/60-covey-gpio.rules
	test -e $(DESTDIR)/etc/covey/covey.toml || install -D -m 640 Config/covey.toml $(DESTDIR)/etc/covey/covey.toml
	for shell in bash zsh fish; do $(BUILD)/covey --generate-completion-script $$shell >$(BUILD)/covey.$$shell || exit 1; done
	install -D -m 644 $(BUILD)/covey.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/covey
	install -D -m 644 $(BUILD)/covey.zsh $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_covey
	install -D -m 644 $(BUILD)/covey.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/covey.fish
	install -D -m 644 README.md $(DESTDIR)$(PREFIX)/share/doc/covey/README.md
	@if [ -z "$(DESTDIR)" ]; then systemd-sysusers; systemd-tmpfiles --create; chgrp covey /etc/covey/covey.toml; \
	    systemctl daemon-reload || true; fi

# Each program starts what it needs, prints its tables and puts them into the page.
bench: setup-test
	$(call apt_install,$(STORE_PACKAGES))
	for program in covey ingest-benchmark store-benchmark footprint-benchmark; do \
	    $(SWIFT) build -j $(JOBS) $(RELEASE) --product $$program || exit 1; done
	@cd "$$($(SWIFT) build $(RELEASE) --show-bin-path)" && export COVEY_BENCH_PAGE="$(CURDIR)/Documentation/Benchmarks.md" && \
	    ./ingest-benchmark && ./store-benchmark append && ./store-benchmark flash && ./store-benchmark rest 12 && \
	    ./footprint-benchmark load && ./footprint-benchmark start && ./footprint-benchmark rings

# A covey's readings, then its membership beside serf, in network namespaces: root's. DURABLE seconds at each rate, so many TAKEOVERS, so
# many readings for each of the REPAIRS; of membership SECONDS without kills each, so many KILLS.
DURABLE   ?= 10
TAKEOVERS ?= 10
REPAIRS   ?= 36000 360000
SECONDS   ?= 60
KILLS     ?= 8
SIZES     ?= 3 10 32
bench-covey: setup-test
	$(call apt_install,$(BENCH_PACKAGES))
	for program in covey covey-benchmark membership-benchmark; do \
	    $(SWIFT) build -j $(JOBS) $(RELEASE) --product $$program || exit 1; done
	@cd "$$($(SWIFT) build $(RELEASE) --show-bin-path)" && \
	    page="COVEY_BENCH_PAGE=$(CURDIR)/Documentation/Benchmarks.md" && \
	    $(SUDO) env "$$page" ./covey-benchmark durable $(DURABLE) && \
	    $(SUDO) env "$$page" ./covey-benchmark takeover $(TAKEOVERS) && \
	    $(SUDO) env "$$page" ./covey-benchmark repair $(REPAIRS) && \
	    $(SUDO) env "$$page" ./membership-benchmark $(SECONDS) $(KILLS) $(SIZES)

MINUTES ?= 30
soak: setup-test
	for program in covey soak; do \
	    $(SWIFT) build -j $(JOBS) $(RELEASE) --product $$program || exit 1; done
	@"$$($(SWIFT) build $(RELEASE) --show-bin-path)/soak" $(MINUTES)

clean:
	$(SWIFT) package clean
