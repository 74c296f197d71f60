.PHONY: check fmt lint linter tidy test budgets docs apidiff fuzz mutate engines size clients run

# Everything that a change must pass. Fuzz targets run on their seeds, as tests.
check: fmt lint tidy test budgets docs apidiff

fmt:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these files"; exit 1; }

# The linter includes the checks of go vet, and is installed if missing. Its cache
# stores findings with the path of the clone, and in another clone it wouldn't
# find the comments that suppress them. So each clone has a separate cache.
GOLANGCI = v2.12.2
BIN = $(CURDIR)/bin
PACKAGES = $$(go list -f '{{.Dir}}/...' -m)
lint: linter
	GOLANGCI_LINT_CACHE=$(BIN)/lint-cache $(BIN)/golangci-lint-$(GOLANGCI) run --allow-parallel-runners $(PACKAGES)

linter: $(BIN)/golangci-lint-$(GOLANGCI)

$(BIN)/golangci-lint-$(GOLANGCI):
	GOWORK=off GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI)
	mv $(BIN)/golangci-lint $@

# Each module is tidy, and builds without the others.
tidy:
	@for module in $$(go list -f '{{.Dir}}' -m); do \
		(cd "$$module" && GOWORK=off go mod tidy -diff && GOWORK=off go build ./...) || exit 1; \
	done

# Many tests wait for a server, so more packages run at a time than the machine
# has processors. The slowest come first. On a busy machine some take longer than
# the go command's default of ten minutes. The race detector would only slow down
# the benchmarks, the model checker, and the tests of the pages, which compute.
COMPUTES = /provider/benchtest|/provider/internal/rules$$|/docs/docstest$$
test:
	go test -race -timeout 15m -p 4 ./tests/drivers ./store/redisstore ./tests/faults ./tests/browser ./tests/clients \
		$$(go list work | grep -vE '$(COMPUTES)')
	go test -race=false $$(go list work | grep -E '$(COMPUTES)')

# Counts and times are measured without the race detector, which allocates and is
# slow. The suite with other settings of the databases, and one slow driver, run
# without it too.
budgets:
	go test -count=1 -run 'TestAllocationBudgets|TestIDTokenCosts' ./provider/benchtest
	go test -count=1 -run 'Cost|Plans|Size|Bytes|Waiting|Serializable|RepeatableRead|SQLite3|Modernc' ./store/... ./store/redisstore ./tests/drivers

# The go command doesn't notice that a page has changed if a test in another
# module reads it, so these tests don't use its cache.
docs:
	go test -count=1 ./docs/docstest
	go test -count=1 -run 'TestDocs|TestReadme|TestChecksPage' ./provider ./examples/gin ./examples/observability ./examples/quickstart
	go test -count=1 -run TestSchemaPage ./store/sqlstore

# Changes for hosts since the last release, or since BASE=ref.
apidiff:
	bash .ci/apidiff

# Each fuzz target for a minute; FUZZTIME=5m for longer.
FUZZTIME ?= 1m
fuzz:
	@grep -rl --include=*_test.go '^func Fuzz' . | while read f; do \
		for t in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\).*/\1/p' $$f); do \
			go test -run '^$$' -fuzz "^$$t\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$f) || exit 1; \
		done; \
	done

# Break rules of the protocol, and check that the right test fails.
mutate:
	go run ./tests/conformance/mutate

# Every server in Debian, with every driver, at every isolation level, the
# migration tools, and slow fault tests. ENGINES_CACHE=folder makes the next run
# faster.
engines:
	bash .ci/engines
	bash .ci/engines-redis
	go test -count=1 -tags ncruces -run 'SQLite3|(Instances|TenMigrateAtOnce)/sqlite3' ./tests/drivers
	CI=true LATCHKEY_ENGINES=1 LATCHKEY_LOAD=20s go test -count=1 -timeout 1h ./tests/faults

# Each step, its query plans, and its bytes with a million documents. This takes
# about an hour; SIZE=100000 takes less.
SIZE ?= 1000000
size:
	LATCHKEY_SIZE=$(SIZE) go test -count=1 -v -timeout 3h -run Size ./store/memory ./tests/drivers
	LATCHKEY_SIZE=$(SIZE) go test -count=1 -v -timeout 3h -run Size ./store/redisstore

# Every client library, including those that take long to install. None is
# skipped.
clients:
	CI=true LATCHKEY_CLIENTS=all go test -count=1 -timeout 30m ./tests/clients

run:
	go run ./examples/quickstart
