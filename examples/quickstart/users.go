package main

import (
	"context"
	"crypto/rand"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/userinfo"
)

// password is everybody's. It is printed at start, so that you can sign in.
const password = "correct horse battery staple"

// hashCost is what checking a password costs. Tests lower it.
var hashCost = bcrypt.DefaultCost

// user is one of Acme's users. What an app keeps about its users is its own
// affair; here it happens to be in the form that Latchkey wants.
type user struct {
	userinfo.User
	passwordHash []byte
	notes        []note
}

type note struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// users stands for the users table of a real app.
type users struct {
	byID    map[string]*user
	byLogin map[string]*user // by username and by email address
	decoy   []byte           // the hash of a password that nobody has
}

// newUsers makes ada and grace. Their pictures are served by Acme, at base.
func newUsers(base string) (*users, error) {
	people := []*user{{
		User: userinfo.User{
			ID: "user_1815", Username: "ada", Email: "ada@acme.example", EmailVerified: true,
			Name: "Ada Lovelace", GivenName: "Ada", FamilyName: "Lovelace", Picture: base + "/avatars/ada.svg",
			PublicMetadata:  map[string]any{"team": "Engines", "plan": "pro"},
			PrivateMetadata: map[string]any{"customer_number": 1843},
			UnsafeMetadata:  map[string]any{"theme": "dark"},
		},
		notes: []note{
			{"Bernoulli numbers", "Ask Mr Babbage for more punched cards before Thursday."},
			{"Flying machine", "Steam might do. Measure a pigeon first."},
		},
	}, {
		User: userinfo.User{
			ID: "user_1906", Username: "grace", Email: "grace@acme.example", EmailVerified: true,
			Name: "Grace Hopper", GivenName: "Grace", FamilyName: "Hopper", Picture: base + "/avatars/grace.svg",
			PublicMetadata:  map[string]any{"team": "Compilers", "plan": "free"},
			PrivateMetadata: map[string]any{"customer_number": 1944},
			UnsafeMetadata:  map[string]any{"theme": "light"},
		},
		notes: []note{
			{"Nanoseconds", "Order more wire, cut to 30 centimetres."},
			{"Relay 70, panel F", "There was a moth in it. Keep it for the log book."},
		},
	}}
	u := &users{byID: map[string]*user{}, byLogin: map[string]*user{}}
	var err error
	if u.decoy, err = bcrypt.GenerateFromPassword([]byte(rand.Text()), hashCost); err != nil {
		return nil, err
	}
	for _, p := range people {
		if p.passwordHash, err = bcrypt.GenerateFromPassword([]byte(password), hashCost); err != nil {
			return nil, err
		}
		u.byID[p.ID] = p
		u.byLogin[p.Username] = p
		u.byLogin[p.Email] = p
	}
	return u, nil
}

// authenticate finds a user by login and password. It does the same work for
// an unknown login as for a wrong password, so that the time it takes tells
// nobody who has an account. A real app also limits how often it may be tried.
func (u *users) authenticate(login, password string) (*user, bool) {
	found, known := u.byLogin[strings.ToLower(strings.TrimSpace(login))]
	hash := u.decoy
	if known {
		hash = found.passwordHash
	}
	right := bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil
	return found, known && right
}

// lookup is what Latchkey asks for a user (provider.Config.Users).
func (u *users) lookup(_ context.Context, id string) (userinfo.User, error) {
	if found, ok := u.byID[id]; ok {
		return found.User, nil
	}
	return userinfo.User{}, userinfo.ErrNotFound
}
