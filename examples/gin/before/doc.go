// Before is Acme Notes, an ordinary Gin app with users and sessions, as it was
// before it became an OAuth 2.0 provider. What it is now is one directory up,
// and examples/gin/README.md shows the difference.
//
//	go run ./examples/gin/before  and open the address that it prints
package main
