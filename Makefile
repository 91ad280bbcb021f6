# Everything sets itself up: a virtual environment in .venv, dependencies pinned by hash. `make help` lists the targets.

# The first Python that is new enough; name another with `make PYTHON=/path/to/python3.12 serve`.
PYTHON ?= $(or $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,\
	$(if $(shell $(p) -c 'import sys; print(sys.version_info >= (3, 11) or "")' 2>/dev/null),$(p)))),python3)
VENV ?= .venv
BIN := $(VENV)/bin
FOREIGN := build/foreign build/foreign-modern
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --require-virtualenv
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve test check format docs bench lock foreign clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

serve: $(VENV)/serve.stamp ## run Lifesign on http://127.0.0.1:8080 (more flags: make serve ARGS="--listen :9000")
	@$(BIN)/lifesign serve $(ARGS)

test: $(VENV)/dev.stamp ## run the tests (some only: make test ARGS="tests/core -k verdict")
	$(BIN)/pytest -q -n auto --maxprocesses 8 --dist loadgroup $(ARGS)

check: $(VENV)/dev.stamp ## all that must hold before a commit: format, lint, types, floors, docs and tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test

format: $(VENV)/dev.stamp ## put the code into the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/dev.stamp ## write the pages that are generated from the code
	PYTHONPATH=tests $(BIN)/python -m house.pages

bench: $(VENV)/dev.stamp ## measure the whole product (as JSON: make bench ARGS=--json)
	PYTHONPATH=src:tests $(BIN)/python -m bench $(ARGS)

lock: ## pin the dependencies anew (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv. Install it with: pip install uv" >&2; exit 1; }
	$(LOCK) --all-extras --group build pyproject.toml -o requirements/serve.txt
	$(LOCK) --all-extras --group build --group dev pyproject.toml -o requirements/dev.txt
	for name in $(notdir $(FOREIGN)); do \
		$(LOCK) --exclude-newer "7 days" requirements/$$name.in -o requirements/$$name.txt || exit 1; done

foreign: $(FOREIGN:=/stamp) tests/e2e/node_modules/stamp ## install the foreign MCP servers and clients of the end-to-end tests (needs node)

clean: ## remove what the targets above made; data/ stays
	rm -rf $(VENV) build tests/e2e/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Lifesign needs Python 3.11 or newer, and none was found as $(PYTHON)." >&2; \
		echo "Install one, or say where it is: make PYTHON=/path/to/python3.12 serve" >&2; exit 1; }
	@echo "Making a virtual environment in $(VENV) with $$($(PYTHON) --version)."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python's venv module is not whole. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# The project itself is installed last, from this checkout, with the build tools that the pins brought.
$(VENV)/serve.stamp: requirements/serve.txt pyproject.toml | $(BIN)/python
	@echo "Installing what Lifesign needs (once, about a minute)."
	@$(PIP) --require-hashes -r requirements/serve.txt
	@$(PIP) --no-deps --no-index --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing what Lifesign and its tests need (once, about two minutes)."
	@$(PIP) --require-hashes -r requirements/dev.txt
	@$(PIP) --no-deps --no-index --no-build-isolation --editable .
	@touch $@ $(VENV)/serve.stamp

# The pins are whole, so pip need not resolve anew, which older ones get wrong with extras; `pip check` proves it.
build/%/stamp: requirements/%.txt
	@command -v $(PYTHON) >/dev/null || { echo "make foreign needs Python 3.11 or newer" >&2; exit 1; }
	$(PYTHON) -m venv --clear build/$*
	PIP_DISABLE_PIP_VERSION_CHECK=1 build/$*/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	build/$*/bin/python -m pip check --disable-pip-version-check
	@touch $@

tests/e2e/node_modules/stamp: tests/e2e/package.json tests/e2e/package-lock.json
	@command -v npm >/dev/null || { echo "make foreign needs node 20 with npm. On Debian: apt install nodejs npm" >&2; exit 1; }
	npm ci --prefix tests/e2e --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@
