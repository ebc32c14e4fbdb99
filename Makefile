# Two commands for a fresh machine: `make demo` sorts sample photos, `make test` runs the tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NO_VENV := { echo "python3 cannot create a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }

.PHONY: setup demo test test-fast test-system soak fuzz bench check format lock install-service service-user service-units uninstall-service

setup: $(STAMP)

# The lock file fixes every version. The package itself is installed editable, so that edits take effect immediately.
$(STAMP): requirements-dev.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || $(NO_VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# PHOTOS=dir sorts your own photos (copies of them).
demo: setup
	@$(BIN)/python -m daemon.demo $(if $(PHOTOS),--photos "$(PHOTOS)")

# Three workers on two cores: many tests wait for a process.
# With a new worker in the place of one that crashed, pytest-xdist may wait for ever.
PYTEST := $(BIN)/python -m pytest --max-worker-restart 0
test: setup
	$(PYTEST) -n 3 -m "not system"

# For daily work: no process of its own, no network's library, no long wait.
test-fast: setup
	$(PYTEST) -n 2 -m "not system and not slow"

# Needs root, and packages of Debian: systemd, util-linux, postgresql, chromium, gcc. A test without its package is skipped.
test-system: setup
	$(PYTEST) -n 3 -m system

# Sorts 2,000 photos and kills the daemon 100 times, in some minutes; reports lost and duplicated photos.
soak: setup
	$(BIN)/python -m tests.programs.soak

# Sends COUNT damaged pictures of every format through the daemon; the same SEED gives the same pictures.
COUNT ?= 2000
SEED ?= 1
fuzz: setup
	$(BIN)/python -m tests.programs.fuzz $(COUNT) --seed $(SEED)

# Compares foodsort with other libraries on this machine, in an hour or more. BENCH=--quick takes minutes; BENCH=--help
# lists the options.
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

# Locks the newest versions that pyproject.toml allows. requirements.lock is the part for an installed service;
# requirements-bench.lock has the additions for `make bench`.
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate
lock: setup
	$(LOCK) --extra training --extra postgres --extra web --group dev --upgrade -o requirements-dev.lock
	$(LOCK) --extra web --constraints requirements-dev.lock -o requirements.lock
	$(subst pyproject.toml,--group bench,$(LOCK)) --constraints requirements-dev.lock -o requirements-bench.lock

# systemd reads units only below the prefixes /usr/local and /usr. DESTDIR stages the same tree elsewhere, for a
# package.
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
# The template unit for further roots: the names of its folders end in -%i.
INSTANCE := -e 's,^\(State\|Cache\)Directory=foodsort$$,&-%i,' -e '/^[A-Z]/s|/var/[a-z]*/foodsort|&-%i|' \
	-e 's|^Description=.*|& (%i)|'

# Installs or updates. The installed version stays until the new one is complete.
install-service:
	@$(MAKE) --no-print-directory service-user
	rm -rf $(APP).new
	@# The system's Python, not a user's pyenv or venv, because the daemon's user needs access to it.
	PATH=/usr/local/bin:/usr/bin:/bin $(PYTHON) -m venv --prompt foodsort $(APP).new || $(NO_VENV)
	$(APP).new/bin/python -m pip install --quiet --require-hashes -r requirements.lock
	@# From a copy, because setuptools writes files (here root's) next to its source, and packs old files there.
	mkdir $(APP).new/source && cp -R pyproject.toml README.md LICENSE daemon models training $(APP).new/source
	$(APP).new/bin/python -m pip install --quiet --no-deps --no-build-isolation $(APP).new/source
	rm -rf $(APP).new/source
	@# Scripts contain the full path of their Python, so set the final one.
	find $(APP).new/bin $(APP).new/pyvenv.cfg -type f -exec sed -i 's|$(APP).new|$(PREFIX)/lib/foodsort|g' {} +
	@# Readable for all users, with any umask of root.
	chmod -R u+rwX,go+rX,go-w $(APP).new
	$(if $(SYSTEMD),@cd / && runuser -u foodsort -- $(APP).new/bin/python -I -m daemon --version || { \
		echo "the user foodsort cannot run the new version, so the installed one stays;" \
		"choose another Python: make install-service PYTHON=/usr/bin/python3" >&2; exit 1; })
	rm -rf $(APP) && mv $(APP).new $(APP)
	ln -sfn ../lib/foodsort/bin/foodsort $(COMMAND)
	@$(MAKE) --no-print-directory service-units
	@# A daemon that continued after an update would load its remaining modules from another version.
	$(if $(SYSTEMD),systemctl try-restart foodsort.service 'foodsort@*.service' foodsort-review.service 'foodsort-hook@*.service')
	@echo
	@echo "Start now and at every boot:      systemctl enable --now foodsort"
	@echo "Drop photos into:                 /var/lib/foodsort/inbox"
	@echo "List the results:                 foodsort results --root /var/lib/foodsort"
	@echo "Show them in a browser:           systemctl enable --now foodsort-review, then http://127.0.0.1:8765"
	@echo "Give a user access:               usermod -aG foodsort NAME"
	@echo "Several roots, GPUs and more:     $(PREFIX)/share/foodsort/service.md"

# The two parts that need no network and are quick.
service-user:
	install -d $(dir $(APP) $(COMMAND) $(SYSUSERS))
	install -m 644 systemd/foodsort.sysusers $(SYSUSERS)
	$(if $(SYSTEMD),systemd-sysusers $(SYSUSERS))

service-units:
	install -d $(UNITS) $(dir $(USER_UNIT) $(TMPFILES)) $(SHARE)/systemd
	$(PLACED) systemd/foodsort.service | install -m 644 /dev/stdin $(UNITS)/foodsort.service
	$(PLACED) $(INSTANCE) systemd/foodsort.service | install -m 644 /dev/stdin $(UNITS)/foodsort@.service
	$(PLACED) systemd/foodsort-review.service | install -m 644 /dev/stdin $(UNITS)/foodsort-review.service
	$(PLACED) systemd/foodsort-hook@.service | install -m 644 /dev/stdin $(UNITS)/foodsort-hook@.service
	$(PLACED) systemd/user/foodsort.service | install -m 644 /dev/stdin $(USER_UNIT)
	install -m 644 systemd/foodsort.tmpfiles $(TMPFILES)
	install -m 644 systemd/examples/*.conf $(SHARE)/systemd
	install -m 644 docs/service.md docs/hooks.md $(SHARE)
	@# Only this file, because files of other packages may have to wait for the next boot.
	$(if $(SYSTEMD),systemd-tmpfiles --create $(TMPFILES))
	$(if $(SYSTEMD),systemctl daemon-reload)

# Photos, database and user stay.
uninstall-service:
	$(if $(and $(SYSTEMD),$(wildcard $(UNITS)/foodsort.service)),systemctl disable $(notdir $(wildcard $(UNITS)/foodsort*.service)) && \
		systemctl stop foodsort.service 'foodsort@*.service' foodsort-review.service 'foodsort-hook@*.service')
	rm -rf $(APP) $(SHARE)
	rm -f $(COMMAND) $(UNITS)/foodsort.service $(UNITS)/foodsort@.service $(UNITS)/foodsort-review.service $(UNITS)/foodsort-hook@.service \
		$(USER_UNIT) $(SYSUSERS) $(TMPFILES)
	$(if $(SYSTEMD),systemctl daemon-reload)
