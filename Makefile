# posebot on a fresh machine: Python 3.11 or newer, make and a C compiler are all that must be there.
#   make demo [ARGS="--frames 60"]    make test [ARGS="-k camera"]    make check    make bench
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := $(shell sed -n "s/^uv==//p" requirements.txt)
INSTALLED := $(VENV)/.installed
EXTRAS ?= synth,evaluate,serve
# The first interpreter that is new enough; override with `make PYTHON=/path/to/python`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

# Quiet and offline: no tool that posebot builds on may call home.
export YOLO_OFFLINE := true
export YOLO_AUTOINSTALL := false
export MLFLOW_DISABLE_TELEMETRY := true
export RAY_USAGE_STATS_ENABLED := 0

.DEFAULT_GOAL := help
.PHONY: help install demo test test-long check bench docs docs-check wheel release wheelhouse pins clean

help:  ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED)  ## build .venv from the pinned requirements (once)

$(INSTALLED): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "posebot: Python 3.11 or newer is needed and none was found; make PYTHON=/path/to/python" >&2; exit 2; }
	@echo "posebot: building $(VENV) with $$($(PYTHON) --version) (once; some GB, a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
		|| { echo "posebot: $(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 2; }
	@echo "posebot: 1/3 uv $(UV_VERSION), the installer"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@echo "posebot: 2/3 $$(grep -c == requirements.txt) pinned packages"
	@$(BIN)/uv pip install --python $(BIN)/python -r requirements.txt
	@echo "posebot: 3/3 posebot itself"
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps -e .
	@touch $@

demo: $(INSTALLED)  ## simulated wrist camera, bundled model, live table, web page; writes runs/demo/
	@$(BIN)/posebot demo $(ARGS)

test: $(INSTALLED)  ## the tests, without the long ones
	@$(BIN)/python -m pytest $(ARGS)

test-long: $(INSTALLED)  ## the long tests: synthesise, train, infer; the installed wheel
	@$(BIN)/python -m pytest -m long $(ARGS)

check: $(INSTALLED)  ## ruff, mypy, import layers, dead code, guards of the repository
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/vulture
	@$(BIN)/python tools/check_repository.py $(if $(BASE),--base $(BASE))

bench: $(INSTALLED)  ## every stage's time on this machine, beside the bare runtime's
	@$(BIN)/posebot bench $(ARGS)

docs: $(INSTALLED)  ## the documentation site, into site/
	@$(BIN)/python tools/docs_build.py

docs-check: docs  ## the site's accessibility, by axe in a browser (npm install --no-save axe-core@4.14.1)
	@PYTHONPATH=. $(BIN)/python tools/docs_axe.py

wheel: $(INSTALLED)  ## dist/posebot-*.whl
	@$(BIN)/uv build --quiet --wheel --out-dir dist

release: $(INSTALLED)  ## dist/: wheels, source archives, bill of materials, licences, checksums
	@$(BIN)/python tools/release.py

wheelhouse: $(INSTALLED)  ## wheelhouse/: all that an installation without a network needs; EXTRAS=synth,serve
	@$(BIN)/python tools/wheelhouse.py --extras "$(EXTRAS)"

pins: $(INSTALLED)  ## resolve requirements.in into requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links requirements.in -o requirements.txt

clean:  ## remove what was built, but not .venv and not runs/
	rm -rf build dist site wheelhouse .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
