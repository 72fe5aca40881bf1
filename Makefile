# `make up` and `make test` do all set-up by themselves; `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help up test lint unit contract integration e2e soak test-libvirt test-libvirt-and-stack test-stack test-incus test-here test-here-and-workshops test-workshops test-virtualbox test-ubuntu bench bench-libvirt lock schema clean
SHELL := /bin/sh
bin := .venv/bin

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(bin)/.run ## A running, checked R sandbox from boxes/shiny.yml; sets up this host on the way
	$(bin)/sandbox host setup --yes
	$(bin)/sandbox up boxes/shiny.yml

# An emulated virtual machine keeps one processor busy for minutes and needs no other; on Incus much time is
# spent waiting. What needs no machine fills these gaps, and stands back for the others' promised times; after it come the
# workshops. When the virtual machines are done, the R stack takes their processor. Each has a place of its own in Incus
test: lint ## All tests, on real machines; sets up this host for them and takes it back
	$(MAKE) --no-print-directory -k -j 3 test-libvirt-and-stack test-incus test-here-and-workshops

lint: $(bin)/.dev ## Style, types, import contracts, playbooks, scripts
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/lint-imports
	$(bin)/ansible-lint --offline -q playbooks
	shellcheck tools/*.sh templates/*.sh sandbox/cli/shells/*.bash .ci/run tests/cluster_lab.sh
	shellcheck tests/standin/scripts/* tests/standin/files/bin/rstudio-server

unit: $(bin)/.dev ## Unit tests: seconds, no processes
	$(bin)/python -m pytest tests/unit

contract: $(bin)/.dev ## What every engine promises, on every engine
	$(bin)/python -m pytest tests/contract

integration: $(bin)/.dev ## Real tools, no machines
	$(bin)/python -m pytest tests/integration

e2e: $(bin)/.dev ## Real machines, with R running inside
	$(bin)/python -m pytest tests/e2e

soak: $(bin)/.dev ## A thousand random kills and signals over all commands: an hour or two
	$(bin)/python -m tests.soak --rounds 1000

test-libvirt: $(bin)/.dev ## What `make test` does on real libvirt, alone
	$(bin)/python -m pytest --durations=15 -m libvirt

# Each of the two, also when the other has failed
test-libvirt-and-stack: $(bin)/.dev
	@failed=0; for what in test-libvirt test-stack; do $(MAKE) --no-print-directory $$what || failed=1; done; exit $$failed

stack := bundle lock mirrors r_stack rstudio services stack_capture
stack_files := $(stack:%=tests/e2e/test_%.py)

test-stack: $(bin)/.dev ## The R stack on real machines of Incus: R versions, packages, RStudio, locks, bundles
	SANDBOX_TEST_PREFIX=sbxstack $(bin)/python -m pytest --durations=15 $(stack_files)

# Each of the two, also when the other has failed
test-here-and-workshops: $(bin)/.dev
	@failed=0; for what in test-here test-workshops; do $(MAKE) --no-print-directory $$what || failed=1; done; exit $$failed

workshop_files := tests/contract/test_seats.py tests/e2e/test_workshop.py tests/e2e/test_cluster.py tests/e2e/test_workshop_cluster.py

test-workshops: $(bin)/.dev ## Workshops on real machines of Incus, on this host and on a cluster of it
	SANDBOX_TEST_PREFIX=sbxshop $(bin)/python -m pytest --durations=15 $(workshop_files)

test-incus: $(bin)/.dev ## The other tests on real machines of Incus
	$(bin)/python -m pytest --durations=25 -m "not libvirt" $(stack_files:%=--ignore=%) $(workshop_files:%=--ignore=%) tests/contract tests/e2e

test-here: $(bin)/.dev ## The tests that need no machine
	nice -n 5 $(bin)/python -m pytest --durations=15 -m "not libvirt" tests/unit tests/integration

test-virtualbox: $(bin)/.dev ## The life of a VM on real VirtualBox: any VBoxManage on PATH
	SANDBOX_TEST_VIRTUALBOX=1 $(bin)/python -m pytest -v -s tests/virtualbox

test-ubuntu: $(bin)/.dev ## Boxes of Ubuntu on real Incus; says what it needs
	SANDBOX_TEST_UBUNTU=1 $(bin)/python -m pytest -v -s tests/ubuntu

bench: $(bin)/.dev ## Measure against the same by hand, in turn; not a test
	$(bin)/python -m bench

bench-libvirt: $(bin)/.dev ## Measure `up` on libvirt against a Vagrantfile written by hand
	$(bin)/python -m bench.libvirt
	$(bin)/python -m bench.libvirt_warm

schema: $(bin)/.dev ## Write boxes/box.schema.json from the models
	$(bin)/sandbox schema > boxes/box.schema.json

lock: $(bin)/.dev ## Resolve the dependencies again into the lock files
	$(bin)/python -m pip install -q 'uv==0.13.9'
	$(bin)/uv pip compile -q --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  pyproject.toml -o requirements.lock
	$(bin)/uv pip compile -q --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --group dev pyproject.toml -o requirements-dev.lock

clean: ## Remove the project's environment and caches (no sandbox is touched)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist

# Both stamps are written last: an install that was cut off is done again
$(bin)/.run: requirements.lock pyproject.toml tools/prepare.sh tools/install.py
	python=$$(tools/prepare.sh) && "$$python" -m venv .venv
	$(bin)/python tools/install.py requirements.lock
	@touch $@

$(bin)/.dev: requirements-dev.lock pyproject.toml tools/prepare.sh tools/install.py
	python=$$(tools/prepare.sh --test) && "$$python" -m venv .venv
	$(bin)/python tools/install.py requirements-dev.lock
	@touch $@ $(bin)/.run
