// Package browser drives the provider's pages in a real Chromium: as people
// use them, by mouse and by keyboard, with everything that a browser enforces
// and a test of HTTP cannot see. It has no code for others to use.
package browser
