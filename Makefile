# The targets that people use. `make` alone lists them.

BIN := bin/lanyardctl

# FerretDB is slow and has data races of its own under the race detector, and takes minutes to compile for it. So all but
# its own package is tested with -race and without it, and tests reach it as a process: the binary, built without -race.
SLIM := -tags noembedded

# What ./... leaves out: Go does not look into a folder named testdata.
SEED := ./testdata ./testdata/seed

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/lanyardctl
	go build -o $(BIN) ./cmd/lanyardctl

.PHONY: test
test: build ## run all tests (installs redis-server if missing)
	@scripts/need redis-server redis-server
	@scripts/need "$$(go env CC)" gcc libc6-dev
	LANYARDCTL_TEST_BIN=$(CURDIR)/$(BIN) go test ./store/embedded
	LANYARDCTL_TEST_BIN=$(CURDIR)/$(BIN) go test -race $(SLIM) ./... $(SEED)

.PHONY: lint
lint: ## check the form of the code: gofmt, vet, staticcheck, shell syntax
	@unformatted="$$(gofmt -s -l .)"; test -z "$$unformatted" || { echo "gofmt -s would change:"; echo "$$unformatted"; exit 1; }
	go vet ./... $(SEED)
	go vet $(SLIM) ./...
	go tool -modfile=tools/go.mod staticcheck ./... $(SEED)
	@for script in .ci/run scripts/* testdata/*.sh; do bash -n "$$script" || exit 1; done

.PHONY: bench
bench: ## run the benchmarks
	go test $(SLIM) -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## run each fuzz target for a short time (FUZZTIME=10s)
	@scripts/fuzz

.PHONY: try
try: build ## migrate the bundled dump into ./try (installs redis-server if missing)
	@scripts/need redis-server redis-server
	@scripts/try $(BIN)

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf bin try
