// Command ratios measures other providers beside this library's, as the command
// of the same name in provider/benchtest does it without them.
//
//	go run ./provider/benchtest/peers/ratios
//	go run ./provider/benchtest/peers/ratios -process -stacks "limit,latchkey,osin"
package main

import (
	"github.com/latchkey-go/latchkey/provider/benchtest/measure"
	"github.com/latchkey-go/latchkey/provider/benchtest/peers"
)

func main() { measure.Main(peers.Makers...) }
