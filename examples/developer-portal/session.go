package main

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/userinfo"
)

// password is every user's password. The program prints it when it starts.
const password = "correct horse battery staple"

// hashCost is the bcrypt cost. Tests lower it.
var hashCost = bcrypt.DefaultCost

// user is one of Acme's users.
type user struct {
	userinfo.User
	notes []note

	administers bool // can see and change every application

	closed bool // The user can't sign in.

	// generation is the generation of the user's sessions. Raising it ends them.
	generation int
}

type note struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// users stands for your users table.
type users struct {
	passwordHash []byte

	mu   sync.Mutex
	byID map[string]*user
}

func newUsers() (*users, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), hashCost)
	if err != nil {
		return nil, err
	}
	return &users{passwordHash: hash, byID: map[string]*user{
		"user_1815": {
			User:        userinfo.User{ID: "user_1815", Username: "ada", Name: "Ada Lovelace", Email: "ada@acme.example", EmailVerified: true},
			administers: true,
			notes: []note{
				{"Bernoulli numbers", "Ask Mr Babbage for more punched cards before Thursday."},
				{"Flying machine", "Steam might do. Measure a pigeon first."},
			},
		},
		"user_1906": {
			User: userinfo.User{ID: "user_1906", Username: "grace", Name: "Grace Hopper", Email: "grace@acme.example", EmailVerified: true},
			notes: []note{
				{"Nanoseconds", "Order more wire, cut to 30 centimeters."},
				{"Relay 70, panel F", "There was a moth in it. Keep it for the log book."},
			},
		},
	}}, nil
}

// find returns the user unless their account is closed.
func (u *users) find(id string) (user, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	found, ok := u.byID[id]
	if !ok || found.closed {
		return user{}, false
	}
	return *found, true
}

// change edits a user and returns the result.
func (u *users) change(id string, edit func(*user)) user {
	u.mu.Lock()
	defer u.mu.Unlock()
	edit(u.byID[id])
	return *u.byID[id]
}

// lookup is provider.Config.Users. A closed account counts as deleted.
func (u *users) lookup(_ context.Context, id string) (userinfo.User, error) {
	if found, ok := u.find(id); ok {
		return found.User, nil
	}
	return userinfo.User{}, userinfo.ErrNotFound
}

// authenticate finds a user by login and password. An unknown login takes as
// long as a wrong password, so that the response time doesn't reveal who has an
// account.
func (u *users) authenticate(login, password string) (user, bool) {
	right := bcrypt.CompareHashAndPassword(u.passwordHash, []byte(password)) == nil
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, found := range u.byID {
		if right && !found.closed && (found.Username == login || found.Email == login) {
			return *found, true
		}
	}
	return user{}, false
}

// The keys of the session.
const (
	sessionUser       = "user"         // the user's id
	sessionGeneration = "generation"   // the user's, when they signed in
	sessionSignedInAt = "signed_in_at" // in Unix seconds
	sessionMessage    = "message"      // shown on the next page
)

// user returns the signed-in user.
func (h *host) user(r *http.Request) (user, bool) {
	u, ok := h.users.find(h.sessions.GetString(r.Context(), sessionUser))
	if !ok || u.generation != h.sessions.GetInt(r.Context(), sessionGeneration) {
		return user{}, false
	}
	return u, true
}

// currentUser is provider.Config.CurrentUser.
func (h *host) currentUser(r *http.Request) (provider.Session, error) {
	u, ok := h.user(r)
	if !ok {
		return provider.Session{}, nil
	}
	return provider.Session{UserID: u.ID, SignedInAt: time.Unix(h.sessions.GetInt64(r.Context(), sessionSignedInAt), 0)}, nil
}

// done redirects from a form to the next page, which shows the message.
func (h *host) done(w http.ResponseWriter, r *http.Request, path, message string) {
	h.sessions.Put(r.Context(), sessionMessage, message)
	http.Redirect(w, r, path, http.StatusSeeOther)
}

func (h *host) home(w http.ResponseWriter, r *http.Request) {
	u, _ := h.user(r)
	writePage(w, http.StatusOK, "home.html", struct {
		layout
		Notes []note
	}{h.layout(r, "Your notes", "notes"), u.notes})
}

// signInPath is the sign-in page, which returns to next.
func signInPath(next string) string { return "/login?" + url.Values{"next": {next}}.Encode() }

type signInView struct {
	layout
	Next, Login string
	Failed      bool
	Password    string // A real app doesn't show it.
}

// showSignIn always shows the form, even to signed-in users. That way an
// application can request a fresh sign-in, and a user can switch accounts.
func (h *host) showSignIn(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	writePage(w, http.StatusOK, "signin.html", signInView{
		layout: h.layout(r, "Sign in to Acme Notes", ""), Next: provider.LocalPath(query.Get("next"), "/"), Login: query.Get("login_hint"), Password: password,
	})
}

func (h *host) signIn(w http.ResponseWriter, r *http.Request) {
	ctx, login, next := r.Context(), r.PostFormValue("login"), provider.LocalPath(r.PostFormValue("next"), "/")
	u, ok := h.users.authenticate(login, r.PostFormValue("password"))
	if !ok {
		writePage(w, http.StatusUnprocessableEntity, "signin.html", signInView{
			layout: h.layout(r, "Sign in to Acme Notes", ""), Next: next, Login: login, Failed: true, Password: password,
		})
		return
	}
	// Clear the session and change its ID, against session fixation.
	if err := h.sessions.Clear(ctx); err != nil {
		h.fail(w, r, err)
		return
	}
	if err := h.sessions.RenewToken(ctx); err != nil {
		h.fail(w, r, err)
		return
	}
	h.sessions.Put(ctx, sessionUser, u.ID)
	h.sessions.Put(ctx, sessionGeneration, u.generation)
	h.sessions.Put(ctx, sessionSignedInAt, time.Now().Unix())
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (h *host) signOut(w http.ResponseWriter, r *http.Request) {
	if err := h.sessions.Destroy(r.Context()); err != nil {
		h.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
