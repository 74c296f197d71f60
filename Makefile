.PHONY: check fmt vet lint test fuzz mutate run

check: fmt vet lint test ## Everything that a change must pass.

fmt:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these files"; exit 1; }

vet:
	go vet work

lint:
	golangci-lint run --allow-parallel-runners $$(go list -f '{{.Dir}}/...' -m)

test:
	go test -race work

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
	go run ./provider/conformance/mutate

run:
	go run ./examples/quickstart
