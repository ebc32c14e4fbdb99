# Two commands for a fresh machine: `make demo` sorts real photos, `make test` tests everything.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test check format lock

setup: $(STAMP)

# The lock decides every version; the package itself is linked in, so that edits take effect at once.
$(STAMP): requirements-dev.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
		echo "python3 cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# PHOTOS=dir sorts your own photos (copies of them).
demo: setup
	@$(BIN)/python -m daemon.demo $(if $(PHOTOS),--photos "$(PHOTOS)")

test: setup
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Solves for the newest versions that pyproject.toml allows. requirements.lock is the part that an installed service needs.
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate
lock: setup
	$(LOCK) --extra training --extra postgres --group dev --upgrade -o requirements-dev.lock
	$(LOCK) --constraints requirements-dev.lock -o requirements.lock
