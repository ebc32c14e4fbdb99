# Two commands for a fresh machine: `make demo` sorts real photos, `make test` tests everything.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NO_VENV := { echo "python3 cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }

.PHONY: setup demo test test-fast test-system soak fuzz bench check format lock install-service service-user service-units uninstall-service

setup: $(STAMP)

# The lock decides every version; the package itself is linked in, so that edits take effect at once.
$(STAMP): requirements-dev.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || $(NO_VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# PHOTOS=dir sorts your own photos (copies of them).
demo: setup
	@$(BIN)/python -m daemon.demo $(if $(PHOTOS),--photos "$(PHOTOS)")

# Three workers on two cores: many tests wait for a process.
PYTEST := $(BIN)/python -m pytest
test: setup
	$(PYTEST) -n 3 -m "not system"

# For daily work: no process of its own, no network's library, no long wait.
test-fast: setup
	$(PYTEST) -n 2 -m "not system and not slow"

# Needs root, and packages of Debian: systemd, util-linux, postgresql, chromium, gcc. A test without its package is skipped.
test-system: setup
	$(PYTEST) -n 3 -m system

# 2,000 photos, 100 sudden deaths of the daemon, some minutes; prints what was lost or doubled.
soak: setup
	$(BIN)/python -m tests.programs.soak

# COUNT damaged pictures of every format through the daemon, the same ones for the same SEED.
COUNT ?= 2000
SEED ?= 1
fuzz: setup
	$(BIN)/python -m tests.programs.fuzz $(COUNT) --seed $(SEED)

# How fast foodsort and others are here, side by side; an hour or more. BENCH="--quick" takes minutes, BENCH=--help tells the rest.
BENCH_STAMP := $(VENV)/.bench-installed
bench: setup $(BENCH_STAMP)
	$(BIN)/python -m benchmarks $(BENCH)

$(BENCH_STAMP): requirements-bench.lock $(STAMP)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-bench.lock
	@touch $@

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Solves for the newest versions that pyproject.toml allows. requirements.lock is the part that an installed service needs,
# requirements-bench.lock what `make bench` adds.
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate
lock: setup
	$(LOCK) --extra training --extra postgres --extra web --group dev --upgrade -o requirements-dev.lock
	$(LOCK) --extra web --constraints requirements-dev.lock -o requirements.lock
	$(subst pyproject.toml,--group bench,$(LOCK)) --constraints requirements-dev.lock -o requirements-bench.lock

# Below PREFIX systemd looks in /usr/local and /usr alone; DESTDIR stages the same tree elsewhere, for a package.
PREFIX ?= /usr/local
TARGET := $(abspath $(DESTDIR))$(PREFIX)
APP := $(TARGET)/lib/foodsort
COMMAND := $(TARGET)/bin/foodsort
SHARE := $(TARGET)/share/foodsort
UNITS := $(TARGET)/lib/systemd/system
USER_UNIT := $(TARGET)/lib/systemd/user/foodsort.service
SYSUSERS := $(TARGET)/lib/sysusers.d/foodsort.conf
TMPFILES := $(TARGET)/lib/tmpfiles.d/foodsort.conf
SYSTEMD := $(if $(DESTDIR),,$(wildcard /run/systemd/system))
PLACED := sed -e 's|@PREFIX@|$(PREFIX)|'
# The same unit for a root of each name: -%i after its folders.
INSTANCE := -e 's,^\(State\|Cache\)Directory=foodsort$$,&-%i,' -e '/^[A-Z]/s|/var/[a-z]*/foodsort|&-%i|' \
	-e 's|^Description=.*|& (%i)|'

# Also updates; until everything is built, what is installed stays as it is.
install-service:
	@$(MAKE) --no-print-directory service-user
	rm -rf $(APP).new
	@# The system's Python, not a person's pyenv or venv: the daemon's user has to reach it.
	PATH=/usr/local/bin:/usr/bin:/bin $(PYTHON) -m venv --prompt foodsort $(APP).new || $(NO_VENV)
	$(APP).new/bin/python -m pip install --quiet --require-hashes -r requirements.lock
	@# From a copy: setuptools leaves files beside its source, here root's, and packs old ones that it finds.
	mkdir $(APP).new/source && cp -R pyproject.toml README.md LICENSE daemon models training $(APP).new/source
	$(APP).new/bin/python -m pip install --quiet --no-deps --no-build-isolation $(APP).new/source
	rm -rf $(APP).new/source
	@# Scripts name their Python by its full path: it has to be the one where they will run.
	find $(APP).new/bin $(APP).new/pyvenv.cfg -type f -exec sed -i 's|$(APP).new|$(PREFIX)/lib/foodsort|g' {} +
	@# Readable whatever root's umask is.
	chmod -R u+rwX,go+rX,go-w $(APP).new
	$(if $(SYSTEMD),@cd / && runuser -u foodsort -- $(APP).new/bin/python -I -m daemon --version || { \
		echo "the user foodsort cannot run this; nothing was replaced; PYTHON=/usr/bin/python3 names another Python" >&2; exit 1; })
	rm -rf $(APP) && mv $(APP).new $(APP)
	ln -sfn ../lib/foodsort/bin/foodsort $(COMMAND)
	@$(MAKE) --no-print-directory service-units
	@# A daemon that runs on after an update would load what it has not loaded yet from another version.
	$(if $(SYSTEMD),systemctl try-restart foodsort.service 'foodsort@*.service' foodsort-review.service)
	@echo
	@echo "Start it, now and at every boot:  systemctl enable --now foodsort"
	@echo "Drop photos into:                 /var/lib/foodsort/inbox"
	@echo "Ask what became of them:          foodsort results --root /var/lib/foodsort"
	@echo "Look at them in a browser here:   systemctl enable --now foodsort-review, then http://127.0.0.1:8765"
	@echo "Let a person do both:             usermod -aG foodsort NAME"
	@echo "Several roots, a GPU, and so on:  $(PREFIX)/share/foodsort/service.md"

# The two parts that need no network and take no time.
service-user:
	install -d $(dir $(APP) $(COMMAND) $(SYSUSERS))
	install -m 644 systemd/foodsort.sysusers $(SYSUSERS)
	$(if $(SYSTEMD),systemd-sysusers $(SYSUSERS))

service-units:
	install -d $(UNITS) $(dir $(USER_UNIT) $(TMPFILES)) $(SHARE)/systemd
	$(PLACED) systemd/foodsort.service | install -m 644 /dev/stdin $(UNITS)/foodsort.service
	$(PLACED) $(INSTANCE) systemd/foodsort.service | install -m 644 /dev/stdin $(UNITS)/foodsort@.service
	$(PLACED) systemd/foodsort-review.service | install -m 644 /dev/stdin $(UNITS)/foodsort-review.service
	$(PLACED) systemd/user/foodsort.service | install -m 644 /dev/stdin $(USER_UNIT)
	install -m 644 systemd/foodsort.tmpfiles $(TMPFILES)
	install -m 644 systemd/examples/*.conf $(SHARE)/systemd
	install -m 644 docs/service.md $(SHARE)/service.md
	@# This file alone: others' may want to wait for the next boot.
	$(if $(SYSTEMD),systemd-tmpfiles --create $(TMPFILES))
	$(if $(SYSTEMD),systemctl daemon-reload)

# The photos, their database and the user stay.
uninstall-service:
	$(if $(and $(SYSTEMD),$(wildcard $(UNITS)/foodsort.service)),systemctl disable $(notdir $(wildcard $(UNITS)/foodsort*.service)) && \
		systemctl stop foodsort.service 'foodsort@*.service' foodsort-review.service)
	rm -rf $(APP) $(SHARE)
	rm -f $(COMMAND) $(UNITS)/foodsort.service $(UNITS)/foodsort@.service $(UNITS)/foodsort-review.service $(USER_UNIT) $(SYSUSERS) $(TMPFILES)
	$(if $(SYSTEMD),systemctl daemon-reload)
