package provider

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/latchkey-go/latchkey/store"
)

// clientCredentials is how a client identifies itself, before it is checked.
type clientCredentials struct {
	id, secret string

	assertion string // a JWT, instead of a secret

	// sent is the undecoded secret from the header, if decoding changes it:
	// many clients don't encode it.
	sent string
}

// readClientCredentials finds the client's ID and secret in a request to the
// token, revocation or introspection endpoint: in the Authorization header or
// in the body (RFC 6749 section 2.3.1). Some clients always use both, which is
// fine if they are equal. With Config.Keys there may be an assertion instead.
func readClientCredentials(r *http.Request, form url.Values) (clientCredentials, *Error) {
	if form.Has("client_assertion") || form.Has("client_assertion_type") {
		_, basic := basicCredentials(r.Header)
		id, assertion, e := readClientAssertion(form, basic)
		return clientCredentials{id: id, assertion: assertion}, e
	}
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

// has reports whether the secret equals the one in the header, decoded or not.
func (c clientCredentials) has(secret string) bool {
	same := func(a string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(secret)) == 1 }
	return same(c.secret) || c.sent != "" && same(c.sent)
}

// parseBasic reads the Authorization header of RFC 7617, with a form-encoded ID
// and secret (RFC 6749 section 2.3.1). It ignores other schemes.
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

// decodeSecret returns the decoded secret of the header, and the undecoded one
// if it differs.
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

// unlessSecret returns a client ID for the log. A client may send its secret as
// its ID by mistake. Secrets of other providers can look like anything, but
// they are long.
func unlessSecret(clientID string) string {
	if len(clientID) >= minSecret && !strings.Contains(clientID, "://") {
		return redacted
	}
	return clientID
}

var errUnknownClient = errors.New("unknown client")

// client finds and authenticates the client of a request to one of the
// endpoints for clients. It applies Config.Limit first.
func (c *call) client(form url.Values) (store.Application, *Error) {
	credentials, e := readClientCredentials(c.r, form)
	if limit := c.limit(credentials.id); limit != nil {
		return store.Application{}, limit
	}
	if e != nil {
		return store.Application{}, e
	}
	app, e := c.authenticateClient(credentials)
	if e != nil && e.Code == codeInvalidClient {
		c.event(Event{Kind: EventClientRejected, ApplicationID: app.ID, Err: e})
	}
	if e != nil {
		c.claimed = app.ID
	} else {
		c.application, c.proved = app.ID, !app.Public
	}
	return app, e
}

// authenticateClient finds the client and checks its secret, or what its key
// has signed. A public application has neither: its client_id identifies it,
// and PKCE protects its codes. If there is an error, the application may be
// zero, and is only for the log.
func (c *call) authenticateClient(sent clientCredentials) (store.Application, *Error) {
	app, err := c.records.findClient(c.context(), sent.id)
	var e *Error
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return store.Application{}, unavailable("store", err)
	case err != nil && sent.assertion == "":
		e = errSecret(errUnknownClient)
	case err != nil:
		e = errAssertion(errUnknownClient)
	case sent.assertion == "":
		e = c.authenticateBySecret(&app, sent)
	case !app.Public:
		e = c.authenticateByKey(&app, sent.assertion)
	case app.Origin == store.OriginManual:
		e = errAssertion(errors.New("a public application sent a client_assertion"))
	default:
		// The client wrote its metadata for all servers: it doesn't need a key,
		// but uses one wherever it can. Its client_id is enough here, so the
		// assertion isn't checked.
	}
	if e != nil && e.Code == codeInvalidClient {
		e = e.with("client_id", unlessSecret(sent.id))
	}
	return app, e
}

func (c *call) authenticateBySecret(app *store.Application, sent clientCredentials) *Error {
	switch {
	case app.Public && sent.secret == "":
		return nil
	case app.Public:
		return errSecret(errors.New("a public application sent a secret"))
	case !app.Keys.IsZero() && c.cfg.Keys == nil:
		return errSecret(errors.New("the application authenticates with a key, and Config.Keys is nil"))
	case !app.Keys.IsZero():
		return errSecret(errors.New("the application authenticates with a key, and sent no client_assertion"))
	case sent.secret == "":
		return errSecret(errors.New("no client secret"))
	}
	ok, err := c.secrets.verify(c.context(), sent.secret, app.Secrets, c.now())
	if err == nil && !ok && sent.sent != "" {
		ok, err = c.secrets.verify(c.context(), sent.sent, app.Secrets, c.now())
	}
	switch {
	case err != nil:
		return unavailable("checking a client secret", err)
	case !ok:
		return errSecret(errors.New("wrong client secret"))
	}
	return nil
}

// errSecret is the one refusal of a client that sent no assertion.
func errSecret(cause error) *Error {
	return invalidClient("Client authentication failed: the client is unknown or its secret is wrong or missing.").tells(cause)
}
