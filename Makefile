# The commands of the template; `make` lists them. The project that it renders has a Makefile of its own.
PYTHON ?= python3
PORT ?= 8000

VENV := .venv/bin
DEMO := build/fastapi-blog
# The project is linted as it is rendered, by its own rules.
CODE := hooks tests benchmarks scripts
IN_PLACE := $(VENV)/python scripts/in_place.py

.DEFAULT_GOAL := help
.PHONY: help demo test bench profile project generate lint format lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(DEMO) ## render the defaults into build/ and serve them on PORT (8000); again, and it is the same project
	@$(MAKE) --no-print-directory -C $(DEMO) setup PYTHON="$(PYTHON)"
	@$(MAKE) --no-print-directory -C $(DEMO) dev PORT="$(PORT)"

test: lint ## everything: lint, types, and the tests, which render, set up and try projects
	@$(VENV)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup

bench: $(VENV)/installed ## what a user waits for, each beside its floor: a table
	@$(VENV)/python benchmarks/run.py

profile: $(DEMO) ## where a request's time goes: a flame graph in build/; of another kind: of=create
	@$(MAKE) --no-print-directory -C $(DEMO) setup PYTHON="$(PYTHON)"
	@PATH="$(CURDIR)/$(VENV):$$PATH" $(VENV)/python benchmarks/flame.py $(DEMO) $(if $(of),--only $(of))

lint: $(VENV)/installed ## ruff and mypy over hooks and tests
	@$(VENV)/ruff check $(CODE)
	@$(VENV)/ruff format --check $(CODE)
	@$(VENV)/mypy

format: $(VENV)/installed ## what ruff can mend by itself
	@$(VENV)/ruff check --fix-only --quiet $(CODE)
	@$(VENV)/ruff format $(CODE)

project: $(VENV)/installed ## the project's own checks, where it stands in the template
	@$(IN_PLACE) make migrate check

generate: $(VENV)/installed ## write the project's openapi.yaml and ir.json
	@$(IN_PLACE) generate

lock: $(VENV)/installed ## requirements*.txt from pyproject.toml, here and in the project; newest versions: upgrade=1
	@$(VENV)/uv pip compile --group dev --quiet --universal --python-version 3.11 $(if $(upgrade),--upgrade) \
		--generate-hashes --no-header --no-annotate --no-emit-index-url -o requirements-dev.txt
	@$(IN_PLACE) lock $(if $(upgrade),upgrade=1)

clean: ## the demo with its data, the environment, caches
	@rm -rf build .venv .mypy_cache .pytest_cache .ruff_cache

# Rendered beside its place and moved there whole, so that an interrupted run leaves nothing half made.
# The home is an empty one: the demo has the template's defaults, not those of the user's configuration.
$(DEMO): | $(VENV)/installed
	@rm -rf build/new && mkdir -p build/new/home
	@$(PYTHON) tests/template.py build/new/template
	@cd build/new && HOME="$$PWD/home" FASTAPI_TEMPLATE_SETUP=0 \
		../../$(VENV)/cookiecutter --no-input --default-config template >/dev/null
	@mv build/new/fastapi-blog $(DEMO) && rm -rf build/new

# With uv where there is one, else with pip. The file is written last, so a half-made environment is made again.
$(VENV)/installed: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.13 ..." >&2; exit 1; }
	@echo "Making .venv ..."
	@if command -v uv >/dev/null; then \
		$(PYTHON) -m venv --clear --without-pip .venv && \
		uv pip install --quiet --python $(VENV)/python --require-hashes -r requirements-dev.txt; \
	else \
		$(PYTHON) -m venv --clear .venv && \
		$(VENV)/python -m pip install --quiet --require-hashes -r requirements-dev.txt; \
	fi
	@touch $@
