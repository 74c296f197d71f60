package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/clientdoc"
	"github.com/latchkey-go/latchkey/store"
)

func newDocuments(p *Provider) *clientdoc.Cache[store.Application] {
	return clientdoc.New(clientdoc.Options[store.Application]{
		Transport: p.cfg.ClientIDDocuments.Transport, Now: p.now,
		Parse: func(clientID string, body []byte) (store.Application, error) {
			app, e := p.parseDocument(clientID, body)
			if e != nil {
				return app, e
			}
			return app, nil
		},
	})
}

// findDocument returns the application that a document describes, fetched or
// remembered.
func (p *Provider) findDocument(r *http.Request, clientID string) (store.Application, *Error) {
	app, err := p.documents.Find(r.Context(), clientID, func() error {
		if e := p.limit(r, endpointDocument, clientID); e != nil {
			return e
		}
		return nil
	})
	var wrong *clientdoc.Error
	var refusal *Error
	switch {
	case err == nil:
		return app.Clone(), nil // Others get the same.
	case errors.As(err, &wrong):
		return app, errDocument(wrong.Wrong, wrong.Err)
	case errors.As(err, &refusal):
		own := *refusal
		return app, &own
	}
	return app, unavailable("client documents", err)
}

// namesDocument reports whether a request comes from a client that is to be
// found by its document.
func (p *Provider) namesDocument(params url.Values) bool {
	return p.documents != nil && len(params["client_id"]) == 1 && clientdoc.CheckURL(params.Get("client_id")) == nil
}

// findClientFor finds the application that sent a visitor: among those that are
// kept, or by its document.
func (p *Provider) findClientFor(r *http.Request, clientID string) (store.Application, *Error) {
	kept, err := p.records.findClient(r.Context(), clientID)
	switch {
	case err == nil && kept.Origin != store.OriginDocument:
		return kept, p.offer.admits(kept)
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return kept, unavailable("store", err)
	case p.documents == nil || !strings.Contains(clientID, "://"):
		// Not even one that was kept while documents were let in.
		return kept, errNotRegistered(err)
	}
	if e := p.mayUseDocument(r.Context(), clientID); e != nil {
		return kept, e
	}
	app, e := p.findDocument(r, clientID)
	if e == nil && err == nil {
		app.CreatedAt, app.UpdatedAt, app.Version = kept.CreatedAt, kept.UpdatedAt, kept.Version
		app.OwnerID, app.Metadata, app.Reviewed = kept.OwnerID, kept.Metadata, kept.Reviewed
		app.Reviewed = stillReviewed(&kept, &app)
	}
	return app, e
}

// mayUseDocument checks the URL of a document and asks the host, each time and
// not only where it has to be fetched: so a client that the host does not want
// any more is refused at once.
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
	if err != nil {
		return refuse(codeInvalidClient, "The application that sent you here is not let in at this server.").because(err)
	}
	return nil
}

// parseDocument reads a document. What else is in it than the metadata of RFC
// 7591 is ignored.
func (p *Provider) parseDocument(clientID string, body []byte) (store.Application, *Error) {
	request, e := parseRegistration(body)
	switch {
	case e != nil:
		return store.Application{}, errDocument("is wrong: "+e.Description, e.Err)
	case request.clientID != clientID:
		return store.Application{}, errDocument("is wrong: client_id is not the URL that it was fetched from, character for character.", nil)
	case request.clientSecret != "":
		return store.Application{}, errDocument("is wrong: client_secret is in it, and what everybody can read is no secret: leave it out.", nil)
	case request.foreign != "":
		return store.Application{}, errDocument("is wrong: "+request.foreign+" is in it, which a server gives and a document does not: leave it out.", nil)
	}
	return p.applicationOf(clientID, request.clientMetadata)
}

// applicationOf returns the application that a document describes.
func (p *Provider) applicationOf(clientID string, m clientMetadata) (store.Application, *Error) {
	now := p.now()
	app := store.Application{
		ID: documentApplicationID(clientID), ClientID: clientID, Origin: store.OriginDocument, PKCERequired: true,
		Registration: &store.RegistrationRecord{}, CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	switch m.AuthMethod {
	case "", authNone:
		m.AuthMethod = authNone
	default:
		return app, errDocument("is wrong: token_endpoint_auth_method is not none: leave it out, as nobody has a secret of a client that is known by a document.", nil)
	}
	if m.Name == "" {
		m.Name = clientdoc.Host(clientID)
	}
	if m.ApplicationType != typeWeb && m.ApplicationType != typeNative {
		m.ApplicationType = "" // The document is for all servers, and others may know more types.
	}
	if !strings.HasPrefix(m.LogoURI, "https://"+clientdoc.Host(clientID)+"/") {
		m.LogoURI = "" // Another's logo would say that it is the other.
	}
	if e := p.applyMetadata(m, &app); e != nil {
		return app, errDocument("is wrong: "+e.Description, e.Err)
	}
	return app, nil
}

// errDocument refuses a client for what is in its document.
func errDocument(wrong string, cause error) *Error {
	return refuse(codeInvalidClient, "The document at the client_id of the application that sent you here %s", wrong).because(cause)
}
