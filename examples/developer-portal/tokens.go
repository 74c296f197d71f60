package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

const tokensPath = "/settings/tokens"

// maxTokens is how many a user may have. The list has no pages.
const maxTokens = 50

// tokens is what Acme keeps of personal access tokens beside Latchkey's own
// record. It stands for a table whose key is the id of the grant.
type tokens struct {
	app provider.Application // that all of them belong to

	mu    sync.Mutex
	notes map[store.ID]tokenNote
}

type tokenNote struct {
	Label     string
	ExpiresAt time.Time
	LastUsed  time.Time // zero: never
}

// newTokens registers the application that the tokens belong to, or finds it in
// a store that has it from an earlier run. It has no redirect URI and no owner,
// so nobody can sign in with it or change it. Being public, it needs no secret;
// and whoever finds a token lying around can revoke it with this client id.
func newTokens(ctx context.Context, p *provider.Provider) (*tokens, error) {
	const clientID = "personal-access-tokens"
	app, err := p.EnsureApplication(ctx, clientID, provider.ApplicationSettings{
		Name: "Personal access tokens", Public: true, Scopes: scopes.New("profile", "email", "notes:read"),
	}, provider.Secret{})
	return &tokens{app: app, notes: map[store.ID]tokenNote{}}, err
}

func (t *tokens) note(id store.ID, n tokenNote) {
	t.forget(time.Now().Add(-time.Hour)) // Run has removed those tokens by then.
	t.mu.Lock()
	defer t.mu.Unlock()
	t.notes[id] = n
}

func (t *tokens) noteOf(id store.ID) (n tokenNote, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, ok = t.notes[id]
	return n, ok
}

// used notes that the API was called, if it was with a personal access token.
func (t *tokens) used(id store.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, ok := t.notes[id]; ok {
		n.LastUsed = time.Now()
		t.notes[id] = n
	}
}

// forget drops the notes of tokens that have expired. Those of tokens that are
// revoked wait until then, since there are other ways to revoke one than here.
func (t *tokens) forget(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, n := range t.notes {
		if now.After(n.ExpiresAt) {
			delete(t.notes, id)
		}
	}
}

// tokenRow is a token in the list.
type tokenRow struct {
	ID        store.ID
	Scopes    scopes.Set
	CreatedAt time.Time
	tokenNote
}

// liveTokens returns a user's tokens, newest first. Latchkey says which there are,
// and the notes say the rest.
func (h *host) liveTokens(ctx context.Context, userID string) ([]tokenRow, error) {
	var rows []tokenRow
	own := provider.GrantFilter{UserID: userID, ApplicationID: h.tokens.app.ID}
	for after := ""; ; {
		grants, next, err := h.provider.ListGrants(ctx, own, after, 100)
		if err != nil {
			return nil, err
		}
		for _, g := range grants {
			// One without a note is shown too: it works, however its note got
			// lost.
			n, _ := h.tokens.noteOf(g.ID)
			rows = append(rows, tokenRow{g.ID, g.Scopes, g.CreatedAt, n})
		}
		if after = next; next == "" {
			return rows, nil
		}
	}
}

// tokenForm is the form for a new token, with what was typed.
type tokenForm struct {
	Label    string
	Scopes   scopes.Set
	Lifetime string
	Wrong    map[string]string // by field
}

// lifetime is a choice of the form.
type lifetime struct {
	Value, Label string
	duration     time.Duration
}

const day = 24 * time.Hour

var lifetimes = []lifetime{{"week", "7 days", 7 * day}, {"month", "30 days", 30 * day}, {"quarter", "90 days", 90 * day}, {"year", "1 year", 365 * day}}

type tokensView struct {
	layout
	Secret    string // a new one, shown this once
	API       string // an address to try it with
	Tokens    []tokenRow
	Form      tokenForm
	Lifetimes []lifetime
	Offered   []scopes.Scope
}

func (h *host) listTokens(w http.ResponseWriter, r *http.Request, u user) {
	h.writeTokens(w, r, http.StatusOK, u, tokenForm{Lifetime: "month", Scopes: scopes.New("notes:read")})
}

func (h *host) writeTokens(w http.ResponseWriter, r *http.Request, status int, u user, form tokenForm) {
	rows, err := h.liveTokens(r.Context(), u.ID)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	writePage(w, status, "tokens.html", tokensView{
		layout: h.layout(r, "Personal access tokens", "tokens"), Secret: h.takeSecret(r, tokensPath), API: h.issuer + "/api/notes",
		Tokens: rows, Form: form, Lifetimes: lifetimes, Offered: offered,
	})
}

func (h *host) createToken(w http.ResponseWriter, r *http.Request, u user) {
	form := tokenForm{
		Label: strings.TrimSpace(r.PostFormValue("label")), Scopes: scopes.New(r.PostForm["scope"]...), Lifetime: r.PostFormValue("lifetime"),
		Wrong: map[string]string{},
	}
	rows, err := h.liveTokens(r.Context(), u.ID)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	var works time.Duration
	for _, l := range lifetimes {
		if l.Value == form.Lifetime {
			works = l.duration
		}
	}
	// An error of IssueToken does not say which field it is of, so everything
	// that a user can do wrong is looked for here.
	if n := utf8.RuneCountInString(form.Label); n == 0 || n > 100 || strings.ContainsFunc(form.Label, unicode.IsControl) {
		form.Wrong["label"] = "Give a label of at most 100 characters, so that you know the token again."
	}
	if len(form.Scopes) == 0 || !h.tokens.app.Scopes.Contains(form.Scopes) {
		form.Wrong["scopes"] = "Choose what the token may do."
	}
	if works == 0 {
		form.Wrong["lifetime"] = "Choose how long the token is to work."
	}
	if len(rows) >= maxTokens {
		form.Wrong["label"] = fmt.Sprintf("You have %d tokens. Revoke one that you do not need.", len(rows))
	}
	if len(form.Wrong) > 0 {
		h.writeTokens(w, r, http.StatusUnprocessableEntity, u, form)
		return
	}
	token, secret, err := h.provider.IssueToken(r.Context(), provider.TokenSettings{
		UserID: u.ID, ApplicationID: h.tokens.app.ID, Scopes: form.Scopes, Lifetime: works,
	})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.tokens.note(token.GrantID, tokenNote{Label: form.Label, ExpiresAt: token.ExpiresAt})
	h.keepSecret(r, tokensPath, secret)
	h.done(w, r, tokensPath, "There is a new token.")
}

func (h *host) revokeToken(w http.ResponseWriter, r *http.Request, u user) {
	id, err := store.ParseID(r.PathValue("id"))
	if err != nil {
		h.notFound(w, r)
		return
	}
	// The whole filter must match, so it also checks whose token it is.
	filter := provider.GrantFilter{ID: id, UserID: u.ID, ApplicationID: h.tokens.app.ID}
	found, _, err := h.provider.ListGrants(r.Context(), filter, "", 0)
	if err == nil {
		err = h.provider.RevokeGrants(r.Context(), filter)
	}
	switch {
	case err != nil:
		h.fail(w, r, err)
	case len(found) == 0:
		h.notFound(w, r)
	default:
		h.done(w, r, tokensPath, "The token is revoked.")
	}
}
