// Package clients signs in with widely used client libraries, as published in
// their registries: MCP clients, OAuth libraries, and tools built on them. Each
// runs as a separate program against a real server, discovers its endpoints
// from a URL if it can, and uses and refreshes its tokens. The package exports
// nothing.
//
// Clients that take long to install run only with LATCHKEY_CLIENTS=all, which
// "make clients" sets.
package clients
