# Everything is done by these targets; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
# What `make loadtest` sends: a profile of loadtest/profiles, or a file.
PROFILE ?= smoke
# Runs a command with the addresses of the local stack, or with the user's where those are set.
WITH_STACK := $(PYTHON) -m deploy.local exec --
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help
help: ## List the targets
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## Make the locked environment in .venv (the others do it when needed)

$(READY): pyproject.toml requirements/bootstrap.txt requirements/dev.txt deploy/setup.sh
	@deploy/setup.sh $(VENV)
	@touch $@

.PHONY: run
run: $(READY) ## Send the sample payments through the whole line, and prove the books
	@$(PYTHON) -m loadtest run-sample

.PHONY: test
test: lint types ## Lint, types and every promise, on a real stack of its own
	@$(PYTHON) -m tests

.PHONY: test-long
test-long: $(READY) ## The full matrix: versions, seeds, soak (about an hour)
	@$(PYTHON) -m tests.long

.PHONY: bench
bench: $(READY) ## Measure the whole line against its limits, into build/bench.json
	@$(PYTHON) -m loadtest bench

.PHONY: loadtest
loadtest: $(READY) ## Send the load of PROFILE (smoke unless named), and prove the books
	@$(PYTHON) -m loadtest run $(PROFILE)

.PHONY: up
up: $(READY) ## Start a local Kafka and PostgreSQL that keep running, migrated, with topics
	@$(PYTHON) -m deploy.local up
	@$(WITH_STACK) processor migrate --test-ledger
	@$(WITH_STACK) processor topics --apply

.PHONY: down
down: $(READY) ## Stop what `make up` started; its data stay
	@$(PYTHON) -m deploy.local down

.PHONY: worker
worker: $(READY) ## Run a worker in the foreground, on the stack of `make up`
	@exec $(WITH_STACK) processor worker

.PHONY: migrate
migrate: $(READY) ## Bring the ledger's database up to date
	@$(WITH_STACK) processor migrate

.PHONY: topics
topics: $(READY) ## Show how the broker's topics differ from topics/
	@$(WITH_STACK) processor topics

.PHONY: lint
lint: $(READY) ## Check style and formatting
	@ruff check .
	@ruff format --check .

.PHONY: format
format: $(READY) ## Format the code and mend what can be mended
	@ruff check --fix .
	@ruff format .

.PHONY: types
types: $(READY) ## Check types
	@mypy

.PHONY: lock
lock: $(READY) ## Work out the locked versions anew (requirements/, deploy/local/*.lock)
	@deploy/lock.sh

.PHONY: clean
clean: ## Stop the local stack and remove everything that was made here
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m deploy.local down; fi
	@rm -rf build dist .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
