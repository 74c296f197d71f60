// Package oauth2client holds no code, only tests: they sign in to Latchkey with
// golang.org/x/oauth2 as it is, in every way that package offers, to see that
// a program written with it needs nothing special.
package oauth2client
