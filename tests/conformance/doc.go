// Package conformance holds what the provider is tried against besides its own
// tests: a model of one sign-in that random histories are checked with, mutated
// requests, and a suite that was written from the RFCs alone. It has no code for
// others to use.
package conformance
