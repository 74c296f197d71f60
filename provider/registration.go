package provider

import (
	"errors"
	"net/http"

	"github.com/latchkey-go/latchkey/store"
)

// RegistrationHandler serves the client registration endpoint (RFC 7591 section
// 3). It ignores unknown metadata, software_statement, and without Config.Keys
// jwks and jwks_uri. It replaces or drops values that are malformed, not
// supported, or contradict the redirect URIs; the answer has the values that
// were saved. It refuses invalid redirect URIs, values that are too long, and
// deceptive names.
//
// It returns 404 unless Config.Registration is set.
func (p *Provider) RegistrationHandler() http.Handler {
	if !p.registers() {
		return http.NotFoundHandler()
	}
	return p.handler(endpoint{
		name: endpointRegister, methods: []string{http.MethodPost}, open: true,
		serve: (*call).serveRegister, refuse: (*call).writeRegistrationError,
	})
}

func (c *call) serveRegister() *Error {
	answer, e := c.register()
	if e == nil {
		writeJSON(c.w, http.StatusCreated, answer)
	}
	return e
}

// register saves a new application.
func (c *call) register() (*clientInformation, *Error) {
	if e := c.limit(""); e != nil {
		return nil, e
	}
	request, e := readRegistration(c.w, c.r)
	if e != nil {
		return nil, e
	}
	now := c.now()
	token := NewSecret(c.cfg.TokenPrefix + registrationMark + randomText(43))
	app := store.Application{
		ID:           newApplicationID(now),
		ClientID:     randomText(16),
		PKCERequired: true,
		Origin:       store.OriginRegistration,
		Registration: &store.RegistrationRecord{Token: store.HashSecret(token.Reveal())},
		CreatedAt:    now,
		UpdatedAt:    now,
		Version:      1,
	}
	if e := c.applyMetadata(request.clientMetadata, &app); e != nil {
		return nil, e
	}
	var secret Secret
	if needsSecret(&app) {
		var kept store.ClientSecret
		secret, kept = newSecret(now)
		app.Secrets = []store.ClientSecret{kept}
	}
	if e := c.mayRegister(app); e != nil {
		return nil, e
	}
	if err := c.records.createApplication(c.context(), app); err != nil {
		return nil, unavailable("store", err)
	}
	c.application = app.ID
	c.event(Event{Kind: EventApplicationRegistered, ApplicationID: app.ID})
	return c.clientInformation(app, token, secret), nil
}

// registrationMark starts each registration access token, so a scanner can tell
// a leaked one from other tokens and codes.
const registrationMark = "rat_"

// mayRegister asks the host.
func (c *call) mayRegister(app store.Application) *Error {
	if c.cfg.Registration.Allow == nil {
		return nil
	}
	err := c.cfg.Registration.Allow(c.r, asApplication(app))
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	case errors.Is(err, ErrInvalidToken):
		return &Error{Code: codeInvalidToken, Status: http.StatusUnauthorized, Err: err,
			Description: "To register here, send the initial access token from the operator in the Authorization header."}
	}
	return &Error{Code: codeAccessDenied, Status: http.StatusForbidden, Err: err,
		Description: "This application may not register here. Ask the operator to register it."}
}

// writeRegistrationError refuses a request to register or to manage a
// registration (RFC 7591 section 3.2.2).
func (c *call) writeRegistrationError(e *Error) {
	if e.Code == codeInvalidToken {
		c.writeBearerError(e)
		return
	}
	c.writeError(e)
}

// clientInformation is the answer of RFC 7591 section 3.2.1 and RFC 7592
// section 3: the credentials, and all metadata as saved.
type clientInformation struct {
	ClientID           string `json:"client_id"`
	ClientSecret       string `json:"client_secret,omitempty"`
	ClientIDIssuedAt   int64  `json:"client_id_issued_at"`                // Unix seconds
	ClientSecretEndsAt *int64 `json:"client_secret_expires_at,omitempty"` // 0 if it doesn't expire; omitted if there is no secret
	RegistrationToken  string `json:"registration_access_token"`
	RegistrationURI    string `json:"registration_client_uri"`
	clientMetadata
}

// clientInformation describes an application to itself. Latchkey stores only
// hashes of its secret and its registration access token. So the secret is
// included only if it was just generated, although RFC 7592 section 3 would
// have it in every answer, and the token is the one that was presented.
func (p *Provider) clientInformation(app store.Application, token, secret Secret) *clientInformation {
	shown := &clientInformation{
		ClientID:          app.ClientID,
		ClientSecret:      secret.Reveal(),
		ClientIDIssuedAt:  app.CreatedAt.Unix(),
		RegistrationToken: token.Reveal(),
		RegistrationURI:   p.Endpoints().Register + "/" + app.ClientID,
		clientMetadata:    metadataOf(app),
	}
	if needsSecret(&app) {
		shown.ClientSecretEndsAt = new(int64)
	}
	return shown
}
