package portal

import (
	"errors"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// form is the form for an application, with the typed values.
type form struct {
	Name, ClientURI, LogoURL string
	RedirectURIs             string // one a line
	Scopes                   []choice
	Public                   bool // chosen once, at registration
	Version                  int64

	// Only for administrators.
	OwnerID                   string
	PKCERequired, SkipConsent bool
	MachineScopes             []choice // empty if none are offered

	moreSettings

	administers bool
	chosen      scopes.Set
	kept        scopes.Set // scopes that it has and the visitor can't choose
	machines    scopes.Set
	errors      map[string][]string // by field, as in provider.FieldError; "" is the form as a whole
}

// newForm returns the form for a new application.
func (v *visit) newForm() form {
	f := v.formOf(provider.Application{})
	f.Scopes = choices(v.scopes, scopes.New(scopes.Profile, scopes.Email))
	return f
}

// formOf returns the form of an application. For administrators it includes
// scopes that are no longer offered, so that they can remove them.
func (v *visit) formOf(app provider.Application) form {
	offered, machines := v.scopes, scopes.Set(nil)
	if v.administers {
		offered, machines = offered.Union(app.Scopes), v.offer.MachineScopes.Union(app.MachineScopes)
	}
	return form{
		Name: app.Name, ClientURI: app.ClientURI, LogoURL: app.LogoURL, RedirectURIs: strings.Join(app.RedirectURIs, "\n"),
		Scopes: choices(offered, app.Scopes), Public: app.Public, Version: app.Version,
		OwnerID: app.OwnerID, PKCERequired: app.PKCERequired, SkipConsent: app.SkipConsent,
		MachineScopes: choices(machines, app.MachineScopes), administers: v.administers, kept: app.Scopes.Minus(offered),
		moreSettings: v.moreOf(app.ApplicationSettings),
	}
}

// tick ticks exactly the choices whose names were sent.
func tick(all []choice, sent []string) (chosen scopes.Set) {
	for i := range all {
		if all[i].Checked = slices.Contains(sent, all[i].Name); all[i].Checked {
			chosen = append(chosen, all[i].Name)
		}
	}
	return chosen
}

// readForm fills a form with the sent values. It reads only what the visitor
// may choose.
func (v *visit) readForm(f form) form {
	sent := v.r.PostForm
	f.errors = map[string][]string{}
	f.Name, f.ClientURI, f.LogoURL = strings.TrimSpace(sent.Get("name")), strings.TrimSpace(sent.Get("client_uri")), strings.TrimSpace(sent.Get("logo"))
	f.RedirectURIs = sent.Get("redirect_uris")
	f.chosen = tick(f.Scopes, sent["scope"])
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
		f.machines = tick(f.MachineScopes, sent["machine_scope"])
	}
	f.readMore(sent)
	return f
}

// settings returns the settings of a new application.
func (f *form) settings(owner string) provider.ApplicationSettings {
	s := provider.ApplicationSettings{Public: f.Public, OwnerID: owner}
	f.apply(&s)
	return s
}

// apply changes the settings that the form has, and no others.
func (f *form) apply(s *provider.ApplicationSettings) {
	s.Name, s.ClientURI, s.LogoURL = f.Name, f.ClientURI, f.LogoURL
	s.RedirectURIs = lines(f.RedirectURIs)
	s.Scopes = append(scopes.Set{}, f.chosen.Union(f.kept)...) // Never nil, which would mean the default.
	if f.administers {
		s.OwnerID, s.PKCERequired, s.SkipConsent = f.OwnerID, f.PKCERequired, f.SkipConsent
		s.MachineScopes = f.machines
	}
	f.applyMore(s)
}

// lines returns the non-empty lines of a text area. The result is never nil.
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

// Errors returns the errors of a field, for the templates.
func (f form) Errors(field string) []string { return f.errors[field] }

// shows reports whether the page has a place for errors of a field.
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

// refuse records what is wrong with the form. If err isn't about the form, it
// returns it as a refusal.
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
