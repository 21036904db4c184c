# Two commands do everything on a fresh machine: `make demo` and `make test`.
# uv is used when it is there, the standard library's venv and pip otherwise.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
# One more than there are cores: tests of Prefect and of relays wait for half of their time.
PROCESSES := $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
# Modules are compiled once and not by each process: some environments switch that off.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test nightly bench check docs format golden lock clean

demo: $(VENV)/.installed
	@$(BIN)/upcycle-news demo

test: $(VENV)/.installed
	@echo "the whole suite, in $(PROCESSES) processes: this takes some minutes; reasons for skipped tests come last"
	@$(BIN)/python -m pytest -n $(PROCESSES) --dist loadgroup -q

# Long simulations (a year with kills, on both stores; a year of feeds), an hour of fuzzing, and Prefect's database
# under its own vacuum, which the suite leaves out: some hours.
nightly: $(VENV)/.installed
	@$(BIN)/python -m pytest -n auto -q -m nightly
	@$(BIN)/python bench/crash.py
	@$(BIN)/python bench/history.py

# Figures count against Postfix's smtp-sink only: apt-get install postfix, and npm for nodemailer.
bench: $(VENV)/.installed
	@$(BIN)/python bench/delivery.py --readers 10000
	@$(BIN)/python bench/delivery.py --readers 100000 --only smtp-source,upcycle-news
	@$(BIN)/python bench/delivery.py --enqueue 1000000
	@$(BIN)/python bench/crash.py

check: $(VENV)/.installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	@$(BIN)/python tools/check_lock.py

docs: $(VENV)/.installed
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo var/site/index.html

format: $(VENV)/.installed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# The locked packages with their hashes (the lock is whole, so nothing is resolved again), then the project itself, editable.
$(VENV)/.installed: requirements.lock pyproject.toml
ifdef UV
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
else
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
endif
	@touch $@

# After a change of templates on purpose: write what issues look like now, then read the difference.
golden: $(VENV)/.installed
	@UPCYCLE_GOLDEN=write $(BIN)/python -m pytest -q tests/rendering/test_golden.py tests/rendering/test_real_tools.py -k "looks_as_it_did or support_as_much"
	@git diff --stat -- tests/rendering/golden

# Needs uv. The lock names no index; hashes bind it to the files of the packages' makers.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header pyproject.toml --all-extras --group dev --output-file requirements.lock

clean:
	rm -rf $(VENV) var dist build
