// Package benchtest measures what the provider costs, next to the limit: a bare
// net/http handler that does only the unavoidable work. A run prints the ratio
// of the two, so the speed of the machine doesn't matter.
//
//	go test -bench . ./provider/benchtest              # each handler, time and allocations
//	go run ./provider/benchtest/ratios                 # CPU time of a server, next to the limit
//	go run ./provider/benchtest/ratios -process        # the same inside the handler
//	go run ./provider/benchtest/peers/ratios           # next to other providers too
//	go test -run TestForcedSignIns -v ./provider/benchtest/peers # how often users must sign in again
//
// Benchmarks with a database need PostgreSQL on 127.0.0.1:5432, and are skipped
// without it.
package benchtest
