// Gin is Acme Notes, the Gin app in the folder before, after it became an
// OAuth 2.0 provider. README.md shows and explains the difference. wiki.go is a
// client that signs people in with it.
//
//	go run ./examples/gin
package main
