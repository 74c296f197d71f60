// Package browsertest drives the provider's pages in a real Chromium: as people
// use them, by mouse and by keyboard, with everything that a browser enforces
// and a test of HTTP cannot see. It is a module of its own, so that what it
// needs does not get into the provider's go.mod. It has no code for others to
// use.
package browsertest
