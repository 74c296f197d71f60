package provider

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/clientdoc"
	"github.com/latchkey-go/latchkey/store"
)

func newDocuments(p *Provider) *clientdoc.Cache[store.Application] {
	return clientdoc.New(clientdoc.Options[store.Application]{
		Transport: p.cfg.Transport, Now: p.now,
		Parse: func(ctx context.Context, clientID string, body []byte) (store.Application, error) {
			app, e := p.parseDocument(ctx, clientID, body)
			if e != nil {
				return app, e
			}
			return app, nil
		},
	})
}

// findDocument returns the application that a document describes. It uses the
// cache, or fetches the document for the user.
func (p *Provider) findDocument(r *http.Request, userID, clientID string) (store.Application, *Error) {
	app, err := p.documents.Find(r.Context(), userID, clientID, func() error {
		if e := p.limit(r, endpointDocument, clientID); e != nil {
			return e
		}
		return nil
	})
	var wrong *clientdoc.Error
	var refusal *Error
	switch {
	case err == nil:
		return app.Clone(), nil // Other requests get the same record.
	case errors.As(err, &wrong):
		return app, errDocument(wrong.Wrong, wrong.Err)
	case errors.As(err, &refusal):
		own := *refusal
		return app, &own
	case errors.Is(err, clientdoc.ErrTooMany):
		return app, &Error{Code: codeUnavailable, Status: http.StatusTooManyRequests, RetryAfter: time.Minute, Err: err,
			Description: "You have opened too many new applications in a short time. Wait a minute."}
	}
	return app, unavailable("client documents", err)
}

// namesDocument reports whether a request comes from a client that must be
// found by its document.
func (c *call) namesDocument(params url.Values) bool {
	return c.documents != nil && len(params["client_id"]) == 1 && clientdoc.CheckURL(params.Get("client_id")) == nil
}

// findClientFor finds the application that sent a user: a saved one, or one
// with a document. If the document is not cached, it is fetched for the user.
func (c *call) findClientFor(userID, clientID string) (store.Application, *Error) {
	kept, err := c.records.findClient(c.context(), clientID)
	switch {
	case err == nil && kept.Origin != store.OriginDocument:
		return kept, c.offer.admits(kept)
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return kept, unavailable("store", err)
	case !strings.Contains(clientID, "://"):
		return kept, errNotRegistered(errUnknownClient)
	case c.documents == nil:
		// Not even one that was saved while documents were allowed.
		return kept, errNotRegistered(errDocumentsOff)
	}
	if e := c.mayUseDocument(c.context(), clientID); e != nil {
		return kept, e
	}
	app, e := c.findDocument(c.r, userID, clientID)
	if e == nil && err == nil {
		keepHostsPart(&app, &kept)
		e = c.offer.admits(app)
	}
	return app, e
}

// keepHostsPart fills in what a document doesn't say: the host's settings of
// the application, and whether its review still holds.
func keepHostsPart(described, kept *store.Application) {
	described.CreatedAt, described.UpdatedAt, described.Version = kept.CreatedAt, kept.UpdatedAt, kept.Version
	described.OwnerID, described.Metadata = kept.OwnerID, kept.Metadata
	described.Workspace, described.Lifetimes = kept.Workspace, kept.Lifetimes
	described.Disabled = kept.Disabled
	described.Reviewed = stillReviewed(kept, described)
}

var errDocumentsOff = errors.New("its client_id is the URL of a client ID metadata document, and Config.ClientIDDocuments is nil")

// admits refuses a saved application that is no longer allowed, because its
// origin is disabled or the host no longer allows its document.
func (p *Provider) admits(ctx context.Context, app store.Application) *Error {
	e := p.offer.admits(app)
	if e == nil && app.Origin == store.OriginDocument {
		e = p.mayUseDocument(ctx, app.ClientID)
	}
	if e != nil && e.Code == codeInvalidClient {
		e.Code = codeUnauthorizedClient // It is known, and has authenticated.
	}
	return e
}

