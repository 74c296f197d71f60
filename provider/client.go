package provider

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/latchkey-go/latchkey/store"
)

// clientCredentials is how a client says who it is, not yet believed.
type clientCredentials struct {
	id, secret string
}

// readClientCredentials finds the client's id and secret in a request to the
// token, revocation or introspection endpoint: in the Authorization header or
// in the body (RFC 6749 section 2.3.1), never in both.
func readClientCredentials(r *http.Request, form url.Values) (clientCredentials, *Error) {
	body := clientCredentials{form.Get("client_id"), form.Get("client_secret")}
	header, present, e := parseBasic(r.Header)
	switch {
	case e != nil:
		return clientCredentials{}, e
	case !present && body.id == "":
		return clientCredentials{}, invalidClient("Say which client this is: by HTTP Basic, or with client_id in the body.")
	case !present:
		return body, nil
	case body.secret != "":
		return clientCredentials{}, refuse(codeInvalidRequest, "The client authenticates in two ways at once: use the Authorization header or client_secret, not both.")
	case body.id != "" && body.id != header.id:
		return clientCredentials{}, refuse(codeInvalidRequest, "The client_id in the body is not the one in the Authorization header.")
	}
	return header, nil
}

// parseBasic reads the Authorization header of RFC 7617, in which id and
// secret are form-encoded each (RFC 6749 section 2.3.1). Another scheme counts
// as no header.
func parseBasic(h http.Header) (c clientCredentials, present bool, e *Error) {
	values := h["Authorization"]
	if len(values) > 1 {
		return c, true, refuse(codeInvalidRequest, "The request has more than one Authorization header.")
	}
	if len(values) == 0 {
		return c, false, nil
	}
	scheme, encoded, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Basic") {
		return c, false, nil
	}
	malformed := func() *Error {
		return invalidClient("The Authorization header is not HTTP Basic with a form-encoded client_id and client_secret.")
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimLeft(encoded, " "))
	if err != nil {
		return c, true, malformed()
	}
	id, secret, ok := strings.Cut(string(decoded), ":")
	if !ok {
		return c, true, malformed()
	}
	var errID, errSecret error
	c.id, errID = url.QueryUnescape(id)
	c.secret, errSecret = url.QueryUnescape(secret)
	if errID != nil || errSecret != nil || c.id == "" || !cleanText(c.id) || !cleanText(c.secret) {
		return clientCredentials{}, true, malformed()
	}
	return c, true, nil
}

// invalidClient is the refusal of a client's authentication.
func invalidClient(description string) *Error {
	return &Error{Code: codeInvalidClient, Status: http.StatusUnauthorized, Description: description}
}

// authenticateClient finds the client and checks its secret. A public
// application has none and is known by its client_id alone; it proves itself
// by PKCE. The answer is the same, and so are its steps, whether the client or
// only its secret is unknown.
func (p *Provider) authenticateClient(ctx context.Context, c clientCredentials) (store.Application, *Error) {
	app, err := p.records.findClient(ctx, c.id)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Application{}, unavailable("store", err)
	}
	if known && app.Public && c.secret == "" {
		return app, nil
	}
	secrets := unknownClient
	if known && !app.Public {
		secrets = app.Secrets
	}
	ok, err := p.secrets.verify(ctx, c.secret, secrets, p.now())
	switch {
	case err != nil:
		return store.Application{}, unavailable("checking a client secret", err)
	case known && ok:
		return app, nil
	}
	refusal := invalidClient("Client authentication failed: the client is unknown or its secret is wrong or missing.")
	switch {
	case !known:
		refusal.Err = errors.New("unknown client")
	case app.Public:
		refusal.Err = errors.New("a public application sent a secret")
	case c.secret == "":
		refusal.Err = errors.New("no client secret")
	default:
		refusal.Err = errors.New("wrong client secret")
	}
	return app, refusal // app may be zero; it is for the log only
}
