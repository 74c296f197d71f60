// Command ratios prints what a server with the provider costs: its CPU time per
// request, as a multiple of what the limit takes in the same run (see package
// benchtest).
//
//	go run ./provider/benchtest/ratios           # over loopback HTTP
//	go run ./provider/benchtest/ratios -process  # inside the handler, without a network
//	go run ./provider/benchtest/ratios -requests 20000 -rounds 9 -clients 1
//
// Command peers/ratios also measures other providers.
package main

import "github.com/latchkey-go/latchkey/provider/benchtest/measure"

func main() { measure.Main(measure.Limit, measure.Latchkey) }
