# `make` lists the targets. Everything runs in .venv, made from uv.lock.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.synced
ARGS ?=
MINUTES ?= 60
# Each worker has servers of its own, and waits for them now and then: more workers than two cores. The tests of
# one file stay together, the longest files first.
SIDE_BY_SIDE := -n 3 --dist loadfile --no-loadscope-reorder
# A run waits more than it computes: more workers than cores. The longest tests come last; who has none takes over.
WAITING := -n 4 --dist worksteal
# The server does not know its version unless it is told; it is that of testing/cluster/go.mod.
KUBERNETES := -s -w -X k8s.io/component-base/version.gitVersion=v1.36.3

.DEFAULT_GOAL := help

help: ## List the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 16

# uv comes from the machine, or is installed into the venv by pip.
$(BIN)/python:
	@echo "Making .venv from uv.lock, once: about half a minute ..."
	@$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml uv.lock | $(BIN)/python
	@command -v uv >/dev/null 2>&1 || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.5,<1'
	@PATH="$(CURDIR)/$(BIN):$$PATH" UV_PROJECT_ENVIRONMENT=$(VENV) uv sync --locked --quiet --inexact --all-extras --all-groups --compile-bytecode --python $(BIN)/python
	@touch $@

venv: $(STAMP) ## Make .venv from the lock file.

demo: $(STAMP) ## The whole job on real parts; ARGS='--keep' and the like are passed on.
	@$(BIN)/argo-retention demo $(ARGS)

ui: $(STAMP) ## The same, kept running, with Dagster's UI.
	@$(BIN)/argo-retention demo --ui $(ARGS)

test: $(STAMP) ## All tests; needs no network but loopback.
	$(BIN)/pytest $(SIDE_BY_SIDE) $(ARGS)

cluster: ## Build the kube-apiserver of test-cluster; needs Go, and minutes at first.
	@command -v go >/dev/null 2>&1 || { echo "make test-cluster builds a kube-apiserver: install Go 1.26 or newer." >&2; exit 4; }
	cd testing/cluster && go build -ldflags '$(KUBERNETES)' -o bin/cluster .

test-cluster: $(STAMP) cluster ## Contracts, whole runs, doctor and rights on a real kube-apiserver; needs Go.
	ARGO_RETENTION_TEST_CLUSTER=$(CURDIR)/testing/cluster/bin/cluster $(BIN)/pytest -n 3 --dist worksteal $(ARGS) argo_retention_tests/cluster

test-faults: $(STAMP) ## Kill runs and servers at each effect on the outside; networks that fail at random.
	ARGO_RETENTION_TEST_FAULTS=1 $(BIN)/pytest $(WAITING) $(ARGS) argo_retention_tests/faults argo_retention_tests/wire argo_retention_tests/rivals

test-ui: $(STAMP) ## Dagster's UI clicked through in a headless Chromium; writes the pictures of the README.
	@command -v chromium >/dev/null 2>&1 || { echo "make test-ui needs Chromium: apt-get install chromium." >&2; exit 4; }
	ARGO_RETENTION_TEST_UI=1 $(BIN)/pytest $(ARGS) argo_retention_tests/ui

# What takes long in its long form belongs to the hour: the network's random faults, a bucket full of others'.
soak: $(STAMP) ## MINUTES=60 of steady work under Dagster's daemon with everything failing now and then.
	$(BIN)/python -m argo_retention_tests.soak --minutes $(MINUTES) $(ARGS)
	test $(MINUTES) -lt 60 || ARGO_RETENTION_TEST_FAULTS=1 ARGO_RETENTION_TEST_ROUNDS=300 $(BIN)/pytest $(WAITING) argo_retention_tests/wire
	test $(MINUTES) -lt 60 || ARGO_RETENTION_TEST_FOREIGN_OBJECTS=200000 $(BIN)/pytest argo_retention_tests/hostile/test_foreign_objects.py

test-sabotage: $(STAMP) ## Break the product on purpose: each patch must turn a promise's test red.
	$(BIN)/python -m argo_retention_tests.sabotage $(ARGS)

lint: $(STAMP) ## Format, lint, types, import contracts, definitions.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: $(STAMP) ## Tests with branch coverage; core and operations must be whole.
	$(BIN)/pytest $(SIDE_BY_SIDE) --cov --cov-branch --cov-report= argo_retention_tests/core argo_retention_tests/operations argo_retention_tests/golden
	$(BIN)/coverage report --include='argo_retention/core/*,argo_retention/operations/*' --fail-under=100 --show-missing --skip-covered

bench: $(STAMP) ## Each figure of the README, with its limit and Argo's way measured beside it.
	$(BIN)/python -m benchmarks $(ARGS)

clean: ## Remove what is made here.
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*

.PHONY: help venv demo ui test cluster test-cluster test-faults test-ui soak test-sabotage lint coverage bench clean
