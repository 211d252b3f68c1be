# Scones. `make run` and `make test` do all their own set-up.

# The first Python in 3.11 to 3.13; `make PYTHON=/path/to/python3.12 run` to choose another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo $$p; break; }; done)
BIN := .venv/bin
ARGS ?=

.PHONY: help run test check fix bench clean

help:           ## show these words
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' $(MAKEFILE_LIST)

run: .venv/.run ## the main job: `scones run $(ARGS)`
	$(BIN)/scones run $(ARGS)

test: .venv/.dev ## every test that this machine can run
	$(BIN)/pytest -n 2 --dist worksteal $(ARGS)

check: .venv/.dev ## style, types, walls, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow" -q

fix: .venv/.dev ## mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.dev ## speed and learning figures beside peers
	$(BIN)/python -m bench $(ARGS)

clean:          ## forget the environment (not .scones, your local cloud's state)
	rm -rf .venv report

.venv/.run: pyproject.toml constraints.txt install.py
	@test -n "$(PYTHON)" || { echo "scones: no Python 3.11, 3.12 or 3.13 found on PATH" >&2; exit 2; }
	@$(PYTHON) install.py
	@touch $@

.venv/.dev: pyproject.toml constraints.txt install.py
	@test -n "$(PYTHON)" || { echo "scones: no Python 3.11, 3.12 or 3.13 found on PATH" >&2; exit 2; }
	@$(PYTHON) install.py --dev
	@touch $@ .venv/.run
