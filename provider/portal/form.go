package portal

import (
	"errors"
	"strings"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// form is the form for an application, with what was typed.
type form struct {
	Name, ClientURI, LogoURL string
	RedirectURIs             string // one a line
	Scopes                   []choice
	Public                   bool // asked for once, when it is registered
	Version                  int64

	// What only administrators choose.
	OwnerID                   string
	PKCERequired, SkipConsent bool
	MachineScopes             []choice // empty: none are offered

	moreSettings

	administers bool
	chosen      scopes.Set
	kept        scopes.Set // what it has, and the visitor can't choose
	machines    scopes.Set
	errors      map[string][]string // by field, as in provider.FieldError; "": the form as a whole
}

// newForm is the form for a new application.
func (v *visit) newForm() form {
	chosen := v.scopes.Intersect(scopes.New(scopes.Profile, scopes.Email))
	return form{
		Scopes: choices(v.scopes, chosen), MachineScopes: choices(v.machines(), nil),
		moreSettings: v.moreOf(provider.ApplicationSettings{}), administers: v.administers,
	}
}

// machines are the scopes that the visitor may let an application ask for by
// itself.
func (v *visit) machines() scopes.Set {
	if !v.administers {
		return nil
	}
	return v.offer.MachineScopes
}

// formOf is the form of an application.
func (v *visit) formOf(app provider.Application) form {
	return form{
		Name: app.Name, ClientURI: app.ClientURI, LogoURL: app.LogoURL, RedirectURIs: strings.Join(app.RedirectURIs, "\n"),
		Scopes: choices(v.scopes, app.Scopes), Public: app.Public, Version: app.Version,
		OwnerID: app.OwnerID, PKCERequired: app.PKCERequired, SkipConsent: app.SkipConsent,
		MachineScopes: choices(v.machines(), app.MachineScopes), administers: v.administers, kept: app.Scopes.Minus(v.scopes),
		moreSettings: v.moreOf(app.ApplicationSettings),
	}
}

// readForm fills a form with what was sent. Only what the visitor may choose is
// read.
func (v *visit) readForm(f form) form {
	sent := v.r.PostForm
	f.errors = map[string][]string{}
	f.Name, f.ClientURI, f.LogoURL = strings.TrimSpace(sent.Get("name")), strings.TrimSpace(sent.Get("client_uri")), strings.TrimSpace(sent.Get("logo"))
	f.RedirectURIs = sent.Get("redirect_uris")
	f.chosen = v.scopes.Intersect(scopes.New(sent["scope"]...))
	f.Scopes = choices(v.scopes, f.chosen)
	if sent.Get("do") == "create" {
		switch sent.Get("type") {
		case "web":
		case "device":
			f.Public = true
		default:
			f.wrong("public", "Choose where the application runs.")
		}
	}
	if f.administers {
		f.OwnerID = strings.TrimSpace(sent.Get("owner"))
		f.PKCERequired, f.SkipConsent = sent.Get("pkce") != "", sent.Get("skip_consent") != ""
		f.machines = v.machines().Intersect(scopes.New(sent["machine_scope"]...))
		f.MachineScopes = choices(v.machines(), f.machines)
	}
	f.readMore(sent)
	return f
}

// settings are those of a new application.
func (f *form) settings(owner string) provider.ApplicationSettings {
	s := provider.ApplicationSettings{Public: f.Public, OwnerID: owner}
	f.apply(&s)
	return s
}

// apply changes what the form has, and nothing else.
func (f *form) apply(s *provider.ApplicationSettings) {
	s.Name, s.ClientURI, s.LogoURL = f.Name, f.ClientURI, f.LogoURL
	s.RedirectURIs = lines(f.RedirectURIs)
	s.Scopes = append(scopes.Set{}, f.chosen.Union(f.kept)...) // Never nil, which would ask for the default.
	if f.administers {
		s.OwnerID, s.PKCERequired, s.SkipConsent = f.OwnerID, f.PKCERequired, f.SkipConsent
		if len(f.MachineScopes) > 0 {
			s.MachineScopes = f.machines
		}
	}
	f.applyMore(s)
}

// lines are those of a text area that are not empty. They are never nil.
func lines(text string) []string {
	all := []string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

func (f *form) wrong(field, text string) { f.errors[field] = append(f.errors[field], text) }

// Errors are those of a field, for the templates.
func (f form) Errors(field string) []string { return f.errors[field] }

// shows reports whether the page has a place for what is wrong with a field.
func (f *form) shows(field string) bool {
	switch field {
	case "name", "redirect_uris", "client_uri", "client_image_url", "scopes":
		return true
	case "public":
		return f.Version == 0
	case "owner_id":
		return f.administers
	case "machine_scopes":
		return len(f.MachineScopes) > 0
	}
	return f.showsMore(field)
}

// refuse notes what is wrong with the form. It returns an error that says nothing
// of the form.
func (f *form) refuse(err error) error {
	var wrong provider.FieldErrors
	switch {
	case err == nil:
	case errors.As(err, &wrong):
		for _, e := range wrong {
			field := e.Field
			if field == "lifetimes" {
				field = lifetimeField(e.Value)
			}
			if !f.shows(field) {
				field = ""
			}
			f.wrong(field, e.Message)
		}
	case errors.Is(err, errTaken):
		f.wrong("name", err.Error())
	case errors.Is(err, errFull):
		f.wrong("", err.Error())
	case errors.Is(err, store.ErrNotFound):
		return notFound(err)
	default:
		return failure(err)
	}
	return nil
}
