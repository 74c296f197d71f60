// Package peers has other providers to measure next to this library's. Each is
// set up as in its README or example, with a store in memory, and does the
// same: it redirects a signed-in user with a code, redeems the code, serves
// userinfo, and rotates the refresh token.
//
// They don't do the same work: provider/benchtest/README.md lists the differences.
package peers

import (
	"encoding/json"
	"net/http"

	"github.com/latchkey-go/latchkey/provider/benchtest"
	"github.com/latchkey-go/latchkey/provider/benchtest/measure"
)

// Makers make the limit, this library's provider, and the others.
var Makers = []measure.Maker{
	measure.Limit,
	measure.Latchkey,
	{Name: "go-oauth2", Make: newGoOAuth2},
	{Name: "osin", Make: newOsin},
	{Name: "fosite (public client)", Make: newFositePublic},
	{Name: "fosite", Make: newFosite},
	{Name: "zitadel/oidc", Make: newZitadel},
}

// The data of every stack.
const (
	clientID     = "0123456789abcdef"
	clientSecret = "0123456789abcdef0123456789abcdef0123456789a"
	callback     = "https://wiki.example.com/callback"
	cookie       = "session=user_ada"
)

var users = map[string]benchtest.Document{benchtest.Ada.UserID: benchtest.Ada}

// signedIn returns the user whose browser sent the request, or "".
func signedIn(r *http.Request) string {
	cookie, err := r.Cookie("session")
	if err != nil {
		return ""
	}
	return users[cookie.Value].UserID
}

// writeUser answers with the userinfo document, for libraries that leave that
// to their host.
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
