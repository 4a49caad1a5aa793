# From a fresh clone, `make demo` and `make test` are enough: both set up .venv first.
# `make PYTHON=/path/to/python3 test` picks the interpreter the environment is made with.

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP_INSTALL := -m pip install -qq --disable-pip-version-check --no-input
PYTEST_ARGS ?= -n auto --maxprocesses 4 --dist worksteal

.PHONY: help install demo test test-slow test-oldest test-wheel lint format bench docs clean distclean

help:
	@echo "make demo         fit the Old Faithful data, write tables and figures to build/demo"
	@echo "make test         lint, types and the fast tests"
	@echo "make test-slow    the slow tests"
	@echo "make test-oldest  the fast tests on the oldest supported versions of the dependencies"
	@echo "make test-wheel   build the wheel and try it in an empty environment"
	@echo "make lint         ruff and mypy;  make format: let ruff rewrite the files"
	@echo "make docs         the documentation site, written to build/docs"
	@echo "make bench        every script in benchmarks/"
	@echo "make clean        remove builds and caches;  make distclean: the environments too"

# $(call make_venv,FOLDER,CONDITION,WORDS): an environment in FOLDER from the first interpreter that
# runs, meets CONDITION and can make environments. Candidates are executed, not just looked up: a
# version manager's shim may stand on PATH for an interpreter that is not there.
define make_venv
	@set -e; pyenv="$${PYENV_ROOT:-$${HOME}/.pyenv}/versions"; \
	for python in $(if $(PYTHON),"$(PYTHON)",python3.14 python3.13 python3.12 python3 python \
	    "$$pyenv"/3.14*/bin/python "$$pyenv"/3.13*/bin/python "$$pyenv"/*/bin/python); do \
	  if "$$python" -c 'import sys, ensurepip, venv; sys.exit(not ($(2)))' >/dev/null 2>&1; then \
	    echo "Making $(1) with $$("$$python" -c 'import sys; print(sys.executable)')"; \
	    "$$python" -m venv --clear $(1); \
	    exit 0; \
	  fi; \
	done; \
	echo "This needs Python $(3) with its modules venv and ensurepip, and found none:" >&2; \
	echo "install one (on Debian also python3-venv), or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1
endef

$(BIN)/python:
	$(call make_venv,$(VENV),sys.version_info >= (3$(comma) 12),3.12 or later)

$(STAMP): pyproject.toml $(BIN)/python
	@echo "Installing mixpyro and what its tests need into $(VENV) (the first time takes minutes)"
	@$(BIN)/python $(PIP_INSTALL) --no-compile --editable '.[test]' </dev/null
	@# pip's own byte code is made on one core.
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@

comma := ,

install: $(STAMP)

demo: $(STAMP)
	$(BIN)/python -m mixpyro demo --out build/demo

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

# Each `>=` in pyproject.toml read as `==`. Python 3.12, as the oldest releases have no wheels for
# later ones; and old releases may warn about each other, so warnings are no errors here.
OLDEST := .venv-oldest
$(OLDEST)/.installed: pyproject.toml
	$(call make_venv,$(OLDEST),sys.version_info[:2] == (3$(comma) 12),3.12)
	@$(OLDEST)/bin/python -c 'import tomllib; print(*(line.replace(">=", "==") for line in \
	  tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]), sep="\n")' \
	  > $(OLDEST)/constraints.txt
	@$(OLDEST)/bin/python $(PIP_INSTALL) --constraint $(OLDEST)/constraints.txt \
	  --editable '.[test]' </dev/null
	@touch $@

test-oldest: $(OLDEST)/.installed
	$(OLDEST)/bin/python -m pytest -o filterwarnings=default $(PYTEST_ARGS)

# From another folder, so that the sources cannot be what is imported. Downloading takes minutes.
WHEEL := $(CURDIR)/build/wheel
test-wheel: $(STAMP)
	rm -rf $(WHEEL)
	$(BIN)/python -m hatchling build -t wheel -d $(WHEEL)
	$(BIN)/python -m venv $(WHEEL)/env
	@wheel=$$(echo $(WHEEL)/*.whl) && \
	  $(WHEEL)/env/bin/python $(PIP_INSTALL) "$$wheel[cli,sklearn]" </dev/null
	cd $(WHEEL) && env/bin/python -W error -c 'import mixpyro'
	cd $(WHEEL) && env/bin/mixpyro demo --help >/dev/null
	cd $(WHEEL) && env/bin/python $(CURDIR)/tests/installed.py $(WHEEL)/out

bench: $(STAMP)
	@set -e; for script in benchmarks/[a-z]*.py; do \
	  if [ -e "$$script" ]; then echo "$$script"; $(BIN)/python "$$script"; \
	  else echo "There is no benchmark yet"; fi; \
	done

docs: $(STAMP)
	@$(BIN)/python $(PIP_INSTALL) --editable '.[docs]' </dev/null
	$(BIN)/python -m sphinx -q -W --keep-going -c docs/site docs build/docs

clean:
	rm -rf build docs/made dist .mypy_cache .pytest_cache .ruff_cache
	find . -name '.venv*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) $(OLDEST)
