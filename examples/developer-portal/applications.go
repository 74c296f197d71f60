package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

const applicationsPath = "/settings/applications"

// maxApplications is how many a user may have. The list has no pages, so it
// must be able to show them all.
const maxApplications = 50

func (h *host) listApplications(w http.ResponseWriter, r *http.Request, u user) {
	mine, _, err := h.provider.ListApplications(r.Context(), store.ApplicationQuery{
		OwnerID: u.ID, Order: store.NameAscending, Limit: maxApplications,
	})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	writePage(w, http.StatusOK, "applications.html", struct {
		layout
		Applications []provider.Application
	}{h.layout(r, "Your applications", "applications"), mine})
}

// owned lets a page see the user's own applications only. Whether somebody
// else has one with this id is nobody's business.
func (h *host) owned(f func(http.ResponseWriter, *http.Request, provider.Application)) settingsFunc {
	return func(w http.ResponseWriter, r *http.Request, u user) {
		app, err := h.provider.FindApplication(r.Context(), r.PathValue("id"))
		switch {
		case err != nil:
			h.fail(w, r, err)
		case app.OwnerID != u.ID:
			h.notFound(w, r)
		default:
			f(w, r, app)
		}
	}
}

type newApplicationView struct {
	layout
	Form applicationForm
}

func (h *host) newApplication(w http.ResponseWriter, r *http.Request, _ user) {
	h.writeNewApplication(w, r, http.StatusOK, applicationForm{Scopes: scopes.New(scopes.Profile, scopes.Email)})
}

func (h *host) writeNewApplication(w http.ResponseWriter, r *http.Request, status int, form applicationForm) {
	writePage(w, status, "application-new.html", newApplicationView{h.layout(r, "Register an application", "applications"), form})
}

func (h *host) createApplication(w http.ResponseWriter, r *http.Request, u user) {
	form := readApplicationForm(r)
	_, total, err := h.provider.ListApplications(r.Context(), store.ApplicationQuery{OwnerID: u.ID, Limit: 1})
	switch {
	case err != nil:
		h.fail(w, r, err)
		return
	case total >= maxApplications:
		form.Wrong[""] = []string{fmt.Sprintf("You have %d applications. Delete one that you do not need.", total)}
	}
	if len(form.Wrong) > 0 {
		h.writeNewApplication(w, r, http.StatusUnprocessableEntity, form)
		return
	}
	app, secret, err := h.provider.CreateApplication(r.Context(), provider.ApplicationSettings{
		Name:         form.Name,
		RedirectURIs: form.lines(),
		ClientURI:    form.ClientURI,
		Scopes:       form.Scopes,
		Public:       form.Public,
		OwnerID:      u.ID,
	})
	switch {
	case form.refuse(err):
		h.writeNewApplication(w, r, http.StatusUnprocessableEntity, form)
	case err != nil:
		h.fail(w, r, err)
	default:
		if !secret.IsZero() { // A public application has none.
			h.keepSecret(r, app.ID, secret)
		}
		h.done(w, r, applicationsPath+"/"+app.ID, app.Name+" is registered.")
	}
}

type applicationView struct {
	layout
	Application provider.Application
	Form        applicationForm

	Secret   string                // a new one, shown this once
	Secrets  []provider.SecretInfo // those that work
	Overlaps []overlap

	Endpoints provider.Endpoints
	SignIns   int
	More      bool // than SignIns
	Links     []authorizeLink
	Verifier  string
}

// authorizeLink starts the flow by one click.
type authorizeLink struct{ RedirectURI, URL string }

func (h *host) showApplication(w http.ResponseWriter, r *http.Request, app provider.Application) {
	h.writeApplication(w, r, http.StatusOK, app, formOf(app))
}

func (h *host) writeApplication(w http.ResponseWriter, r *http.Request, status int, app provider.Application, form applicationForm) {
	// An application may have a million sign-ins, so they are not counted to the
	// end.
	signIns, more, err := h.provider.ListGrants(r.Context(), provider.GrantFilter{ApplicationID: app.ID}, "", 100)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	view := applicationView{
		layout: h.layout(r, app.Name, "applications"), Application: app, Form: form,
		Secret: h.takeSecret(r, app.ID), Secrets: liveSecrets(app), Overlaps: overlaps,
		Endpoints: h.provider.Endpoints(), SignIns: len(signIns), More: more != "", Verifier: oauth2.GenerateVerifier(),
	}
	for _, uri := range app.RedirectURIs {
		client := oauth2.Config{
			ClientID: app.ClientID, RedirectURL: uri, Scopes: app.Scopes, Endpoint: oauth2.Endpoint{AuthURL: view.Endpoints.Authorize},
		}
		view.Links = append(view.Links, authorizeLink{uri, client.AuthCodeURL("test", oauth2.S256ChallengeOption(view.Verifier))})
	}
	writePage(w, status, "application.html", view)
}

