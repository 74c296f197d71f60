package acme

import (
	"strings"

	"github.com/latchkey-go/latchkey/userinfo"
)

// User is one of Acme's users. An app can keep its users in any form; Acme's is
// the one that Latchkey takes.
type User = userinfo.User

// newUsers returns ada and grace by ID. In a real app they're rows of a table.
func newUsers(url string) map[string]User {
	return map[string]User{
		"user_1815": {
			ID: "user_1815", Username: "ada", Email: "ada@acme.example", EmailVerified: true,
			Name: "Ada Lovelace", GivenName: "Ada", FamilyName: "Lovelace", Picture: url + "/avatars/ada.svg",
			PublicMetadata:  map[string]any{"team": "Engines", "plan": "pro"},
			PrivateMetadata: map[string]any{"customer_number": 1843},
			UnsafeMetadata:  map[string]any{"theme": "dark"},
		},
		"user_1906": {
			ID: "user_1906", Username: "grace", Email: "grace@acme.example", EmailVerified: true,
			Name: "Grace Hopper", GivenName: "Grace", FamilyName: "Hopper", Picture: url + "/avatars/grace.svg",
			PublicMetadata:  map[string]any{"team": "Compilers", "plan": "free"},
			PrivateMetadata: map[string]any{"customer_number": 1944},
			UnsafeMetadata:  map[string]any{"theme": "light"},
		},
	}
}

// newNotes returns each user's notes by the user's ID.
func newNotes() map[string][]Note {
	return map[string][]Note{
		"user_1815": {
			{"Bernoulli numbers", "Ask Mr. Babbage for more punched cards before Thursday."},
			{"Flying machine", "Steam might do. Measure a pigeon first."},
		},
		"user_1906": {
			{"Nanoseconds", "Order more wire, cut to 30 centimeters."},
			{"Relay 70, panel F", "There was a moth in it. Keep it for the log book."},
		},
	}
}

// findLogin finds a user by username or email address.
func (a *App) findLogin(login string) (User, bool) {
	login = strings.ToLower(strings.TrimSpace(login))
	for _, user := range a.users {
		if login == user.Username || login == user.Email {
			return user, true
		}
	}
	return User{}, false
}