// parseDocument reads a document. It ignores everything that isn't metadata of
// RFC 7591.
func (p *Provider) parseDocument(ctx context.Context, clientID string, body []byte) (store.Application, *Error) {
	request, e := parseRegistration(body)
	if e != nil {
		return store.Application{}, errDocument("is wrong: "+e.Description, e.Err)
	}
	own, e := request.text("client_id")
	switch {
	case e != nil:
		return store.Application{}, errDocument("is wrong: "+e.Description, nil)
	case own != clientID:
		return store.Application{}, errDocument("is wrong: client_id is not the URL that it was fetched from, character for character.", nil)
	case request.has("client_secret"), request.has("client_secret_expires_at"):
		return store.Application{}, errDocument("is wrong: it has client_secret or client_secret_expires_at, but anyone can read it: remove both.", nil)
	case len(request.RedirectURIs) == 0 && request.wrongRedirects != nil:
		return store.Application{}, errDocument("is wrong: "+request.wrongRedirects.Description, nil)
	}
	if request.wrongRedirects != nil {
		p.leftOut(ctx, clientID, "an entry that is not a string", request.wrongRedirects.Description)
	}
	return p.applicationOf(ctx, clientID, request.clientMetadata)
}

// applicationOf returns the application that a document describes.
func (p *Provider) applicationOf(ctx context.Context, clientID string, m clientMetadata) (store.Application, *Error) {
	now := p.now()
	app := store.Application{
		ID: documentApplicationID(clientID), ClientID: clientID, Origin: store.OriginDocument, PKCERequired: true, Public: true,
		Registration: &store.RegistrationRecord{}, CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	if len(m.AuthMethods) == 0 {
		m.AuthMethods = []string{cmp.Or(m.AuthMethod, authNone)}
	}
	switch {
	case slices.Contains(m.AuthMethods, authNone):
		// Even if it prefers a key: many clients that could use one don't.
		m.AuthMethod = authNone
	case p.cfg.Keys != nil && slices.Contains(m.AuthMethods, authKey):
		m.AuthMethod, app.Public = authKey, false
	default:
		return app, errDocument("is wrong: token_endpoint_auth_method is "+describable(m.AuthMethod)+", which is not offered to a client that is known by a document: "+
			"use none, or put none into token_endpoint_auth_methods_supported.", nil)
	}
	if strings.TrimSpace(m.Name) == "" {
		m.Name = clientdoc.Host(clientID)
	}
	if !strings.HasPrefix(m.LogoURI, "https://"+clientdoc.Host(clientID)+"/") {
		m.LogoURI = "" // A copied logo would make it look like another application.
	}
	var e *Error
	_, wrong := p.offer.usableAfterLogout(&app, m.PostLogoutRedirectURIs)
	for _, f := range wrong {
		p.leftOut(ctx, clientID, f.Value, f.Message)
	}
	if m.RedirectURIs, e = p.usableRedirectURIs(ctx, app, m.RedirectURIs); e == nil {
		e = p.applyMetadata(m, &app)
	}
	if e != nil {
		return app, errDocument("is wrong: "+e.Description, e.Err)
	}
	return app, nil
}

// usableRedirectURIs returns the valid redirect URIs of a document. Other
// servers may accept what this one doesn't, so Latchkey leaves out the invalid
// ones and logs them. It is an error if none remains.
func (p *Provider) usableRedirectURIs(ctx context.Context, app store.Application, uris []string) (usable []string, e *Error) {
	if len(uris) > maxRedirectURIs {
		return uris, nil // All of them will be refused.
	}
	for _, uri := range uris {
		if slices.Contains(usable, uri) {
			continue
		}
		app.RedirectURIs = []string{uri}
		wrong := slices.DeleteFunc(p.offer.checkApplication(app), func(f FieldError) bool { return f.Field != "redirect_uris" })
		if len(wrong) == 0 {
			usable = append(usable, uri)
			continue
		}
		p.leftOut(ctx, app.ClientID, uri, wrong[0].Message)
		if e == nil {
			e = registrationRefusal(wrong)
		}
	}
	if len(usable) > 0 {
		e = nil
	}
	return usable, e
}

func (p *Provider) leftOut(ctx context.Context, clientID, uri, why string) {
	why = strings.ReplaceAll(why, strconv.Quote(uri), strconv.Quote(cut(uri)))
	p.cfg.Logger.InfoContext(ctx, "latchkey: redirect URI of a client document left out",
		"application", documentApplicationID(clientID), "client_id", clientID, "redirect_uri", cut(uri), "cause", why)
}

// cut shortens text for a log line.
func cut(text string) string {
	const longest = 200
	if len(text) > longest {
		return text[:longest] + "..."
	}
	return text
}

// errDocument refuses a client because of the content of its document.
func errDocument(wrong string, cause error) *Error {
	return refuse(codeInvalidClient, "The document at the client_id of the application that sent you here %s", wrong).because(cause)
}
