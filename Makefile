# Everything is built with one profile (release) and the locked dependencies.

CARGO ?= cargo
TARGET_DIR = $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
CONSOLIDATE = $(TARGET_DIR)/release/consolidate

.PHONY: help build demo test random damage comments real-tools lint bench
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -E '^[a-z-]+: .*##' Makefile | sed 's/^\([a-z-]*\):.*## /  make \1|/' | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

build: ## Build the program (the first time takes some minutes)
	$(CARGO) build --release --locked

# The new set is written into a temporary folder, so that the checkout stays as it is.
demo: build ## Run plan, emit and verify on the example of this repository
	@set -e; \
	work=$$(mktemp -d "$${TMPDIR:-/tmp}/consolidate-demo.XXXXXX"); \
	trap 'rm -rf "$$work"' EXIT; \
	trap 'exit 1' HUP INT TERM; \
	cp -R consolidate.toml migrations.old "$$work/"; \
	printf '\n== consolidate plan: what the history in migrations.old/ says\n\n'; \
	$(CONSOLIDATE) plan; \
	printf '\n== consolidate emit: write the new set (into a temporary folder), once it is proven\n\n'; \
	$(CONSOLIDATE) emit --config "$$work/consolidate.toml"; \
	printf '\n== diff: the set just written, against the one in migrations/\n\n'; \
	diff -r "$$work/migrations" migrations; \
	printf 'the same, byte for byte\n'; \
	printf '\n== consolidate verify: migrations.old/ against migrations/\n\n'; \
	$(CONSOLIDATE) verify

test: ## Run all tests
	$(CARGO) test --release --locked

# make random COUNT=5000 SEED=1; each history has its own seed, counted up from SEED.
COUNT ?= 5000
SEED ?= 1

random: ## Grow COUNT random histories from SEED on, consolidate and prove each
	RANDOM_COUNT=$(COUNT) RANDOM_SEED=$(SEED) $(CARGO) test --release --locked --test random -- --ignored --nocapture

real-tools: ## Let the migration tools that can be installed confirm hand-overs (takes them from cargo, npm, pip and apt)
	$(CARGO) test --release --locked --test real_tools -- --ignored --nocapture

damage: ## Damage every set of the tests, statement by statement, and print the share that verify saw
	$(CARGO) test --release --locked --test damage -- --ignored --nocapture

comments: ## Count the comments of what lives that are in the new set
	$(CARGO) test --release --locked --test style comments_of_what_lives -- --nocapture

lint: ## Check formatting, clippy and the documentation of the library, without warnings
	$(CARGO) fmt --check
	$(CARGO) clippy --release --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --no-deps --lib

bench: ## Measure how long a plan takes
	$(CARGO) bench --locked --bench plan
