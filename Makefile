# `make help` lists what there is. Everything that is fetched goes to .tools/, everything that is
# built to target/ and ./jwt_keycloak.wasm.
PYTHON ?= python3
CARGO = sh src/filter/build.sh cargo
preflight = @PYTHON='$(PYTHON)' sh tests/stack/preflight.sh
venv = .tools/venv/bin/python
title = @printf '\n==> %s\n'

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build install tools docker demo demo-kong test unit lint core-is-pure test-host e2e e2e-test-host e2e-kong e2e-configurations bench bench-signing bench-introspection bench-verification kong-meta clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Cargo itself does only what is still to be done, and so does the installer.
build: ## jwt_keycloak.wasm, the filter
	$(preflight) cc
	@sh src/filter/build.sh wasm
	@wc -c < jwt_keycloak.wasm | awk '{ printf "jwt_keycloak.wasm: %.2f MB (%d bytes)\n", $$1 / 1e6, $$1 }'

install: ## fetch Envoy, Keycloak and the Python packages into .tools/
	$(preflight) python java curl $(if $(wildcard .tools/keycloak-*),,maven)
	@$(PYTHON) -m tests.stack.install
tools: install

demo: build install ## Keycloak, Envoy and the filter on this machine: a guided tour; KEEP=1 leaves them running
	@$(venv) -m tests.demo $(if $(KEEP),--keep) $(DEMO_ARGS)

# Docker is asked for before anything is built.
docker:
	$(preflight) docker

demo-kong: docker build install ## the same tour on Kong, in a container (Linux, Docker)
	@$(venv) -m tests.demo --kong $(if $(KEEP),--keep) $(DEMO_ARGS)

test: lint unit core-is-pure test-host e2e-test-host e2e ## everything

unit: ## the core's own tests: no gateway, no network
	$(preflight) cc
	$(title) 'unit and scenario tests'
	@$(CARGO) test --locked -p jwt-keycloak-core -p jwt-keycloak-tests \
		-p jwt-keycloak-verification -p jwt-keycloak-verification-tests

lint: ## formatting and clippy; a warning is an error
	$(preflight) cc
	$(title) 'lint'
	@$(CARGO) --version
	@if $(CARGO) clippy --version >/dev/null 2>&1 && $(CARGO) fmt --version >/dev/null 2>&1; then \
		set -ex; \
		$(CARGO) fmt --all --check; \
		$(CARGO) clippy --locked --all-targets -p jwt-keycloak-core -p jwt-keycloak-tests \
			-p jwt-keycloak-verification -p jwt-keycloak-verification-tests -p jwt-keycloak-load -- -D warnings; \
		$(CARGO) clippy --locked -p jwt_keycloak -- -D warnings; \
	elif [ "$$CI" = true ]; then \
		echo '!!! LINT SKIPPED: this Rust toolchain has no clippy or rustfmt !!!' >&2; \
	else \
		echo 'error: clippy or rustfmt is missing: rustup component add clippy rustfmt' >&2; \
		exit 1; \
	fi

core-is-pure: ## the core must not depend on proxy-wasm
	$(title) 'proxy-wasm is not in the dependency graph of the core'
	@tree=$$($(CARGO) tree --locked -p jwt-keycloak-core --all-features --target all --prefix none) || exit 1; \
	if echo "$$tree" | grep '^proxy-wasm'; then \
		echo 'error: the core depends on proxy-wasm; only src/filter may' >&2; exit 1; \
	fi

test-host: build tools ## the module on a host that does the worst of Envoy and of Kong's WasmX
	$(title) 'hazards, faults and a random walk on the test host'
	@$(venv) -m pytest tests/host

# GATEWAY=http://… tests a gateway that runs already; then no Envoy is started here.
e2e: $(if $(GATEWAY),,build) install ## real gateway, real Keycloak; GATEWAY=http://… for one that runs already
	$(title) 'end-to-end tests'
	@$(venv) -m pytest tests/e2e $(PYTEST_ARGS)

e2e-test-host: build install ## the end-to-end table on a host of our own, as Envoy and as Kong's WasmX
	$(title) 'end-to-end table, on the test host as Envoy'
	@GATEWAY= TEST_HOST=envoy $(venv) -m pytest $(addprefix tests/e2e/test_,table.py truncation.py inquiries.py pauses.py) $(PYTEST_ARGS)
	$(title) "end-to-end table, on the test host as Kong's WasmX"
	@GATEWAY= TEST_HOST=wasmx $(venv) -m pytest $(addprefix tests/e2e/test_,table.py truncation.py inquiries.py) $(PYTEST_ARGS)

# The suite takes Kong for somebody else's gateway, which it finds at this address.
e2e-kong: docker build install ## the end-to-end tests on Kong, in a container (Linux, Docker)
	$(title) 'end-to-end tests on Kong'
	@GATEWAY=http://127.0.0.1:$(or $(GATEWAY_PORT),19000) GATEWAY_KIND=kong $(venv) -m tests.e2e.kong --run $(PYTEST_ARGS)

e2e-configurations: install ## the filter configurations of the end-to-end table, as JSON
	@$(venv) -m tests.e2e.configurations

bench: build install ## CPU, memory and latency beside Envoy's own filters: docs/performance.md; BENCH_ARGS=--quick
	@$(CARGO) build --quiet --release --locked -p jwt-keycloak-load
	@$(venv) -m tests.bench.performance $(BENCH_ARGS)

bench-signing: build install ## what a signature of the gateway's own JWT costs, by algorithm
	@$(venv) -m tests.bench.signing $(BENCH_ARGS)

bench-introspection: build install ## what asking the issuer about tokens costs, and what the cache saves
	@$(venv) -m tests.bench.introspection $(BENCH_ARGS)

bench-verification: tools ## the check of a signature in WebAssembly; BENCH_ARGS='--inputs 1000000' compares a million
	$(preflight) cc
	@$(venv) -m tests.bench.verification $(BENCH_ARGS)

kong-meta: ## kong/jwt_keycloak.meta.json, from the filter's schema
	@$(PYTHON) kong/meta.py

clean: ## remove what was built (the downloads in .tools/ stay)
	rm -rf target jwt_keycloak.wasm
