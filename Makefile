# Works from a fresh clone: the first target sets up .venv with the locked packages.
PYTHON ?= python3
VENV ?= .venv
BATTERY ?= batteries/default.toml
SUSPECT ?= alder
SUITE ?= small

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LEDGER := out/ledger.duckdb
PACKAGES := workbench audits probes saes

.DEFAULT_GOAL := help
.PHONY: help audit test test-long app play check bench clients docs size lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed"; echo "Give one: make PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $@

audit: $(STAMP) ## audit a suspect and write out/report.html (SUSPECT=.. BATTERY=..)
	@status=0; \
	$(BIN)/workbench audit run $(BATTERY) --suspect $(SUSPECT) --ledger $(LEDGER) || status=$$?; \
	case $$status in 0|1) $(BIN)/workbench report --ledger $(LEDGER) --out out/report.html || exit $$?;; esac; \
	exit $$status

test: $(STAMP) ## run the tests
	$(BIN)/python -m pytest -n 2 -q

test-long: $(STAMP) ## run all tests, also those that take minutes
	$(BIN)/python -m pytest -n 2 -q -m "long or science or not long"

app: $(STAMP) ## open the app in the browser
	$(BIN)/workbench app --ledger $(LEDGER)

play: $(STAMP) ## play a practice game in the browser (FRESH=1 builds a new suspect)
	$(BIN)/workbench play $(if $(FRESH),--fresh)

check: $(STAMP) ## format, lint, types, floors and fences, draw spaces
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/draw_space.py

bench: $(STAMP) ## build the small suite and say which technique finds what (SUITE=..)
	$(BIN)/workbench organism suite build suites/$(SUITE).toml --out out/$(SUITE) --vault out/$(SUITE)-vault
	$(BIN)/workbench benchmark run out/$(SUITE) --battery $(BATTERY) --vault out/$(SUITE)-vault --out out/$(SUITE).json

clients: $(STAMP) ## Inspect, garak, lm-eval and PyRIT against a served suspect (installs them)
	$(BIN)/python tests/clients/run.py --install

docs: $(STAMP) ## write docs/reference and the table of cases
	$(BIN)/python docs/reference.py
	$(BIN)/python docs/threat_cases.py

size: ## lines of code by package, and what ships beside it
	@for p in $(PACKAGES) tests; do printf '%-10s %6s lines\n' $$p "$$(find $$p -name '*.py' -exec cat {} + | wc -l)"; done
	@du -sh workbench/cabinet 2>/dev/null | awk '{print "cabinet    " $$1}'

lock: $(STAMP) ## write requirements.lock from what is installed
	@{ head -n 1 requirements.lock; $(BIN)/python -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//'; } > requirements.new
	@mv requirements.new requirements.lock

clean: ## remove what was made, but not .venv
	rm -rf out dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(PACKAGES) tests -name __pycache__ -type d -exec rm -rf {} +
