# Needs make, and Python 3.12 or 3.11 (from 3.11.2) with pip. All else is installed into .venv and .cache.

PYTHON ?= python3
BIN := .venv/bin
# Twice the cores of the smallest machine that runs the tests: a worker waits for servers and processes half of its time.
TEST_WORKERS ?= 4
INSTALLED := .venv/installed
COMPILED := .venv/compiled

# Each process of the tests would compile the modules that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test core test-fast lint style types imports python-version prose docs kafka chaos bench bench-peers schemas dashboards prometheus chromium typescript lock clean

help:  ## List the targets
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

install: $(COMPILED)  ## Install the locked dependencies and both distributions into .venv, if they changed

demo: install  ## Simulate a deployment and show what it learned
	@$(BIN)/tacit demo

# The checks run side by side; the last line that is printed is that of the tests.
test: install  ## Run all checks, then all tests, with a real Kafka and a real Redis
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target lint core docs kafka prometheus chromium typescript
	@$(BIN)/python -m pytest --numprocesses=$(TEST_WORKERS) --dist=worksteal

# The core's tests run from its sources, too, while servers are installed; those of attacks count thousands of guesses, once.
core: install
	@$(BIN)/python -m pytest --quiet --numprocesses=2 --dist=worksteal -p tests.support.core_sources $(CORE)
CORE := tests/state/row tests/state/user tests/state/learning tests/reference/test_equal.py \
	--ignore=tests/state/learning/test_population_attacks.py

test-fast: install  ## Run the tests that need no server, in less than a minute
	@$(BIN)/python -m pytest --quiet --numprocesses=$(TEST_WORKERS) --dist=worksteal -m "not server" $(FAST)
FAST := client/tacit state operators connectors tests/state tests/operators tests/tacit tests/connectors tests/tools

lint: style types imports python-version prose  ## Check style, types, imports, the minimum version of Python, and prose
style: install
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
types: install
	@$(BIN)/mypy
imports: install
	@$(BIN)/lint-imports --no-logo
python-version: install
	@$(BIN)/vermin --target=3.11- --violations --exclude str.decode --no-tips --quiet $(SOURCES)
prose: install
	@$(BIN)/python -m tools.prose_lint
SOURCES := client/tacit state operators connectors dataflows tacit_cli tacit_lab tacit_service tests benchmarks examples tools

docs: install  ## Build the site into site/
	@DISABLE_MKDOCS_2_WARNING=true NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# Tests that need a broker are skipped without one; TACIT_REQUIRE_KAFKA=1 makes its absence a failure.
kafka: install  ## Install a Kafka broker and a schema registry for the tests, with Java and Maven if root runs this on Debian
	@test -n "$$TACIT_TEST_KAFKA" || $(BIN)/python -m tests.support.kafka_broker install || test "$$TACIT_REQUIRE_KAFKA" != 1
	@test -n "$$TACIT_TEST_SCHEMA_REGISTRY" || $(BIN)/python -m tests.support.schema_registry install || test "$$TACIT_REQUIRE_KAFKA" != 1

# After Kafka, as two installations at once would wait for one lock of Debian's packages.
prometheus: kafka  ## Download a Prometheus for the tests of dashboards and alerts, on Debian
	@$(BIN)/python -m tests.support.prometheus_server install || test "$$TACIT_REQUIRE_KAFKA" != 1

# Without the registry of npm, tests that need its packages are skipped, as above.
typescript: install  ## Install the npm packages of the TypeScript client, if they changed
	@$(MAKE) --silent --no-print-directory $(NODE_MODULES) || test "$$TACIT_REQUIRE_KAFKA" != 1
NODE_MODULES := clients/typescript/node_modules/installed
$(NODE_MODULES): clients/typescript/package-lock.json $(INSTALLED)
	@$(BIN)/python -m tests.support.node ci --no-audit --no-fund --fetch-retries=1 --loglevel=error >/dev/null
	@touch $@

# After Prometheus, for the same reason.
chromium: prometheus  ## Install Chromium for the test of the page, if root runs this on Debian
	@$(BIN)/python -m tests.support.browser install || test "$$TACIT_REQUIRE_KAFKA" != 1

chaos: install kafka  ## Kill, stop and starve real deployments, on one host and on several, and account for every event
	@$(BIN)/python -m tests.chaos
	@$(BIN)/python -m tests.chaos --hosts

bench: install kafka  ## Measure CPU, memory, checkpoints, latency through a real Kafka, reading and learning
	@$(BIN)/python -m benchmarks.cost --kafka
	@$(BIN)/python -m benchmarks.memory
	@$(BIN)/python -m benchmarks.state
	@$(BIN)/python -m benchmarks.cuts
	@$(BIN)/python -m benchmarks.reshard
	@$(BIN)/python -m benchmarks.live
	@$(BIN)/python -m benchmarks.takeover --times 3
	@$(BIN)/python -m benchmarks.control
	@$(BIN)/python -m benchmarks.click
	@$(BIN)/python -m benchmarks.serving
	@$(BIN)/python -m benchmarks.http_service
	@$(BIN)/python -m benchmarks.learning

bench-peers: install kafka  ## Measure the same job on Quix Streams, Pathway and PyFlink, in environments below .cache/peers
	@$(BIN)/python -m benchmarks.peers

schemas: install  ## Generate docs/schema and the OpenAPI document from the types
	@$(BIN)/python -m tacit.contract.schemas docs/schema
	@$(BIN)/python -m dataflows.control.schemas docs/schema
	@$(BIN)/python -m dataflows.control.receipts docs/schema
	@$(BIN)/python -m tacit_service.openapi docs/reference

dashboards: install  ## Generate deploy/grafana/dashboards from tools/dashboards
	@$(BIN)/python -m tools.dashboards

# The second lock is the part of the first that the image installs.
LOCK := uv pip compile --quiet --universal --generate-hashes --python-version 3.11.2 --no-emit-index-url \
	--no-emit-find-links --no-emit-package tacit-signals --custom-compile-command "make lock"
lock:  ## Renew the locks with the newest versions that pyproject.toml allows
	@command -v uv >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv/getting-started/installation/"; exit 1; }
	@$(LOCK) --upgrade --extra dev pyproject.toml --output-file requirements.lock
	@$(LOCK) --constraint requirements.lock --extra avro --extra mcp --extra protobuf --extra service --extra tracing pyproject.toml --output-file requirements-worker.lock

clean:  ## Remove all that make created
	@rm -rf .venv .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist site
	@rm -rf clients/typescript/dist clients/typescript/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@find state -name '*.abi3.so' -delete

# pip runs from outside the environment: Debian's Python has no ensurepip.
$(INSTALLED): requirements.lock pyproject.toml client/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11, 2) <= sys.version_info < (3, 13))' 2>/dev/null || { \
		echo "Tacit needs Python 3.12 or 3.11 (from 3.11.2), and $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing):" \
			"name another, as in make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing into .venv (a minute or so)"
	@$(PYTHON) -m venv --without-pip .venv
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check \
		--require-hashes --requirement requirements.lock
	@touch $@

# A module with a .pxd file of the same name is compiled.
DECLARED := $(wildcard state/*/*.pxd)
$(COMPILED): $(INSTALLED) hatch_build.py $(DECLARED) $(DECLARED:.pxd=.py)
	@$(BIN)/python -m tools.c_compiler
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--editable client --editable .
	@$(BIN)/tacit --version | grep -q "core compiled" || \
		echo "The core runs uncompiled, many times slower; TACIT_COMPILE=1 make install shows the reason" >&2
	@touch $@
