# Needs make, and Python 3.12 or 3.11 (from 3.11.2) with pip. All else is installed into .venv and .cache.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test lint kafka chaos bench schemas lock clean

help:  ## Say what there is
	@awk -F ':.*  ## ' '/^[a-z]+:.*  ## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED)  ## Make .venv with the locked dependencies and this project; again only when they changed

demo: install  ## Simulate a Copilot deployment and show what it then knows of people
	@$(BIN)/tacit demo

test: install lint kafka  ## Lint, then run every test, on a real Kafka and a real Redis
	@$(BIN)/python -m pytest

lint: install  ## Check style, formatting, types and who may import whom
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

# Without a broker the tests that need one are skipped and say so; TACIT_REQUIRE_KAFKA=1 makes that a failure.
kafka: install
	@test -n "$$TACIT_TEST_KAFKA" || $(BIN)/python -m tests.support.kafka_broker install || test "$$TACIT_REQUIRE_KAFKA" != 1

chaos: install kafka  ## Kill, stop and starve a real deployment 200 times and more, and account for every event
	@$(BIN)/python -m tests.chaos

bench: install kafka  ## Measure cost per event, memory per person, checkpoints, latency through a real Kafka, reading, and learning
	@$(BIN)/python -m benchmarks.cost
	@$(BIN)/python -m benchmarks.memory
	@$(BIN)/python -m benchmarks.state
	@$(BIN)/python -m benchmarks.live
	@$(BIN)/python -m benchmarks.serving
	@$(BIN)/python -m benchmarks.learning

schemas: install  ## Renew docs/schema from the types
	@$(BIN)/python -m tacit.contract.schemas docs/schema

# The second lock is the part of the first that a worker's image installs.
LOCK := uv pip compile --quiet --universal --generate-hashes --python-version 3.11.2 --no-emit-index-url \
	--no-emit-find-links --no-emit-package tacit-signals --custom-compile-command "make lock"
lock:  ## Renew the locks with the newest versions that pyproject.toml allows
	@command -v uv >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv/getting-started/installation/"; exit 1; }
	@$(LOCK) --upgrade --extra dev pyproject.toml --output-file requirements.lock
	@$(LOCK) --constraint requirements.lock pyproject.toml --output-file requirements-worker.lock

clean:  ## Remove everything that make has made
	@rm -rf .venv .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip comes from outside, as Debian's Python cannot put it into an environment: it lacks ensurepip.
$(INSTALLED): requirements.lock pyproject.toml client/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11, 2) <= sys.version_info < (3, 13))' 2>/dev/null || { \
		echo "Tacit needs Python 3.12 or 3.11 (from 3.11.2), and $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing):" \
			"name another, as in make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing into .venv (a minute or so)"
	@$(PYTHON) -m venv --without-pip .venv
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check \
		--require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--editable client --editable .
	@touch $@
