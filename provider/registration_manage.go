package provider

import (
	"errors"
	"net/http"
	"strings"

	"github.com/latchkey-go/latchkey/store"
)

// ClientConfigurationHandler serves the client configuration endpoint (RFC
// 7592). An application that registered itself reads, changes, and deletes its
// registration there with its registration access token. A change replaces all
// metadata, including what the host has changed of it. The path is that of the
// registration endpoint, followed by a slash and the client ID.
//
// It returns 404 unless Config.Registration is set.
func (p *Provider) ClientConfigurationHandler() http.Handler {
	if !p.registers() {
		return http.NotFoundHandler()
	}
	return p.handler(endpoint{
		name: endpointRegister, methods: []string{http.MethodGet, http.MethodPut, http.MethodDelete}, open: true,
		serve: (*call).serveClientConfiguration, refuse: (*call).writeRegistrationError,
	})
}

func (c *call) serveClientConfiguration() *Error {
	answer, e := c.manageRegistration()
	switch {
	case e != nil:
	case answer == nil:
		c.w.Header().Set("Cache-Control", "no-store")
		c.w.WriteHeader(http.StatusNoContent)
	default:
		writeJSON(c.w, http.StatusOK, answer)
	}
	return e
}

// manageRegistration answers with the registration, or with nil if it was
// deleted.
func (c *call) manageRegistration() (answer *clientInformation, e *Error) {
	// Not from the router, because each router names the wildcard differently.
	clientID := c.r.URL.Path[strings.LastIndexByte(c.r.URL.Path, '/')+1:]
	if !isClientID(clientID) {
		clientID = ""
	}
	if e := c.limit(clientID); e != nil {
		return nil, e
	}
	text, e := bearerToken(c.r, nil)
	if e != nil {
		return nil, e
	}
	token := NewSecret(text)
	app, e := c.registered(clientID, token)
	if e != nil {
		return nil, e
	}
	c.application, c.proved = app.ID, true
	switch c.r.Method {
	case http.MethodPut:
		return c.replaceRegistration(app, token)
	case http.MethodDelete:
		return nil, c.deleteRegistration(app.ID)
	}
	return c.clientInformation(app, token, Secret{}), nil
}

// registered finds the application whose registration the token manages.
func (c *call) registered(clientID string, token Secret) (store.Application, *Error) {
	app, err := c.records.findClient(c.context(), clientID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Application{}, unavailable("store", err)
	}
	if !managedBy(app, token) {
		return store.Application{}, errRegistrationToken()
	}
	if app.Disabled {
		return app, errDisabled()
	}
	return app, nil
}

// managedBy reports whether the token manages the application's registration.
func managedBy(app store.Application, token Secret) bool {
	if app.Origin != store.OriginRegistration || app.Registration == nil {
		return false
	}
	want, ok := app.Registration.Token.SHA256()
	return ok && hashesTo(token.Reveal(), want)
}

// errRegistrationToken is the one answer to a token that is wrong, or belongs
// to another or a deleted application (RFC 7592 sections 2.1 to 2.3).
func errRegistrationToken() *Error {
	return &Error{
		Code: codeInvalidToken, Status: http.StatusUnauthorized, Err: ErrInvalidToken,
		Description: "The registration access token is not this client's, or the client is no longer registered. Register again.",
	}
}

// replaceRegistration replaces all metadata with what was sent (RFC 7592
// section 2.2).
func (c *call) replaceRegistration(app store.Application, token Secret) (*clientInformation, *Error) {
	request, e := readRegistration(c.w, c.r)
	if e != nil {
		return nil, e
	}
	secretSent, e := request.mayReplace(app)
	if e != nil {
		return nil, e
	}
	wanted := app.Clone()
	if e := c.applyMetadata(request.clientMetadata, &wanted); e != nil {
		return nil, e
	}
	if e := c.mayRegister(wanted); e != nil {
		return nil, e
	}
	var secret Secret
	app, err := c.change(c.context(), app.ID, func(app *store.Application) error {
		if !managedBy(*app, token) {
			return errRegistrationToken() // It is about to be deleted.
		}
		if app.Disabled {
			return errDisabled()
		}
		if secretSent != "" {
			ok, err := c.secrets.verify(c.context(), secretSent, app.Secrets, c.now())
			if err != nil {
				return err
			}
			if !ok {
				return refuseMetadata("client_secret", "client_secret is not the one that was issued, and cannot be chosen: leave it out.")
			}
		}
		if e := c.applyMetadata(request.clientMetadata, app); e != nil {
			return e
		}
		secret = Secret{}
		switch {
		case !needsSecret(app):
			app.Secrets = nil
		case len(app.Secrets) == 0: // It had none before.
			var kept store.ClientSecret
			secret, kept = newSecret(c.now())
			app.Secrets = []store.ClientSecret{kept}
		}
		return nil
	}, c.offer.checkDescribed)
	if err != nil {
		return nil, registrationFailure(err)
	}
	c.event(Event{Kind: EventApplicationUpdated, ApplicationID: app.ID})
	return c.clientInformation(app, token, secret), nil
}

// mayReplace checks which fields an update has (RFC 7592 section 2.2), and
// returns its client_secret, if any.
func (r *registrationRequest) mayReplace(app store.Application) (secret string, e *Error) {
	for _, name := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		if r.has(name) {
			return "", refuseMetadata(name, "%s cannot be changed by the client: leave it out.", name)
		}
	}
	clientID, e := r.text("client_id")
	switch {
	case e != nil:
		return "", e
	case clientID == "":
		return "", refuseMetadata("client_id", "client_id is missing: send the client's client_id.")
	case clientID != app.ClientID:
		return "", refuseMetadata("client_id", "client_id is not that of this registration: it cannot be changed.")
	}
	return r.text("client_secret")
}

// registrationFailure converts an error of a change into a refusal.
func registrationFailure(err error) *Error {
	var e *Error
	var wrong FieldErrors
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &wrong):
		return registrationRefusal(wrong)
	case errors.Is(err, store.ErrNotFound):
		return errRegistrationToken() // It was deleted meanwhile.
	}
	return unavailable("store", err)
}

// deleteRegistration deletes an application that asks for it (RFC 7592 section
// 2.3). It revokes what was issued to the application first: if that fails, the
// application still exists and can try again.
func (c *call) deleteRegistration(id string) *Error {
	if err := c.RevokeGrants(c.context(), GrantFilter{ApplicationID: id}); err != nil {
		return unavailable("store", err)
	}
	if err := c.records.deleteApplication(c.context(), id); err != nil {
		return unavailable("store", err)
	}
	c.event(Event{Kind: EventApplicationDeleted, ApplicationID: id})
	return nil
}
