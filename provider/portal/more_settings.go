package portal

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// moreSettings is the part of a form that most applications leave empty.
type moreSettings struct {
	TermsURI, PolicyURI string

	// Only for administrators. A disabled feature is shown too while an
	// application still uses it.
	ShowsLogout, ShowsWorkspace, ShowsKeys bool
	PostLogoutRedirectURIs                 string // one a line
	Workspace                              store.WorkspaceUse
	KeySet, KeysURI                        string
	Lifetimes                              []lifetimeInput // empty for developers
}

// lifetimeInput is the field for one of the lifetimes.
type lifetimeInput struct {
	Param, Label, Hint string
	Field              string // as in moreSettings.Errors
	Value              string // what was typed; empty for the provider's

	in func(*provider.Lifetimes) *time.Duration
}

// lifetimeField returns the name of a field of provider.Lifetimes in the errors
// of a form.
func lifetimeField(name string) string { return "lifetimes." + name }

func lifetimeInputs(l provider.Lifetimes) []lifetimeInput {
	input := func(name, label, hint string, in func(*provider.Lifetimes) *time.Duration) lifetimeInput {
		return lifetimeInput{
			Param: "lifetime_" + strings.ToLower(name), Label: label, Hint: hint, Field: lifetimeField(name), Value: shortDuration(*in(&l)), in: in,
		}
	}
	return []lifetimeInput{
		input("Code", "Authorization code", "How long it may be redeemed.", func(l *provider.Lifetimes) *time.Duration { return &l.Code }),
		input("Access", "Access token", "How long it works.", func(l *provider.Lifetimes) *time.Duration { return &l.Access }),
		input("Refresh", "Refresh token", "How long it works. Each refresh starts it again.", func(l *provider.Lifetimes) *time.Duration { return &l.Refresh }),
		input("Grant", "Sign-in", "When it ends, however often it is refreshed.", func(l *provider.Lifetimes) *time.Duration { return &l.Grant }),
		input("Grace", "Grace", "How long a replaced refresh token still gets the current tokens.", func(l *provider.Lifetimes) *time.Duration { return &l.Grace }),
	}
}

// shortDuration formats a duration as people do: 30m for 30m0s. Zero is empty.
func shortDuration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// moreOf returns this part of the form of an application.
func (v *visit) moreOf(s provider.ApplicationSettings) moreSettings {
	m := moreSettings{TermsURI: s.TermsURI, PolicyURI: s.PolicyURI}
	if v.administers {
		m.ShowsLogout = v.offer.OpenID || len(s.PostLogoutRedirectURIs) > 0
		m.ShowsWorkspace = v.offer.Workspaces || s.Workspace != store.WorkspaceNone
		m.ShowsKeys = v.offer.Keys && !s.Public || !s.Keys.IsZero()
		m.PostLogoutRedirectURIs, m.Workspace = strings.Join(s.PostLogoutRedirectURIs, "\n"), s.Workspace
		m.KeySet, m.KeysURI = s.Keys.Set, s.Keys.URI
		m.Lifetimes = lifetimeInputs(s.Lifetimes)
	}
	return m
}

// readMore fills this part with the sent values. It doesn't read what isn't
// shown.
func (f *form) readMore(sent url.Values) {
	f.TermsURI, f.PolicyURI = strings.TrimSpace(sent.Get("tos_uri")), strings.TrimSpace(sent.Get("policy_uri"))
	if f.ShowsLogout {
		f.PostLogoutRedirectURIs = sent.Get("post_logout_redirect_uris")
	}
	if f.ShowsWorkspace {
		f.Workspace = store.WorkspaceUse(sent.Get("workspace"))
	}
	if f.ShowsKeys {
		f.KeysURI = strings.TrimSpace(sent.Get("jwks_uri"))
		if set := trimmed(sent.Get("jwks")); set != trimmed(f.KeySet) {
			f.KeySet = set
		}
	}
	for i := range f.Lifetimes {
		in := &f.Lifetimes[i]
		in.Value = strings.TrimSpace(sent.Get(in.Param))
		if _, err := in.duration(); err != nil {
			f.wrong(in.Field, err.Error())
		}
	}
}

// trimmed returns the text of a text area with the line ends that it had before
// the browser changed them.
func trimmed(text string) string { return strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")) }

// duration parses the typed value.
func (in lifetimeInput) duration() (time.Duration, error) {
	if in.Value == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(in.Value)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a duration: use one such as 90s, 30m, or 720h", in.Value)
	}
	return d, nil
}

// applyMore changes the settings that this part shows, and no others.
func (f *form) applyMore(s *provider.ApplicationSettings) {
	s.TermsURI, s.PolicyURI = f.TermsURI, f.PolicyURI
	if f.ShowsLogout {
		s.PostLogoutRedirectURIs = lines(f.PostLogoutRedirectURIs)
	}
	if f.ShowsWorkspace {
		s.Workspace = f.Workspace
	}
	if f.ShowsKeys {
		s.Keys = provider.ApplicationKeys{Set: f.KeySet, URI: f.KeysURI}
	}
	for _, in := range f.Lifetimes {
		*in.in(&s.Lifetimes), _ = in.duration() // A form with an invalid value is not applied.
	}
}

// showsMore reports whether this part has a place for errors of a field.
func (f *form) showsMore(field string) bool {
	switch field {
	case "tos_uri", "policy_uri":
		return true
	case "post_logout_redirect_uris":
		return f.ShowsLogout
	case "workspace":
		return f.ShowsWorkspace
	case "jwks", "jwks_uri":
		return f.ShowsKeys
	}
	for _, in := range f.Lifetimes {
		if in.Field == field {
			return true
		}
	}
	return false
}

// Opened reports whether any value is set, which includes every invalid value.
func (f form) Opened() bool {
	set := f.TermsURI + f.PolicyURI + f.PostLogoutRedirectURIs + string(f.Workspace) + f.KeySet + f.KeysURI
	for _, in := range f.Lifetimes {
		set += in.Value
	}
	return set != ""
}
