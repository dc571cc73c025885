# The commands of the house; README.md and CONTRIBUTING.md name them.
JOBS ?= $(shell nproc)
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: serve test build check format format-check tidy asan tsan fuzz bench unit integration
BINARY := $(CURDIR)/build/latchkey
# Every file of ours that clang-format and clang-tidy look at.
SOURCES = $(shell git ls-files --cached --others --exclude-standard 'src/*.cc' 'src/*.h' 'test/*.cc' 'test/*.h' 'demo/*.cc' 'demo/*.h')
FUZZ_SECONDS ?= 20

serve: build
	exec $(BINARY) serve --demo

build:
	@tools/bootstrap
	@cmake --preset release >/dev/null
	@cmake --build build --parallel $(JOBS)

# Unit and conformance tests and the layers, then the black-box tests against the release binary.
test: build unit integration

unit:
	ctest --test-dir build --output-on-failure --no-tests=error -j $(JOBS)

integration: clients
	LATCHKEY_BIN=$${LATCHKEY_BIN:-$(BINARY)} python3 -m unittest discover -s test/integration -t test/integration

# The published clients that the black-box tests drive, as their lock file names them.
.PHONY: clients
clients: test/clients/node_modules/.package-lock.json

test/clients/node_modules/.package-lock.json: test/clients/package.json test/clients/package-lock.json
	@tools/bootstrap
	npm ci --prefix test/clients --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

check: bootstrap-check test format-check tidy asan tsan fuzz

.PHONY: bootstrap-check
bootstrap-check:
	@tools/bootstrap --check

format:
	clang-format-19 -i $(SOURCES)

format-check:
	clang-format-19 --dry-run -Werror $(SOURCES)

# Builds everything with clang 19 and -Wthread-safety, then lints each unit that is compiled.
tidy: bootstrap-check
	@cmake --preset tidy >/dev/null
	@cmake --build build/tidy --parallel $(JOBS)
	git ls-files --cached --others --exclude-standard 'src/*.cc' 'test/*.cc' 'demo/*.cc' \
	  | tools/lintable build/tidy \
	  | xargs -r -P $(JOBS) -n 4 clang-tidy-19 -p build/tidy --quiet

# The unit and black-box suites once more, under each sanitizer.
asan: bootstrap-check
	@cmake --preset asan >/dev/null
	@cmake --build build/asan --parallel $(JOBS)
	ctest --test-dir build/asan --output-on-failure --no-tests=error -j $(JOBS)
	LATCHKEY_BIN=$(CURDIR)/build/asan/latchkey LATCHKEY_SANITIZED=1 $(MAKE) --no-print-directory integration

tsan: bootstrap-check
	@cmake --preset tsan >/dev/null
	@cmake --build build/tsan --parallel $(JOBS)
	ctest --test-dir build/tsan --output-on-failure --no-tests=error -j $(JOBS)
	LATCHKEY_BIN=$(CURDIR)/build/tsan/latchkey LATCHKEY_SANITIZED=1 $(MAKE) --no-print-directory integration

# Each target over its corpus and FUZZ_SECONDS of new input; what it finds stays in build/fuzz.
fuzz: bootstrap-check
	@cmake --preset fuzz >/dev/null
	@cmake --build build/fuzz --parallel $(JOBS)
	tools/fuzz build/fuzz $(FUZZ_SECONDS)

bench: bootstrap-check build
	@cmake --build build --parallel $(JOBS) --target bench_programs
	python3 test/bench/run.py
