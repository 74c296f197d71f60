package provider

import (
	"net/http"
	"net/netip"
	"net/url"

	"github.com/latchkey-go/latchkey/store"
)

// LimitRequest is what Config.Limit decides by.
type LimitRequest struct {
	// Endpoint is "token", "revoke", "introspect", "register",
	// "device_authorization", "device", or "document" where that of a client is
	// to be fetched.
	Endpoint string

	// ClientID is what the client claims, before anything is believed. It may
	// be empty, and is for "register" and "device".
	ClientID string

	IP netip.Addr // as Config.ClientIP found it; may be the zero Addr
}

// clientOf finds and authenticates the client of a request to one of the
// endpoints for clients, and honours Config.Limit before it costs anything.
func (p *Provider) clientOf(r *http.Request, form url.Values, endpoint string) (store.Application, *Error) {
	credentials, e := readClientCredentials(r, form)
	if limit := p.limit(r, endpoint, credentials.id); limit != nil {
		return store.Application{}, limit
	}
	if e != nil {
		return store.Application{}, e
	}
	app, e := p.authenticateClient(r.Context(), credentials)
	if e != nil {
		if e.Code == codeInvalidClient {
			p.emit(r.Context(), Event{Kind: EventClientRejected, ApplicationID: app.ID, Request: r, Err: e})
		}
		return store.Application{}, e.by(app.ID)
	}
	noteApplication(r.Context(), app.ID)
	return app, nil
}

// limit asks Config.Limit and returns the refusal if there is one.
func (p *Provider) limit(r *http.Request, endpoint, clientID string) *Error {
	if p.cfg.Limit == nil {
		return nil
	}
	wait := p.cfg.Limit(r.Context(), LimitRequest{Endpoint: endpoint, ClientID: clientID, IP: p.cfg.ClientIP(r)})
	if wait <= 0 {
		return nil
	}
	return &Error{
		Code: codeUnavailable, Status: http.StatusTooManyRequests, RetryAfter: wait,
		Description: "Too many requests. Wait as long as Retry-After says.",
	}
}
