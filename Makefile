# For people and CI alike: every target installs what is missing, and says so.

.PHONY: help test soak fuzz demo bench
.DEFAULT_GOAL := help

# Programs are started from here: `cargo run -p` of one package builds what it depends on once more, with other features.
TARGET := $(or $(CARGO_TARGET_DIR),target)

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 14

test: ## every check that CI runs; PARTS="format clippy" for some of them
	@.ci/test $(PARTS)

soak: ## ten minutes each for the queue, the calendars and schedules, and 2,000 edits of records, while processes are killed; ADVOSYNC_SOAK_SECONDS=60 for another length
	@.ci/need cc redis nextest
	ADVOSYNC_SOAK_SECONDS=$${ADVOSYNC_SOAK_SECONDS:-600} cargo nextest run --locked -p advosync --profile soak --no-capture \
		-E 'test(/^((queue|calendar|record)::soak::|process::cron::every_slot)/)'

fuzz: ## hostile input under libFuzzer, a minute a target; ADVOSYNC_FUZZ_SECONDS=600 for longer, TARGETS="proxy_path webhook_body" for some of them
	@.ci/need cc c++ redis
	@.ci/fuzz $(TARGETS)

demo: ## the product against a sandbox of the outside systems; KEEP=1 leaves it running
	@.ci/need cc redis
	@echo "demo: building (the first time takes minutes)"
	cargo build --locked -p advosync -p advosync-sandbox --bins
	@$(TARGET)/debug/advosync-demo $(if $(KEEP),--keep)

bench: ## speed of the queue beside raw Redis, of a single sync, of 50 a second, of sweeps, of planning a calendar; SCENARIOS="drain latency" for some of it
	@.ci/need cc redis
	@echo "bench: building for release (the first time takes minutes)"
	cargo build --release --locked -p advosync -p advosync-bench --bins
	@$(TARGET)/release/advosync-bench $(SCENARIOS)
