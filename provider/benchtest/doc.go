// Package benchtest measures what the provider costs. Beside it stands the
// limit: a bare net/http handler that does only what cannot be left out, so
// that a run prints how far the one is from the other and not how fast the
// machine is.
//
//	go test -bench . ./provider/benchtest              # each handler, time and allocations
//	go run ./provider/benchtest/ratios                 # CPU time of a server, beside the limit
//	go run ./provider/benchtest/ratios -process        # the same inside the handler
//	go run ./provider/benchtest/peers/ratios           # beside other providers too
//	go test -run TestForcedSignIns -v ./provider/benchtest/peers # how often users must sign in again
//
// Benchmarks with a database need PostgreSQL on 127.0.0.1:5432; they are left
// out where there is none.
package benchtest
