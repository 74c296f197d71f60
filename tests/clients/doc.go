// Package clients signs in with the client libraries that other people use, as
// they come from their registries: MCP clients, OAuth libraries, and the tools
// built on them. Each runs as a program of its own against a real server, finds
// its way from an address alone where it can, and uses and renews what it got.
// It has no code for others to use.
//
// Those that take long to install run with LATCHKEY_CLIENTS=all only, which is
// what "make clients" sets.
package clients
