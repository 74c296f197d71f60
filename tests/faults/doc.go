// Package faults tests the provider, on every store, with the faults of
// production: a database that stops or never answers, processes that are killed
// during their work, and several instances on one database. Each host is a
// separate process, so that a test can kill it. The package exports nothing.
package faults
