package provider

import (
	"context"
	"crypto/subtle"
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

	// sent is the secret in the header as it stands there, if that is another
	// text than what it decodes to: many clients don't encode it.
	sent string
}

// readClientCredentials finds the client's id and secret in a request to the
// token, revocation or introspection endpoint: in the Authorization header or
// in the body (RFC 6749 section 2.3.1). Some clients always use both. That is
// fine if they say the same.
func readClientCredentials(r *http.Request, form url.Values) (clientCredentials, *Error) {
	body := clientCredentials{id: form.Get("client_id"), secret: form.Get("client_secret")}
	header, present, e := parseBasic(r.Header)
	switch {
	case e != nil:
		return clientCredentials{}, e
	case !present && body.id == "":
		return clientCredentials{}, invalidClient("Say which client this is: use HTTP Basic, or send client_id in the body.")
	case !present:
		return body, nil
	case body.secret != "" && !header.has(body.secret):
		return clientCredentials{}, refuse(codeInvalidRequest, "The client_secret in the body is not the one in the Authorization header: use one of them.")
	case body.id != "" && body.id != header.id:
		return clientCredentials{}, refuse(codeInvalidRequest, "The client_id in the body is not the one in the Authorization header.")
	}
	return header, nil
}

// has reports whether the secret is what the header says, in either reading.
func (c clientCredentials) has(secret string) bool {
	same := func(a string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(secret)) == 1 }
	return same(c.secret) || c.sent != "" && same(c.sent)
}

// parseBasic reads the Authorization header of RFC 7617, in which id and
// secret are form-encoded each (RFC 6749 section 2.3.1). Another scheme counts
// as no header.
func parseBasic(h http.Header) (c clientCredentials, present bool, e *Error) {
	if len(h["Authorization"]) > 1 {
		return c, true, refuse(codeInvalidRequest, "The request has more than one Authorization header.")
	}
	encoded, present := basicCredentials(h)
	if !present {
		return c, false, nil
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimLeft(encoded, " "))
	id, secret, ok := strings.Cut(string(decoded), ":")
	if err == nil && ok && cleanText(secret) {
		c.id, err = url.QueryUnescape(id)
		c.secret, c.sent = decodeSecret(secret)
	}
	if err != nil || c.id == "" || !cleanText(c.id) {
		return clientCredentials{}, true, invalidClient("The Authorization header is not HTTP Basic with a form-encoded client_id and client_secret.")
	}
	return c, true, nil
}

// decodeSecret returns both readings of a secret in the header. If there is one
// only, sent is empty.
func decodeSecret(text string) (secret, sent string) {
	secret, err := url.QueryUnescape(text)
	if err != nil || !cleanText(secret) {
		return text, ""
	}
	if secret == text {
		return text, ""
	}
	return secret, text
}

// unlessSecret returns a client id for the log. A client that confuses the two
// sends its secret in place of it, and those of other providers may look like
// anything, but are long.
func unlessSecret(clientID string) string {
	if len(clientID) >= minSecret && !strings.Contains(clientID, "://") {
		return redacted
	}
	return clientID
}

var errUnknownClient = errors.New("unknown client")

// invalidClient is the refusal of a client's authentication.
func invalidClient(description string) *Error {
	return &Error{Code: codeInvalidClient, Status: http.StatusUnauthorized, Description: description}
}

// authenticateClient finds the client and checks its secret. A public
// application has none and is known by its client_id alone; it proves itself
// by PKCE.
func (p *Provider) authenticateClient(ctx context.Context, c clientCredentials) (store.Application, *Error) {
	app, err := p.records.findClient(ctx, c.id)
	var cause error
	switch {
	case errors.Is(err, store.ErrNotFound):
		cause = errUnknownClient
	case err != nil:
		return store.Application{}, unavailable("store", err)
	case app.Public && c.secret == "":
		return app, nil
	case app.Public:
		cause = errors.New("a public application sent a secret")
	case c.secret == "":
		cause = errors.New("no client secret")
	default:
		ok, err := p.secrets.verify(ctx, c.secret, app.Secrets, p.now())
		if err == nil && !ok && c.sent != "" {
			ok, err = p.secrets.verify(ctx, c.sent, app.Secrets, p.now())
		}
		if err != nil {
			return store.Application{}, unavailable("checking a client secret", err)
		}
		if ok {
			return app, nil
		}
		cause = errors.New("wrong client secret")
	}
	// The application may be zero; it is for the log only.
	return app, invalidClient("Client authentication failed: the client is unknown or its secret is wrong or missing.").because(cause).with("client_id", unlessSecret(c.id))
}
