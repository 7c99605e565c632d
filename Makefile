# All that svcgen's own developers type. Needs python3, git and make; the rest goes into .venv.
.PHONY: demo test lint format lock docs bench build release clean

PYTHON ?= python3
ENGINE ?=
BIN := .venv/bin
INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode --python .venv
# Locks hold for every platform and for Python 3.11 and later, and name no package index.
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command 'make lock'

demo: .venv/installed ## services in each language behind the gateway (ENGINE=docker or local)
	$(BIN)/svcgen demo $(if $(ENGINE),--engine $(ENGINE))

test: lint ## everything; SVCGEN_REQUIRE=docker,helm makes what is missing fail
ifdef TESTS
	$(BIN)/pytest $(TESTS)
else
	$(BIN)/pytest -m "not slow and not alone" --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 15
	$(BIN)/pytest -m slow --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 15
	$(BIN)/pytest -m alone --durations 15
endif

lint: .venv/developing ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: .venv/developing ## rewrite the code as Ruff likes it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: .venv/developing ## pin the newest versions that pyproject.toml allows
	$(COMPILE) --extra local --output-file requirements.txt
	$(COMPILE) --extra local --group dev --constraint requirements.txt --output-file requirements-dev.txt

docs: .venv/developing ## write docs/cli.md and docs/registration.schema.json anew
	$(BIN)/python scripts/cli_reference.py > docs/cli.md
	$(BIN)/python scripts/json_reference.py > docs/reference/json.md
	$(BIN)/python scripts/registration_schema.py > docs/registration.schema.json

bench: .venv/developing ## print ratios: help, new, compose, stacks (needs Docker and wrk), a fleet, updates
	for benchmark in help new compose stacks fleet update merge gateway; do PYTHONPATH=. $(BIN)/python benchmarks/$$benchmark.py; done

build: .venv/developing ## the wheel, in dist/
	$(BIN)/uv build --wheel

release: .venv/developing ## add a version of the template to releases.bundle: VERSION=vX.Y.Z
	@$(BIN)/python scripts/release.py $(VERSION)

clean: ## forget the environment and what was built
	rm -rf .venv dist

# requirements.txt has what a user installs, requirements-dev.txt what developers need in addition.
.venv/installed: pyproject.toml requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[^ ]*' requirements.txt)"
	$(INSTALL) --require-hashes --requirements requirements.txt
	$(INSTALL) --no-deps --editable .
	touch $@

.venv/developing: .venv/installed requirements-dev.txt
	$(INSTALL) --require-hashes --requirements requirements-dev.txt
	touch $@
