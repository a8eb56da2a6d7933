# Everything from a fresh clone with Python 3.11+ and make. `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PACKAGES := $(VENV)/.installed
NATIVE := chassis/native/libfold.so
INSTALLED := $(PACKAGES) $(NATIVE)
CODE := contracts chassis services deploy tests benchmarks docs
LONGEST := 350

.DEFAULT_GOAL := help
.PHONY: help install run demo engines test test-r chaos bench image lint format clean $(NATIVE)

help: ## This list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 10

install: $(INSTALLED) ## Everything that the other targets need, into .venv and .cache

run: $(INSTALLED) ## Engines, the four services and both cases; prints tables and addresses; serves until Ctrl-C
	@$(PY) -m deploy.local run

demo: $(INSTALLED) ## The same, but ends when the tables are printed and compared with the expected ones
	@$(PY) -m deploy.local demo

engines: $(INSTALLED) ## Only Kafka and the document server, with the variables that point a service at them
	@$(PY) -m deploy.local engines

test: $(INSTALLED) ## All tests, or some: make test ARGS="tests/unit -k slot"
	@$(PY) -m pytest -q $(ARGS)

chaos: $(INSTALLED) ## Kill, pause and restart everything under load, then check that nothing is lost: make chaos SEED=7 SECONDS=120
	@$(PY) -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS))
test-r: $(INSTALLED) ## R's clients of the tables, where R can be had; says whether they ran, and why not
	@$(PY) -m tests.clients.r

bench: $(INSTALLED) ## All benchmarks, or one: make bench NAME=append
	@$(PY) -m benchmarks $(NAME)

image: $(INSTALLED) ## The image of the services, with podman or docker: make image TAG=dugnad:0.1.0
	@$(PY) -m deploy.image $(TAG)

lint: $(INSTALLED) ## Style, types and the rules of the house
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy --strict $(CODE)
	@$(VENV)/bin/lint-imports
	@find $(CODE) \( -name '*.py' -o -name '*.zig' \) -exec wc -l {} + | awk '$$1 > $(LONGEST) && $$2 != "total" {print $$2 " has " $$1 " lines, at most $(LONGEST) are read in one sitting"; long = 1} END {exit long}'

format: $(PACKAGES) ## Put the code into the one form
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .
	@$(PY) -m deploy.native --format

# Again whenever the locked requirements change.
$(PACKAGES): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; this one is " + sys.version.split()[0] + ": set PYTHON to a newer one")'
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing the locked requirements into $(VENV) …"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(PY) -m deploy.local fetch
	@touch $@

# Asked each time, for its digest knows more than times do, such as that a source is gone. Also refuses sources that are
# not in the form of `zig fmt`: the compiler is at hand only while it builds.
$(NATIVE): $(PACKAGES)
	@$(PY) -m deploy.native

clean: ## Delete the data and downloads of local runs, and what was compiled; the installed packages stay
	@rm -rf .cache
	@rm -f $(PACKAGES) $(NATIVE)*
