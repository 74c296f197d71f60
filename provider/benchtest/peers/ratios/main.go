// Command ratios measures other providers next to this library's. The command
// of the same name in provider/benchtest measures this library alone.
//
//	go run ./provider/benchtest/peers/ratios
//	go run ./provider/benchtest/peers/ratios -process -stacks "limit,latchkey,osin"
package main

import (
	"github.com/latchkey-go/latchkey/provider/benchtest/measure"
	"github.com/latchkey-go/latchkey/provider/benchtest/peers"
)

func main() { measure.Main(peers.Makers...) }
