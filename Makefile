# Everything here needs Python 3.11 or newer, git and make; the rest is fetched on first use.

UV := ./tools/uv
RUN := $(UV) run --no-sync
FAST_TESTS = tests/config tests/rules
STYLE = ruff check && ruff format --check && lint-imports --no-logo

# Hundreds of processes of a run import the same: they compile it once, wherever this is called.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check audit bench plugin-api format
.DEFAULT_GOAL := run

# Start a hub, with the simulator to try it: `make run ARGS="--port 8080"`.
run:
	$(UV) sync --quiet --all-packages --no-dev --inexact
	$(RUN) hub serve $(ARGS)

# Everything, on both databases: `make test ARGS="tests/rules -k phone"`.
test: development
	$(RUN) python -m tests.services
	@$(RUN) python tools/beside.py --first "tests=python tools/run_tests.py -n auto --dist loadscope \
	  --no-loadscope-reorder $(subst ",\",$(ARGS))" \
	  "web interface, style, types=python tools/npm.py api lint types test && $(STYLE) && pyright"

# What can be known in a minute: style, types, floors, the web interface, pure rules.
check: development
	$(UV) lock --check --quiet
	@$(RUN) python tools/beside.py "types=python tools/changed_types.py" \
	  "web interface=python tools/npm.py api lint:quick types test:quick" \
	  "style=$(STYLE)" \
	  "pure rules=pytest --quiet $(FAST_TESTS)"
	@$(RUN) python tools/audit.py

# Known weaknesses of what the hub is made of; fails also where nobody could be asked.
audit: development
	$(RUN) python tools/audit.py --must-answer

# How fast it is, beside floors: `make bench ARGS="ingest --seconds 2 --repeat 3"`. Linux with wrk.
bench:
	$(UV) sync --quiet --all-packages --group bench
	$(RUN) python -m bench $(ARGS)
	$(RUN) python -m bench.report

# Write down what hub.plugin promises, after a change that is meant; then look at the difference.
plugin-api: development
	$(RUN) python -m tests.plugin_api.promise

format: development
	$(RUN) ruff check --fix
	$(RUN) ruff format
	$(RUN) python tools/npm.py format

.PHONY: development
development:
	$(UV) sync --quiet --all-packages
