// Package conformance tests the provider from outside: a model checks random
// histories of one sign-in, valid requests are mutated at random, and a suite
// was written from the standards alone. The package exports nothing.
package conformance
