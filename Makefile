.PHONY: check fmt lint linter tidy test budgets docs apidiff fuzz mutate engines size clients run

# Everything that a change must pass. Fuzz targets run on their seeds, as tests.
check: fmt lint tidy test budgets docs apidiff

fmt:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these files"; exit 1; }

# The checks of go vet are among the linter's. The linter is installed if it is
# not there. It remembers findings with the path of the clone that had them, and
# in another clone it can't find the comment that excuses one: so each clone has a
# cache of its own.
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

# Many tests wait for a server, so more of them run at a time than there are
# processors. Those that take longest come first. On a busy machine some take longer
# than the ten minutes that the go command allows. The benchmarks and the
# model checker compute, so the race detector would only make them slow.
COMPUTES = /provider/benchtest|/provider/internal/rules$$
test:
	go test -race -timeout 15m -p 4 ./tests/drivers ./store/redisstore ./tests/faults ./tests/browser ./tests/clients \
		$$(go list work | grep -vE '$(COMPUTES)')
	go test -race=false $$(go list work | grep -E '$(COMPUTES)')

# What is counted and timed is measured without the race detector, which has
# allocations of its own and takes its time. So are the suite at other settings of
# the databases, and a driver of which that would take too long.
budgets:
	go test -count=1 -run 'TestAllocationBudgets|TestIDTokenCosts' ./provider/benchtest
	go test -count=1 -run 'Cost|Plans|Size|Bytes|Waiting|Serializable|RepeatableRead|SQLite3|Modernc' ./store/... ./store/redisstore ./tests/drivers

# The go command does not see that a page has changed which a test in another
# module reads, so these are not answered from its cache.
docs:
	go test -count=1 ./docs/docstest
	go test -count=1 -run 'TestDocs|TestReadme|TestChecksPage' ./provider ./examples/gin ./examples/observability ./examples/quickstart
	go test -count=1 -run TestSchemaPage ./store/sqlstore

# What changed for hosts since the last release, or BASE=ref.
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

# Break rules of the protocol and see that the right test fails.
mutate:
	go run ./tests/conformance/mutate

# Every server that can be had, with every driver, at every isolation level, the
# migration tools, and hosts in trouble that takes longer. ENGINES_CACHE=folder
# makes the next run quicker.
engines:
	bash .ci/engines
	bash .ci/engines-redis
	go test -count=1 -tags ncruces -run 'SQLite3|(Instances|TenMigrateAtOnce)/sqlite3' ./tests/drivers
	CI=true LATCHKEY_ENGINES=1 LATCHKEY_LOAD=20s go test -count=1 -timeout 1h ./tests/faults

# Each step, its plans, and its bytes at a million documents, for an hour or so;
# SIZE=100000 for less.
SIZE ?= 1000000
size:
	LATCHKEY_SIZE=$(SIZE) go test -count=1 -v -timeout 3h -run Size ./store/memory ./tests/drivers
	LATCHKEY_SIZE=$(SIZE) go test -count=1 -v -timeout 3h -run Size ./store/redisstore

# Every client library that signs in, with those that take long to install. None
# is skipped.
clients:
	CI=true LATCHKEY_CLIENTS=all go test -count=1 -timeout 30m ./tests/clients

run:
	go run ./examples/quickstart
