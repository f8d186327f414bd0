# The targets that people use. `make` alone lists them.

BIN := bin/lanyardctl

# Where make install puts it: $(DESTDIR)$(PREFIX)/bin.
PREFIX ?= /usr/local

# The port of make try's redis-server.
PORT ?= 17777

# The port of make try-dynamodb's dynalite.
DYNAMODB_PORT ?= 17778

# Without cgo the binary is static: it runs on any Linux, and in an image that holds nothing else. Only the race detector
# needs cgo. CGO_ENABLED=1 builds one that finds names as the system does, such as those of mDNS.
export CGO_ENABLED ?= 0

# FerretDB is slow and has data races of its own under the race detector, and takes minutes to compile for it. So all but
# its own package is tested with -race and without it, and tests reach it as a process: the binary, built without -race.
SLIM := -tags noembedded

# What ./... leaves out: Go does not look into a folder named testdata.
SEED := ./testdata ./testdata/seed ./testdata/dynamodb

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/lanyardctl
	go build -o $(BIN) ./cmd/lanyardctl

.PHONY: install
install: build ## install it in PREFIX=/usr/local, below DESTDIR
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 $(BIN) "$(DESTDIR)$(PREFIX)/bin/lanyardctl"

# The arguments of the two runs of go test. The package that waits most, for servers, begins first: other packages fill its waits.
EMBEDDED_TESTS := ./store/embedded
OTHER_TESTS := -timeout 30m -race $(SLIM) ./store/redis ./... $(SEED)

test test-mongo: export LANYARDCTL_TEST_BIN := $(CURDIR)/$(BIN)

.PHONY: need-test
need-test: build
	@scripts/need redis-server redis-server
	@scripts/need "$$(go env CC)" gcc libc6-dev
	@scripts/dynalite || test "$$CI" != true

.PHONY: test
test: need-test ## run all tests (installs redis-server and node if missing)
	go test $(EMBEDDED_TESTS)
	CGO_ENABLED=1 go test $(OTHER_TESTS)

# As it was given, and not shown: it may hold a password.
test-mongo: export LANYARDCTL_TEST_MONGO := $(value MONGO)

.PHONY: test-mongo
test-mongo: need-test ## run all tests on a MongoDB server, and say what ran where (MONGO=mongodb://...)
	@test -n "$$LANYARDCTL_TEST_MONGO" || { echo "make test-mongo: name a server: make test-mongo MONGO='mongodb://HOST:27017/'" >&2; \
		echo "hint: MONGO may be a variable of the environment, where nobody else can read a password" >&2; exit 1; }
	@CGO_ENABLED=1 go run ./internal/testtable $(EMBEDDED_TESTS) -- $(OTHER_TESTS)

# Long tests are run without the race detector, which would slow them down.
soak sync-load: export LANYARDCTL_TEST_BIN := $(CURDIR)/$(BIN)
LONG_TEST := go test $(SLIM) -count=1 -v -timeout 0 ./cmd/lanyardctl -run

# How long a soak takes.
SOAK ?= 60m

.PHONY: soak
soak: need-test ## break all around a sync for an hour, and compare at the end (SOAK=60m)
	LANYARDCTL_TEST_SOAK="$(SOAK)" $(LONG_TEST) '^TestASoak'

# How long a load takes, with how many writes a second by how many nodes (0: in pipelines) to how many users, and where to.
# SEARCH=yes looks for the rate that the target keeps up with.
LOAD ?= 10m
RATE ?= 5000
NODES ?= 4
USERS ?= 20000
TARGET ?= counting
SEARCH ?=

.PHONY: sync-load
sync-load: need-test ## measure a sync while Lanyards write (LOAD=10m RATE=5000 USERS=20000 TARGET=counting|ferretdb|named)
	LANYARDCTL_TEST_LOAD="$(LOAD)" LANYARDCTL_TEST_LOAD_RATE="$(RATE)" LANYARDCTL_TEST_LOAD_NODES="$(NODES)" LANYARDCTL_TEST_LOAD_USERS="$(USERS)" \
		LANYARDCTL_TEST_LOAD_TARGET="$(TARGET)" LANYARDCTL_TEST_LOAD_SEARCH="$(SEARCH)" \
		$(LONG_TEST) '^(TestAMirrorKeepsUp|TestWhatATargetKeepsUpWith)$$'

.PHONY: lint
lint: ## check the form of the code: gofmt, vet, staticcheck, shell syntax
	@unformatted="$$(gofmt -s -l .)"; test -z "$$unformatted" || { echo "gofmt -s would change:"; echo "$$unformatted"; exit 1; }
	go vet ./... $(SEED)
	go vet $(SLIM) ./...
	go tool -modfile=tools/go.mod staticcheck ./... $(SEED)
	@for script in .ci/run scripts/* testdata/*.sh; do bash -n "$$script" || exit 1; done

# A table of ratios: docs/performance.md says how to read it. BENCH_ARGS go to the program; BENCH_USERS and BENCH_MONGO
# are its variables.
.PHONY: bench
bench: ## compare lanyardctl with plain reading and loading (installs redis-server if missing)
	@scripts/need redis-server redis-server
	@go run ./bench $(BENCH_ARGS)

.PHONY: bench-short
bench-short: ## measure CPU time at one small size, and fail where it grew grossly
	@scripts/need redis-server redis-server
	@go run ./bench --short

.PHONY: microbench
microbench: ## run the Go benchmarks of single packages
	go test $(SLIM) -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## run each fuzz target for a short time (FUZZTIME=10s)
	@scripts/fuzz

.PHONY: try
try: ## start a redis-server with the bundled dump, for a real run (PORT=17777; installs it if missing)
	@scripts/need redis-server redis-server
	@scripts/try start "$(PORT)"

.PHONY: try-stop
try-stop: ## stop it
	@scripts/try stop

.PHONY: try-dynamodb
try-dynamodb: build ## migrate bundled items from a DynamoDB that runs here (DYNAMODB_PORT=17778; installs node if missing)
	@scripts/dynalite
	@scripts/try-dynamodb start "$(DYNAMODB_PORT)"

.PHONY: try-dynamodb-stop
try-dynamodb-stop: ## stop it
	@scripts/try-dynamodb stop

.PHONY: clean
clean: try-stop try-dynamodb-stop ## remove what the other targets made
	rm -rf bin try
