# make demo   a program gets better before your eyes
# make web    the runs in a browser
# make test   everything that is tested, lint included
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

help:
	@echo "make demo   install into .venv and improve gallery/circle_packing_26, live"
	@echo "make web    the runs in a browser; fetches its drawing libraries from npm, once"
	@echo "make test   install with the developer's tools, lint, and run the test suite"
	@echo "make lint   ruff, mypy --strict, import-linter"
	@echo "make docs   build the documentation into site/, and check that it stands alone"

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Quiltwork needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Name another: make PYTHON=python3.12 demo"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

.venv/.run: pyproject.toml constraints.txt | .venv/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ .venv/.run

.venv/.docs: pyproject.toml constraints.txt | .venv/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@ .venv/.run

demo: .venv/.run
	$(BIN)/quiltwork evolve run gallery/circle_packing_26

web-assets: .venv/.run
	$(BIN)/python -m quiltwork.web.assets

web: web-assets
	$(BIN)/quiltwork web --open

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint web-assets
	$(BIN)/pytest

slow: .venv/.dev
	$(BIN)/pytest -m slow

docs: .venv/.docs
	$(BIN)/zensical build --clean --strict
	$(BIN)/python docs/check_site.py site

clean:
	rm -rf .venv site

.PHONY: help demo web web-assets lint test slow docs clean