func (h *host) updateApplication(w http.ResponseWriter, r *http.Request, app provider.Application) {
	form := readApplicationForm(r)
	form.Public = app.Public // It is chosen once, when the application is registered.
	if len(form.Wrong) > 0 {
		h.writeApplication(w, r, http.StatusUnprocessableEntity, app, form)
		return
	}
	_, err := h.provider.UpdateApplication(r.Context(), app.ID, func(app *provider.ApplicationSettings) error {
		// Latchkey loses no change that is made while this runs, and calls it
		// again. What was made while the form was open, only the form can know:
		// so it has the version that it showed.
		app.Name, app.ClientURI, app.RedirectURIs, app.Scopes = form.Name, form.ClientURI, form.lines(), form.Scopes
		return nil
	}, form.Version)
	switch {
	case errors.Is(err, store.ErrConflict):
		h.showConflict(w, r, app.ID, form)
	case form.refuse(err):
		h.writeApplication(w, r, http.StatusUnprocessableEntity, app, form)
	case err != nil:
		h.fail(w, r, err)
	default:
		h.done(w, r, applicationsPath+"/"+app.ID, "Your changes are saved.")
	}
}

// showConflict shows what was typed beside what is kept by now. Saving that
// once more is then a decision.
func (h *host) showConflict(w http.ResponseWriter, r *http.Request, id string, form applicationForm) {
	app, err := h.provider.FindApplication(r.Context(), id)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	form.Version = app.Version
	form.Wrong[""] = []string{"This application was changed after you opened this page, so yours was not saved yet. Look at what is different, then save again."}
	differs := func(field string, differs bool, kept string) {
		if differs {
			form.Wrong[field] = []string{"kept at present: " + kept}
		}
	}
	differs("name", form.Name != app.Name, app.Name)
	differs("redirect_uris", !slices.Equal(form.lines(), app.RedirectURIs), strings.Join(app.RedirectURIs, ", "))
	differs("client_uri", form.ClientURI != app.ClientURI, app.ClientURI)
	differs("scopes", !form.Scopes.Equal(app.Scopes), app.Scopes.String())
	h.writeApplication(w, r, http.StatusConflict, app, form)
}

// overlap is how long the old secret works beside a new one.
type overlap struct {
	Value, Label string
	duration     time.Duration
}

var overlaps = []overlap{
	{"day", "for another day, so that nothing is interrupted", 24 * time.Hour},
	{"week", "for another week", 7 * 24 * time.Hour},
	{"none", "no longer: somebody else has it", 0},
}

func (h *host) addSecret(w http.ResponseWriter, r *http.Request, app provider.Application) {
	path := applicationsPath + "/" + app.ID
	i := slices.IndexFunc(overlaps, func(o overlap) bool { return o.Value == r.PostFormValue("overlap") })
	switch {
	case app.Public:
		h.refuse(w, r, path, "A public application has no secret.")
		return
	case i < 0:
		h.refuse(w, r, path, "Choose how long the old secret is to work.")
		return
	case overlaps[i].duration > 0 && len(liveSecrets(app)) > 1:
		h.refuse(w, r, path, "Two secrets work already. Wait for the older one to end, or end both.")
		return
	}
	retireOthersAt := time.Now().Add(overlaps[i].duration) // With no overlap, that is at once.
	secret, err := h.provider.AddSecret(r.Context(), app.ID, retireOthersAt)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.keepSecret(r, app.ID, secret)
	h.done(w, r, path, "There is a new secret.")
}

func liveSecrets(app provider.Application) []provider.SecretInfo {
	return slices.DeleteFunc(slices.Clone(app.Secrets), func(s provider.SecretInfo) bool {
		return !s.ExpiresAt.IsZero() && !s.ExpiresAt.After(time.Now())
	})
}

// revokeApplication signs everybody out of an application, as when its tokens
// were stolen.
func (h *host) revokeApplication(w http.ResponseWriter, r *http.Request, app provider.Application) {
	if err := h.provider.RevokeGrants(r.Context(), provider.GrantFilter{ApplicationID: app.ID}); err != nil {
		h.fail(w, r, err)
		return
	}
	h.done(w, r, applicationsPath+"/"+app.ID, "All sign-ins have ended.")
}

func (h *host) deleteApplication(w http.ResponseWriter, r *http.Request, app provider.Application) {
	if err := h.provider.DeleteApplication(r.Context(), app.ID); err != nil {
		h.fail(w, r, err)
		return
	}
	h.logos.remove(app.ID)
	h.done(w, r, applicationsPath, app.Name+" is deleted.")
}
