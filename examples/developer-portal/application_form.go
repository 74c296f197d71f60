package main

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// applicationForm is the form for an application, with what was typed.
type applicationForm struct {
	Name, ClientURI string
	RedirectURIs    string // one a line
	Scopes          scopes.Set
	Public          bool

	// Version is that of the application when the form was shown.
	Version int64

	// Wrong says what is wrong, by the field's name in provider.FieldError; ""
	// is the form as a whole.
	Wrong map[string][]string
}

func readApplicationForm(r *http.Request) applicationForm {
	version, _ := strconv.ParseInt(r.PostFormValue("version"), 10, 64) // Zero is the version of none.
	form := applicationForm{
		Name:         strings.TrimSpace(r.PostFormValue("name")),
		ClientURI:    strings.TrimSpace(r.PostFormValue("client_uri")),
		RedirectURIs: r.PostFormValue("redirect_uris"),
		Scopes:       scopes.New(r.PostForm["scope"]...),
		Public:       r.PostFormValue("public") != "",
		Version:      version,
		Wrong:        map[string][]string{},
	}
	if len(form.Scopes) == 0 { // A new application would get Latchkey's default.
		form.Wrong["scopes"] = []string{"choose at least one scope"}
	}
	return form
}

func formOf(app provider.Application) applicationForm {
	return applicationForm{
		Name: app.Name, ClientURI: app.ClientURI, RedirectURIs: strings.Join(app.RedirectURIs, "\n"),
		Scopes: app.Scopes, Public: app.Public, Version: app.Version, Wrong: map[string][]string{},
	}
}

// lines returns the redirect URIs.
func (f applicationForm) lines() []string {
	var uris []string
	for line := range strings.Lines(f.RedirectURIs) {
		if line = strings.TrimSpace(line); line != "" {
			uris = append(uris, line)
		}
	}
	return uris
}

// Offered is for the boxes of the form.
func (f applicationForm) Offered() []scopes.Scope { return offered }

// refuse notes what is wrong with the form. It reports false if err says
// nothing of the form, but that Latchkey could not do it.
func (f applicationForm) refuse(err error) bool {
	var wrong provider.FieldErrors
	if !errors.As(err, &wrong) {
		return false
	}
	for _, e := range wrong {
		f.Wrong[e.Field] = append(f.Wrong[e.Field], e.Message)
	}
	return true
}
