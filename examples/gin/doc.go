// Gin is Acme Notes, the Gin app in the directory before, after it became an
// OAuth 2.0 provider by some thirty lines. The rest of it is as it was.
// examples/gin/README.md shows the difference between the two and explains it; wiki.go
// registers an application to try it with.
//
//	go run ./examples/gin  and open the addresses that it prints
package main
