package benchtest

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// The limit does what no provider can leave out: it reads the parameters, finds
// the client and the user, compares the hash of the secret, generates random
// codes and tokens, keeps their hashes, and writes the answer. It makes no
// other checks, so it is not a usable provider.
type limit struct {
	mu     sync.RWMutex
	grants map[[32]byte]limitGrant

	clients map[string][32]byte // hashes of secrets
	users   map[string]Document
}

type limitGrant struct {
	client, user, scope string
	expires             time.Time
}

// Document is a user's userinfo document in Clerk's format, which this library
// writes. All stacks write it, so that none writes less.
type Document struct {
	Object        string `json:"object"`
	InstanceID    string `json:"instance_id"`
	UserID        string `json:"user_id"`
	Subject       string `json:"sub"`
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
	Name          string `json:"name"`
}

// Ada is the only user.
var Ada = Document{
	Object: "oauth_user_info", InstanceID: "ins_0123456789abcdef0123456789abcdef", UserID: "user_ada", Subject: "user_ada",
	Email: "ada@example.com", Name: "Ada Lovelace",
}

// NewLimit returns the limit.
func NewLimit() *Stack {
	l := &limit{
		grants:  map[[32]byte]limitGrant{},
		clients: map[string][32]byte{"0123456789abcdef": sha256.Sum256([]byte("0123456789abcdef0123456789abcdef0123456789a"))},
		users:   map[string]Document{Ada.UserID: Ada},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /oauth/authorize", l.authorize)
	mux.HandleFunc("POST /oauth/token", l.token)
	mux.HandleFunc("GET /oauth/userinfo", l.userInfo)
	mux.HandleFunc("GET /api/notes", l.guarded)
	mux.HandleFunc("POST /oauth/token_info", l.introspect)
	return &Stack{
		Name: "limit", Handler: mux, Authorize: "/oauth/authorize", Token: "/oauth/token", UserInfo: "/oauth/userinfo",
		Guarded: "/api/notes", Introspect: "/oauth/token_info", ClientID: "0123456789abcdef", ClientSecret: "0123456789abcdef0123456789abcdef0123456789a",
		RedirectURI: "https://wiki.example.com/callback", Scope: "profile email", Cookie: "session=user_ada",
	}
}

// draw generates a random text and keeps its hash.
func (l *limit) draw(g limitGrant) string {
	var secret [32]byte
	rand.Read(secret[:]) // It never fails; it would end the program.
	sum := sha256.Sum256(secret[:])
	l.mu.Lock()
	l.grants[sum] = g
	l.mu.Unlock()
	return base64.RawURLEncoding.EncodeToString(secret[:])
}

// find finds what draw generated, and forgets it if once is set.
func (l *limit) find(text string, once bool) (limitGrant, bool) {
	secret, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return limitGrant{}, false
	}
	sum := sha256.Sum256(secret)
	if !once {
		l.mu.RLock()
		g, ok := l.grants[sum]
		l.mu.RUnlock()
		return g, ok
	}
	l.mu.Lock()
	g, ok := l.grants[sum]
	delete(l.grants, sum)
	l.mu.Unlock()
	return g, ok
}

func (l *limit) authorize(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie("session")
	if err != nil {
		http.Error(w, "sign in", http.StatusForbidden)
		return
	}
	q := r.URL.Query()
	if _, ok := l.clients[q.Get("client_id")]; !ok {
		http.Error(w, "unknown client", http.StatusBadRequest)
		return
	}
	code := l.draw(limitGrant{q.Get("client_id"), cookie.Value, q.Get("scope"), time.Now().Add(time.Minute)})
	w.Header().Set("Location", q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode())
	w.WriteHeader(http.StatusFound)
}

func (l *limit) client(r *http.Request) bool {
	id, secret, ok := r.BasicAuth()
	want := l.clients[id]
	sum := sha256.Sum256([]byte(secret))
	return ok && subtle.ConstantTimeCompare(sum[:], want[:]) == 1
}

func (l *limit) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || !l.client(r) {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	text := r.PostForm.Get("code")
	if text == "" {
		text = r.PostForm.Get("refresh_token")
	}
	g, ok := l.find(text, true)
	if !ok {
		http.Error(w, "bad code", http.StatusBadRequest)
		return
	}
	writeJSON(w, struct {
		Access  string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int    `json:"expires_in"`
		Refresh string `json:"refresh_token"`
		Scope   string `json:"scope"`
	}{l.draw(g), "Bearer", 7200, l.draw(g), g.scope})
}

func writeJSON(w http.ResponseWriter, answer any) {
	encoded, err := json.Marshal(answer)
	if err != nil {
		panic(err) // Strings and numbers always encode.
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.Write(encoded)
}

func (l *limit) bearer(r *http.Request) (limitGrant, bool) {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return limitGrant{}, false
	}
	g, ok := l.find(text, false)
	return g, ok && time.Now().Before(g.expires)
}

func (l *limit) userInfo(w http.ResponseWriter, r *http.Request) {
	g, ok := l.bearer(r)
	if !ok {
		http.Error(w, "bad token", http.StatusUnauthorized)
		return
	}
	writeJSON(w, l.users[g.user])
}

func (l *limit) guarded(w http.ResponseWriter, r *http.Request) {
	if _, ok := l.bearer(r); !ok {
		http.Error(w, "bad token", http.StatusUnauthorized)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (l *limit) introspect(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || !l.client(r) {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	g, ok := l.find(r.PostForm.Get("token"), false)
	writeJSON(w, struct {
		Active  bool   `json:"active"`
		Scope   string `json:"scope"`
		Client  string `json:"client_id"`
		Subject string `json:"sub"`
		Expires int64  `json:"exp"`
	}{ok, g.scope, g.client, g.user, g.expires.Unix()})
}
