// Package peers is other providers, to be measured beside this library's. Each
// is set up as its own README or example says, with a store in memory, and does
// the same: a user who is signed in is sent back with a code, the code is
// redeemed, userinfo is read, the refresh token is rotated.
//
// They don't do the same work: provider/benchtest/README.md lists the differences.
package peers

import (
	"encoding/json"
	"net/http"

	"github.com/latchkey-go/latchkey/provider/benchtest"
	"github.com/latchkey-go/latchkey/provider/benchtest/measure"
)

// Makers make the limit, this library's provider and the others.
var Makers = []measure.Maker{
	measure.Limit,
	measure.Latchkey,
	{Name: "go-oauth2", Make: newGoOAuth2},
	{Name: "osin", Make: newOsin},
	{Name: "fosite (public client)", Make: newFositePublic},
	{Name: "fosite", Make: newFosite},
	{Name: "zitadel/oidc", Make: newZitadel},
}

// What every stack is told.
const (
	clientID     = "0123456789abcdef"
	clientSecret = "0123456789abcdef0123456789abcdef0123456789a"
	callback     = "https://wiki.example.com/callback"
	cookie       = "session=user_ada"
)

var users = map[string]benchtest.Document{benchtest.Ada.UserID: benchtest.Ada}

// signedIn returns whose browser sent the request, or nothing.
func signedIn(r *http.Request) string {
	cookie, err := r.Cookie("session")
	if err != nil {
		return ""
	}
	return users[cookie.Value].UserID
}

// writeUser answers with the userinfo document, where the library leaves that
// to its host.
func writeUser(w http.ResponseWriter, id string) {
	encoded, err := json.Marshal(users[id])
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(encoded)
}
