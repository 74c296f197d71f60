package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/latchkey-go/latchkey/provider/internal/clientdoc"
	"github.com/latchkey-go/latchkey/store"
)

func newKeySets(p *Provider) map[store.Origin]*clientdoc.Cache[[]byte] {
	sets := map[store.Origin]*clientdoc.Cache[[]byte]{}
	for _, origin := range []store.Origin{store.OriginManual, store.OriginRegistration, store.OriginDocument} {
		sets[origin] = clientdoc.New(clientdoc.Options[[]byte]{
			Transport: p.cfg.Transport, Accept: "application/jwk-set+json, application/json", Now: p.now,
			Parse: func(_ context.Context, _ string, body []byte) ([]byte, error) {
				if err := p.cfg.Keys.CheckClientKeys(body); err != nil {
					return nil, &clientdoc.Error{Wrong: "has no usable keys", Err: err}
				}
				return body, nil
			},
		})
	}
	return sets
}

// errKeysGone is the cause if an application has keys in its record, but its
// document no longer lists any.
var errKeysGone = errors.New("the application's document no longer has keys")

// verifyByKeys returns the claims of an assertion that one of the application's
// keys has signed. If the assertion names an unknown key, and the keys are at a
// URL, they are fetched again.
func (c *call) verifyByKeys(app *store.Application, assertion string) ([]byte, *Error) {
	if e := c.offer.admits(*app); e != nil {
		return nil, e // Nothing is fetched for a refused application.
	}
	set, e := c.keysOf(app)
	if e != nil {
		return nil, e
	}
	claims, known, err := c.cfg.Keys.VerifyClient(set, assertion)
	if err != nil && !known {
		var newer bool
		if set, newer, e = c.newerKeysOf(app); e != nil {
			return nil, e
		}
		if newer {
			claims, _, err = c.cfg.Keys.VerifyClient(set, assertion)
		}
	}
	if err != nil {
		return nil, errAssertion(fmt.Errorf("the client_assertion is refused: %w", err))
	}
	return claims, nil
}

// keysOf returns an application's current keys. Those of a document come from
// the document, so a key that its owner removes stops working.
func (c *call) keysOf(app *store.Application) ([]byte, *Error) {
	keys := app.Keys
	if app.Origin == store.OriginDocument {
		if e := c.mayUseDocument(c.context(), app.ClientID); e != nil {
			return nil, errKeySet(e)
		}
		described, err := c.documents.Find(c.context(), "application "+app.ID, app.ClientID, c.mayFetch(app))
		if err != nil {
			return nil, errKeySet(err)
		}
		keys = described.Keys
	}
	switch {
	case keys.URI != "":
		set, err := c.keySets[app.Origin].Find(c.context(), asker(app, keys.URI), keys.URI, c.mayFetch(app))
		if err != nil {
			return nil, errKeySet(err)
		}
		return set, nil
	case keys.Set == "":
		return nil, errAssertion(errKeysGone)
	}
	return []byte(keys.Set), nil
}

// newerKeysOf fetches the keys again, at most once a minute.
func (c *call) newerKeysOf(app *store.Application) (set []byte, newer bool, e *Error) {
	keys := app.Keys
	if app.Origin == store.OriginDocument {
		described, fetched, err := c.documents.FindNewer(c.context(), "application "+app.ID, app.ClientID, c.mayFetch(app))
		switch {
		case err != nil:
			return nil, false, errKeySet(err)
		case fetched:
			keys, newer = described.Keys, true
		}
	}
	if keys.URI != "" {
		found, fetched, err := c.keySets[app.Origin].FindNewer(c.context(), asker(app, keys.URI), keys.URI, c.mayFetch(app))
		if err != nil {
			return nil, false, errKeySet(err)
		}
		return found, fetched, nil
	}
	return []byte(keys.Set), newer, nil
}

// asker returns whose limits apply to fetching a JWK Set. An application that
// the host created has separate limits, and so has a document whose keys are on
// the same host. Anyone can name a URL of someone else's host; all such URLs of
// one host share the limits, so many names don't mean many requests.
func asker(app *store.Application, uri string) string {
	host := clientdoc.Host(uri)
	switch {
	case app.Origin == store.OriginManual:
		return app.ID
	case app.Origin == store.OriginDocument && clientdoc.Host(app.ClientID) == host:
		return app.ClientID
	}
	return "host " + host
}

// mayFetch asks Config.Limit.
func (c *call) mayFetch(app *store.Application) func() error {
	return func() error {
		if e := c.Provider.limit(c.r, endpointDocument, app.ClientID); e != nil {
			return e
		}
		return nil
	}
}

// errAssertion refuses every invalid assertion with the same answer. The log
// says what is wrong with it.
func errAssertion(cause error) *Error {
	return invalidClient("Client authentication failed: the client is unknown, or its client_assertion is not accepted.").tells(cause)
}

// errKeySet refuses a client whose keys can't be fetched. It is the client's
// fault only if a retry in a minute would fail too.
func errKeySet(err error) *Error {
	var refusal *Error
	var wrong *clientdoc.Error
	switch {
	case errors.As(err, &wrong) && !wrong.Passing():
		return errAssertion(fmt.Errorf("the keys of the client: %w", err))
	case errors.As(err, &refusal) && refusal.Status < http.StatusInternalServerError && refusal.Status != http.StatusTooManyRequests:
		return errAssertion(fmt.Errorf("the keys of the client: %w", err)) // an error in its document
	case errors.As(err, &refusal):
		own := *refusal
		return &own
	}
	return unavailable("the keys of the client", err)
}

// mayUseDocument checks the URL of a document and asks the host. It does so for
// each request, even if the document is cached, so a client that the host no
// longer allows is refused at once.
func (p *Provider) mayUseDocument(ctx context.Context, clientID string) *Error {
	if err := clientdoc.CheckURL(clientID); err != nil {
		return refuse(codeInvalidClient, "The application that sent you here is not registered, and its client_id cannot be the URL of its document: it %s.", err)
	}
	if p.cfg.ClientIDDocuments.Allow == nil {
		return nil
	}
	u, err := url.Parse(clientID)
	if err == nil {
		err = p.cfg.ClientIDDocuments.Allow(ctx, u)
	}
	var own *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		answer := *own
		answer.Status = cmp.Or(answer.Status, http.StatusBadRequest)
		return &answer
	case ctx.Err() != nil:
		return unavailable("Config.ClientIDDocuments.Allow", err)
	}
	return refuse(codeInvalidClient, "This server does not accept the application.").because(err)
}
