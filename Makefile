# What people run is what CI runs: .ci/run calls `check` and `test` with its own VENV.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
PYTHON ?=
INSTALLED := $(VENV)/.installed
AZURITE := node_modules/.package-lock.json
BIN := $(VENV)/bin
FUZZ_SECONDS ?= 60
AUDIT_VENV ?= .audit-venv
UV_VERSION := 0.13.9

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: help install demo test check docs fuzz audit format lock clean

help:
	@echo "make demo     install, build a small gallery, index it, resolve it"
	@echo "make test     install (with the Azure emulator from npm) and run all the tests"
	@echo "make check    formatting, lint, types and import arrows"
	@echo "make docs     the pages of docs/ as a site, build/site, with every link checked"
	@echo "make fuzz     damaged and made-up input for a minute (FUZZ_SECONDS=3600 for an hour)"
	@echo "make audit    the lock against published advisories, where they can be reached"
	@echo "make install  only make $(VENV) with everything in requirements.lock"
	@echo "make format   rewrite the code as the formatter wants it"
	@echo "make lock     choose new versions and write requirements.lock"
	@echo "make clean    remove what the targets above made"

install: $(INSTALLED)

# pip checks every file against the hashes of the lock; --no-deps because the lock is complete and
# leaves out on purpose what [tool.uv] in pyproject.toml overrides.
$(INSTALLED): requirements.lock pyproject.toml
	@bash .ci/make_venv "$(VENV)" "$(PYTHON)"
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(AZURITE): package-lock.json
	@command -v npm >/dev/null || { \
	  echo "make: npm is not here. The tests run the Azure emulator from npm: install Node.js (with npm) and run this again." >&2; exit 1; }
	npm ci --no-audit --no-fund
	@touch $@

demo: $(INSTALLED)
	$(BIN)/python docs/examples/make_gallery.py demo/gallery
	$(BIN)/dedup index demo/gallery --index demo/index
	$(BIN)/dedup resolve --index demo/index --out demo/lists
	@echo
	@echo "The pictures are in demo/gallery; copies are named after their original. Open"
	@echo "demo/lists/report.html in a browser. For the commands above, and this one, first run"
	@echo "  . $(VENV)/bin/activate"
	@echo "  dedup query demo/gallery/chelsea.png --index demo/index"

test: $(INSTALLED) $(AZURITE)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html"

# What is found is kept in fuzz-failures/; the tests run the corpus, so add it there with the fix.
fuzz: $(INSTALLED)
	$(BIN)/python -m benchmarks.fuzz --seconds $(FUZZ_SECONDS)

# In an environment of its own: what audits the lock is no part of it.
audit:
	@bash .ci/make_venv "$(AUDIT_VENV)" "$(PYTHON)"
	@bash .ci/audit "$(AUDIT_VENV)"

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# --universal: one lock for every Python from 3.11 on; --fork-strategy fewest: one version of each
# package wherever that is possible, so that two machines disagree as little as can be.
lock:
	@bash .ci/make_venv "$(VENV)" "$(PYTHON)"
	$(BIN)/python -m pip install --quiet "uv==$(UV_VERSION)"
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
	  --fork-strategy fewest --extra openvino --extra matchers --extra watch --extra serve \
	  --extra notebook --extra raw --extra ray --extra dev \
	  --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	  --no-emit-package opencv-python --no-emit-package gdown --no-emit-package poselib \
	  --no-emit-package beautifulsoup4 --no-emit-package soupsieve --no-emit-package pysocks \
	  --custom-compile-command "make lock" --output-file requirements.lock

clean:
	rm -rf $(VENV) $(AUDIT_VENV) node_modules demo build fuzz-failures *.egg-info .mypy_cache .ruff_cache .pytest_cache \
	  .hypothesis .import_linter_cache
