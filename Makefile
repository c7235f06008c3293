# The ways into this project. `make` alone prints them; each is a thin call, the work is in hack/ and Python.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

LAB ?= ecmp
MODE ?= files
AT ?= client
BIN := .venv/bin
PYTHON := $(BIN)/python

# The quick ones first; a folder that holds no test yet is left out.
FAST_TESTS := tests/unit tests/properties
SHARING_TESTS := $(FAST_TESTS) tests/contract tests/daemons tests/kube
# They count a client's lost requests, one lab at a time (see hack/run-tests).
LAB_TESTS := tests/lab
WORKERS := 3
with-tests = $(foreach folder,$(1),$(if $(wildcard $(folder)/test_*.py $(folder)/*/test_*.py),$(folder)))

.PHONY: help
help:  ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup:  ## install what the tests and the demo need (FRR, gobgpd, an API server, Python packages)
	@hack/setup test

.PHONY: demo
demo:  ## build a lab, tour it with real packets, leave it up (LAB=ecmp|layer2|vip, MODE=files|kubernetes)
	@hack/setup $(if $(filter kubernetes,$(MODE)),demo-kubernetes,demo)
	@hack/as-root $(PYTHON) -m lab demo --lab $(LAB) --mode $(MODE)

.PHONY: at
at:  ## open a shell in a node of the lab that is up (AT=leaf1|node1|client..., LAB= if several are)
	@hack/as-root $(PYTHON) -m lab at $(if $(filter command line,$(origin LAB)),--lab $(LAB)) $(AT)

.PHONY: demo-down
demo-down:  ## remove the labs that `make demo` left up
	@hack/as-root $(PYTHON) -m lab down

.PHONY: test
test:  ## set up, lint, and run every test
	@hack/step setup hack/setup test
	@$(MAKE) lint
	@hack/step tests hack/as-root hack/run-tests $(PYTHON) $(WORKERS) $(call with-tests,$(SHARING_TESTS)) -- $(call with-tests,$(LAB_TESTS))

.PHONY: images
images:  ## build the container images with this machine's docker (see Dockerfile)
	@hack/build-images

.PHONY: test-containers
test-containers:  ## build the images with a Docker engine of its own, and break the labs in containers (minutes)
	@hack/step setup hack/setup containers
	@hack/step containers hack/as-root $(PYTHON) -m pytest -v tests/containers

.PHONY: test-containerlab
test-containerlab:  ## the same with containerlab, which deploys the topologies as they are (minutes)
	@hack/step setup hack/setup containerlab
	@hack/step containerlab hack/as-root $(PYTHON) -m pytest -v tests/containerlab

.PHONY: test-fast
test-fast:  ## run the tests that need no root and no daemon (seconds)
	@hack/setup python
	@$(PYTHON) -m pytest -q $(call with-tests,$(FAST_TESTS))

.PHONY: lint
lint:  ## check style, formatting, types and the import rules
	@hack/setup python
	@hack/step "lint: ruff" $(BIN)/ruff check --quiet
	@hack/step "lint: shell" $(BIN)/shellcheck -x .ci/run hack/setup hack/step hack/as-root hack/leftovers hack/install-packages hack/run-tests hack/build-images
	@hack/step "lint: format" $(BIN)/ruff format --check --quiet
	@hack/step "lint: types" $(BIN)/mypy
	@hack/step "lint: imports" $(BIN)/lint-imports

.PHONY: format
format:  ## put the code into shape
	@hack/setup python
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

.PHONY: bench
bench:  ## measure against the bounds that we hold ourselves to (minutes)
	@hack/setup test
	@hack/as-root $(PYTHON) -m bench

.PHONY: simulate
simulate:  ## thousands of random histories of LANs, and LANs of 10, 100 and 500 nodes, in virtual time (hours)
	@hack/setup python
	@$(PYTHON) -m bench.heartbeats
	@$(PYTHON) -m bench.histories

.PHONY: docs
docs:  ## build the documentation's site into build/site; a link that leads nowhere fails
	@hack/setup python
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "build/site/index.html"

.PHONY: stubs
stubs:  ## generate the gRPC stubs from protos/ again
	@rm -rf openelb_bgp/bgp/gobgp/_pb
	@hack/setup python

.PHONY: crds
crds:  ## write manifests/crds again from the model, and the chart with them
	@hack/setup python
	@$(PYTHON) hack/write_crds.py
	@$(MAKE) chart

.PHONY: reference
reference:  ## write the pages of docs/reference that are made from the code again
	@hack/setup python
	@$(PYTHON) hack/write_reference.py

.PHONY: chart
chart:  ## write what of the Helm chart follows from the manifests, and manifests/install.yaml
	@hack/setup demo-kubernetes
	@$(PYTHON) hack/write_chart.py

.PHONY: man
man:  ## write docs/openelb-bgp.1 again from the command line's own help
	@hack/setup python
	@$(PYTHON) hack/write_man.py

.PHONY: clean
clean:  ## remove what was generated in the checkout (the caches outside it stay)
	@rm -rf .venv build dist openelb_bgp/bgp/gobgp/_pb openelb_bgp/_version.py bench/results
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
