package provider

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/clientdoc"
	"github.com/latchkey-go/latchkey/store"
)

// ClientIDDocuments says which applications are let in that nobody has
// registered: the client_id of such a one is the https URL of a document, in
// which it says who it is (draft-ietf-oauth-client-id-metadata-document). It is
// how MCP clients introduce themselves to a server that they have never met.
// Its zero value lets in every one.
//
// A document is fetched for a visitor who is signed in, never for a link alone,
// and is kept as an application only when a user has agreed: so nobody can make
// this server ask others, or fill its store, without users who do so. The
// application is public: it uses PKCE, and is asked about each time.
// [Provider.ListApplications] lists those that were kept by their Origin,
// [Provider.DeleteApplication] ends all that was issued to one, and Allow keeps
// it from coming back.
//
// A document is fetched again when its HTTP headers say that it may have
// changed: after a minute at the earliest and a day at the latest, and after
// five minutes where they say nothing. What a document does not list any more
// stops working then. One that cannot be fetched or is wrong is not asked for
// again for a minute. A thousand documents are remembered in memory, and
// forgotten ones fetched again.
type ClientIDDocuments struct {
	// Allow is asked each time somebody comes from such an application, before
	// its document is fetched; an error refuses it. Nil: all are allowed.
	Allow func(ctx context.Context, clientID *url.URL) error

	// Scopes are what such an application may ask for, of Config.Scopes. Nil:
	// all of them. Whatever it asks for, its user sees it each time.
	Scopes []string

	// ExpireAfter is how long an application may go unused: [Provider.Cleanup]
	// deletes one to which nobody has signed in for so long and of which no
	// grant is left. The default is 90 days.
	ExpireAfter time.Duration

	// Transport fetches the documents. Nil: one that connects to public
	// addresses only, whatever a name resolves to at that moment, and to no
	// proxy. A host that has to use a proxy sets its own, and leaves it to the
	// proxy to keep requests away from what is inside.
	Transport http.RoundTripper
}

func (d ClientIDDocuments) withDefaults() ClientIDDocuments {
	d.ExpireAfter = cmp.Or(d.ExpireAfter, defaultExpireAfter)
	return d
}

const endpointDocument = "document"

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
		app.OwnerID, app.Metadata = kept.OwnerID, kept.Metadata
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

// documentMark begins the IDs of such applications after "oa_". No other ID
// begins so: a KSUID is less than "aWgEPTl1".
const documentMark = "oa_doc"

// documentApplicationID derives the ID of the application from the URL of its
// document, so that two instances that keep it at once keep the same.
func documentApplicationID(clientID string) string {
	sum := sha256.Sum256([]byte("latchkey client document\x00" + clientID))
	return documentMark + string(appendBase62(nil, sum[:24]))[:24]
}

// isDocumentApplication reports whether the ID is that of an application with a
// document, which may come back after it was deleted.
func isDocumentApplication(id string) bool { return strings.HasPrefix(id, documentMark) }

// keepDocument keeps the application of a document, as it is now, before
// something is granted to it. Another instance may do the same at once, or
// delete it: then it is looked at again.
func (p *Provider) keepDocument(ctx context.Context, app store.Application) *Error {
	for range 5 {
		kept, err := p.records.findClient(ctx, app.ClientID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			err = p.createDocument(ctx, app)
		case err == nil && kept.Origin != store.OriginDocument:
			return errStaleForm(errors.New("the host has registered an application with this client_id meanwhile"))
		case err == nil:
			err = p.refreshDocument(ctx, app)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrNotFound) {
			return unavailable("store", err)
		}
	}
	return unavailable("store", errors.New("the application of a document is created and deleted all the time"))
}

func (p *Provider) createDocument(ctx context.Context, app store.Application) error {
	app.UpdatedAt = p.now()
	if err := p.records.createApplication(ctx, app); err != nil {
		return err
	}
	p.emit(ctx, Event{Kind: EventApplicationRegistered, ApplicationID: app.ID})
	return nil
}

// refreshDocument brings the kept application up to what its document says, and
// notes its use from time to time. What a document does not say stays.
func (p *Provider) refreshDocument(ctx context.Context, app store.Application) error {
	recently := p.now().Add(-min(maxUseAge, p.cfg.expireAfter(store.OriginDocument)/10))
	_, err := p.records.updateApplication(ctx, app.ID, func(kept *store.Application) error {
		described := app.Clone()
		described.CreatedAt, described.UpdatedAt, described.Version = kept.CreatedAt, kept.UpdatedAt, kept.Version
		described.OwnerID, described.Metadata = kept.OwnerID, kept.Metadata
		switch {
		case kept.Registration == nil: // deleteIfUnused was first.
			return store.ErrNotFound
		case sameApplication(*kept, described) && (p.cfg.expireAfter(store.OriginDocument) == 0 || !kept.UpdatedAt.Before(recently)):
			return errUseNoted
		}
		*kept = described
		return nil
	})
	if errors.Is(err, errUseNoted) {
		return nil
	}
	return err
}
