# Two commands: `make train` runs the main job, `make test` passes the tests.
# Each needs only make and Python >= 3.11, and makes what it needs in .venv.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin

.PHONY: train test lint notebooks peers clean

train: $(VENV)/.train
	$(RUN)/jaxrnn train $(ARGS)

test: $(VENV)/.test
	$(RUN)/python -m pytest -n auto --dist worksteal $(ARGS)

lint: $(VENV)/.dev
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/pyright --pythonpath $(RUN)/python

notebooks: $(VENV)/.test
	$(RUN)/python notebooks/run.py

peers: $(VENV)/.peers

clean:
	rm -rf $(VENV) build dist

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "jaxrnn needs Python 3.11 or newer; try: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.train: $(VENV)/.python pyproject.toml
	@echo 'installing jaxrnn[app] into $(VENV), a minute or two the first time'
	@$(RUN)/pip install --quiet --disable-pip-version-check --editable '.[app]'
	touch $@

$(VENV)/.test: $(VENV)/.python pyproject.toml
	@echo 'installing jaxrnn[test] into $(VENV), a minute or two the first time'
	@$(RUN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@ $(VENV)/.train

$(VENV)/.dev: $(VENV)/.python pyproject.toml
	@echo 'installing jaxrnn[dev] into $(VENV), a minute or two the first time'
	@$(RUN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(VENV)/.test $(VENV)/.train

$(VENV)/.peers: $(VENV)/.dev
	@echo 'installing jaxrnn[peers] into $(VENV), a minute or two the first time'
	@$(RUN)/pip install --quiet --disable-pip-version-check --editable '.[peers]'
	touch $@
