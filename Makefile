# Everything here is a step of `cargo xtask`; see xtask/. Times are for two cores.

XTASK = cargo run --quiet --package xtask --

.PHONY: help run dev build lambda test model chaos fuzz bench setup clean rust

help: ## Says what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

run: rust ## Builds in release and serves on http://127.0.0.1:3000; the first time about 7 minutes, then seconds
	@$(XTASK) run

dev: rust ## Debug builds, again at every change; the page reloads itself; the first time about 5 minutes
	@$(XTASK) dev

build: rust ## Makes dist/outlast and dist/site/; the first time about 7 minutes
	@$(XTASK) build

lambda: rust ## Makes dist/lambda/outlast.zip for arm64 (ARCH=x86_64 for the other); the first time about 8 minutes
	@$(XTASK) lambda $(ARCH)

test: rust ## Sets up what is missing and runs every test; the first time about 70 minutes, then about 45
	@$(XTASK) test

model: rust ## Walks millions of states of the turn log's model, about a minute after a release build of the tests
	@$(XTASK) model

chaos: rust ## 1,000 turns under kills, cuts and store faults, about 15 minutes; make chaos TURNS=200 SEED=7
	@$(XTASK) chaos $(if $(TURNS),turns=$(TURNS)) $(if $(SEED),seed=$(SEED)) $(CHAOS)

bench: rust ## Measures the figures of the README beside FastAPI and nginx, about 15 minutes after a build
	@$(XTASK) bench

fuzz: rust ## Fuzzes what reads bytes from outside, a minute each, where `cargo +nightly fuzz` is
	@$(XTASK) fuzz

.PHONY: deploy destroy
deploy: rust lambda ## Puts it on AWS or brings it up to date, asking for what it needs; see docs/deploy.md
	@python3 infra/deploy.py deploy $(DEPLOY)

destroy: ## Takes it away from AWS with all that it holds, once you have typed its name
	@python3 infra/deploy.py destroy $(DESTROY)

setup: rust ## Only fetches what the tests need
	@$(XTASK) setup

clean: ## Removes what was built; keeps data/ and the tools in the cache
	cargo clean
	rm -rf dist end2end/artifacts end2end/node_modules .tools

# Before anything else: one clear line if Rust is missing, and a word about what takes long.
rust:
	@scripts/need-rust.sh
	@[ -e "$${CARGO_TARGET_DIR:-target}/debug/xtask" ] || echo "Compiling the build tool first (about 40 seconds)."
