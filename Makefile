PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
MADE_PIP := .venv/made-pip
MADE_RUN := .venv/made-run
MADE_DEV := .venv/made-dev

.DEFAULT_GOAL := help
.PHONY: help run test check bench soak clean

help: ## show what there is to make
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16
	@echo '  ARGS="..." goes on to run, test, bench and soak, such as: make run ARGS="--port 9000"'

run: $(MADE_RUN) ## start the server on 127.0.0.1:8000, its state in var/
	@$(BIN)/tradewindow serve $(ARGS)

# One process more than there are cores, for many tests wait for servers. Each has to find the same tests, and the names
# of some have a set in them. tests/conftest.py has the long files first.
test: $(MADE_DEV) ## run the tests, a file after the other in each of a few processes
	PYTHONHASHSEED=0 $(BIN)/python -m pytest --numprocesses $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) --maxprocesses 5 \
		--dist loadfile --no-loadscope-reorder $(ARGS)

check: $(MADE_DEV) ## check format, lint, types and import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(MADE_DEV) ## measure, and write docs/performance.md (needs wrk and taskset)
	@command -v wrk >/dev/null || { \
		echo "make bench needs wrk: apt-get install wrk (Debian), brew install wrk (macOS)" >&2; exit 1; }
	@command -v taskset >/dev/null || { \
		echo "make bench needs taskset: apt-get install util-linux (Debian); macOS has none, use a Linux machine there" >&2; \
		exit 1; }
	$(BIN)/python -m tests.benchmarks $(ARGS)

soak: $(MADE_DEV) ## kill the server fifty times while it counts trades
	$(BIN)/python -m pytest tests/e2e/test_kill.py --kills 50 -q -s $(ARGS)

clean: ## remove what was built; the state in var/ stays
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find shared legacy_flask fastapi_app tests -name __pycache__ -prune -exec rm -rf {} +

$(MADE_PIP):
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "$(PYTHON) is not installed: Python 3.11 or later is needed, named by PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$$("$(PYTHON)" --version 2>&1) is too old: Python 3.11 or later is needed, named by PYTHON=..." >&2; exit 1; }
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(MADE_RUN): $(MADE_PIP) pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# The groups of pyproject.toml need the pip above. What serves the developer serves the server too.
$(MADE_DEV): $(MADE_PIP) pyproject.toml
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $(MADE_RUN) $@
