// Package oauth2client contains only tests. They sign in with golang.org/x/oauth2 in
// every way it offers, so programs written with it work with Latchkey unchanged.
package oauth2client
