// Before is Acme Notes, an ordinary Gin app with users and sessions, before it
// became an OAuth 2.0 provider. The provider is one folder up, and its README.md
// shows the difference.
//
//	go run ./examples/gin/before
package main
