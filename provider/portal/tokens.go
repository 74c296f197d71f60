package portal

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// tokensClient is the client_id of the application that personal access tokens
// belong to.
const tokensClient = "personal-access-tokens"

// token is an entry of the list.
type token struct{ provider.Grant }

// tokenForm is the form for a new token, with the typed values.
type tokenForm struct {
	Label    string
	Scopes   []choice
	Lifetime string

	chosen scopes.Set
	errors map[string][]string
}

// Errors returns the errors of a field, for the templates.
func (f tokenForm) Errors(field string) []string { return f.errors[field] }

// lifetime is a choice in the form.
type lifetime struct {
	Value, Label string
	duration     time.Duration
}

var lifetimes = []lifetime{{"week", "7 days", 7 * day}, {"month", "30 days", 30 * day}, {"quarter", "90 days", 90 * day}, {"year", "1 year", 365 * day}}

// tokensApplication creates or updates the application that the tokens belong
// to. It has no redirect URI and no owner, so no one can sign in with it or
// change it. It is public, so it needs no secret, and anyone who finds a token
// can revoke it with its client_id.
func (v *visit) tokensApplication() (provider.Application, error) {
	return v.p.EnsureApplication(provider.WithActor(v.ctx, ""), tokensClient, provider.ApplicationSettings{
		Name: "Personal access tokens", Public: true, RedirectURIs: []string{}, Scopes: v.tokenScopes,
	}, provider.Secret{})
}

// liveTokens returns the user's tokens, newest first.
func (v *visit) liveTokens(app provider.Application) (all []token, err error) {
	for after := ""; ; {
		page, next, err := v.p.ListGrants(v.ctx, provider.GrantFilter{UserID: v.actor, ApplicationID: app.ID}, after, maxTokens)
		if err != nil {
			return nil, err
		}
		for _, g := range page {
			all = append(all, token{g})
		}
		if after = next; after == "" {
			return all, nil
		}
	}
}

func (v *visit) showTokens(status int, page view) error {
	app, err := v.tokensApplication()
	if err == nil {
		page.Granted, err = v.liveTokens(app)
	}
	if err != nil {
		return failure(err)
	}
	page.Title, page.Template, page.Lifetimes = "Personal access tokens", "tokens", lifetimes
	if page.TokenForm.errors == nil {
		page.TokenForm = tokenForm{Scopes: choices(v.tokenScopes, nil), Lifetime: "month"}
	}
	page.Wrong = page.TokenForm.errors[""]
	if page.Secret != "" {
		page.API = "curl -H " + quoted("Authorization: Bearer "+page.Secret) + " " + quoted(v.api)
	}
	return v.render(status, page)
}

func (v *visit) createToken(provider.Application) error {
	if len(v.tokenScopes) == 0 {
		return notFound(nil)
	}
	sent := v.r.PostForm
	f := tokenForm{Label: strings.TrimSpace(sent.Get("label")), chosen: v.tokenScopes.Intersect(scopes.New(sent["scope"]...)),
		Lifetime: sent.Get("lifetime"), errors: map[string][]string{}}
	f.Scopes = choices(v.tokenScopes, f.chosen)
	app, err := v.tokensApplication()
	if err != nil {
		return err
	}
	existing, err := v.liveTokens(app)
	if err != nil {
		return err
	}
	wrong := func(field, text string) { f.errors[field] = append(f.errors[field], text) }
	if n := utf8.RuneCountInString(f.Label); n == 0 || n > 100 {
		wrong("label", "Enter a name of at most 100 characters, so that you recognize the token later.")
	} else if !utf8.ValidString(f.Label) || strings.ContainsFunc(f.Label, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
		wrong("label", "The name has characters that cannot be shown.")
	} else if slices.ContainsFunc(existing, func(t token) bool { return t.Label == f.Label }) {
		// So reloading the answer of a form makes no second token.
		wrong("label", "You have a token with this name already.")
	}
	if len(f.chosen) == 0 {
		wrong("scopes", "Choose what the token may do.")
	}
	i := slices.IndexFunc(lifetimes, func(l lifetime) bool { return l.Value == f.Lifetime })
	if i < 0 {
		wrong("lifetime", "Choose how long the token works.")
	}
	if len(existing) >= maxTokens {
		wrong("", fmt.Sprintf("You have %d tokens. Revoke one that you do not need.", len(existing)))
	}
	if len(f.errors) == 0 {
		made, secret, err := v.p.IssueToken(v.ctx, provider.TokenSettings{
			UserID: v.actor, ApplicationID: app.ID, Scopes: f.chosen, Lifetime: lifetimes[i].duration, Label: f.Label,
		})
		var refused *provider.Error
		switch {
		case err == nil:
			err = v.keepsMaxTokens(app, made)
		case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError:
			err = refusal(refused.Status, refused.Description, err)
		}
		switch {
		case err == nil:
			return v.showTokens(http.StatusCreated, view{Secret: secret.Reveal(), Done: "There is a new token."})
		case !errors.Is(err, errFull):
			return err
		}
		wrong("", fmt.Sprintf("You have %d tokens. Revoke one that you do not need.", maxTokens))
	}
	return v.showTokens(http.StatusUnprocessableEntity, view{TokenForm: f})
}

// keepsMaxTokens revokes a token that was just made if there are too many now,
// because several parallel forms each found room for one.
func (v *visit) keepsMaxTokens(app provider.Application, made *provider.Token) error {
	all, err := v.liveTokens(app)
	if err == nil && len(all) <= maxTokens {
		return nil
	}
	return errors.Join(errFull, err, v.p.RevokeGrants(v.ctx, provider.GrantFilter{ID: made.GrantID}))
}

func (v *visit) revokeToken(provider.Application) error {
	if len(v.tokenScopes) == 0 {
		return notFound(nil)
	}
	app, err := v.tokensApplication()
	if err != nil {
		return err
	}
	id, err := store.ParseID(v.r.PostForm.Get("token"))
	if err != nil {
		return notFound(err)
	}
	// The whole filter must match, so it also checks whose token it is.
	filter := provider.GrantFilter{ID: id, UserID: v.actor, ApplicationID: app.ID}
	found, _, err := v.p.ListGrants(v.ctx, filter, "", 1)
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return notFound(nil)
	}
	if err := v.p.RevokeGrants(v.ctx, filter); err != nil {
		return err
	}
	return v.goes("tokens=&done=revoked")
}
