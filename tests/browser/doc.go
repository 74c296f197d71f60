// Package browser tests the provider's pages in a real Chromium, with mouse and
// keyboard. It covers everything that a browser enforces and an HTTP test can't
// see. The package exports nothing.
package browser
