package provider

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/clientdoc"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// Provider is an OAuth 2.0 authorization server in the host's app, and the
// middleware that protects the host's API. It is immutable and safe for
// concurrent use. It starts no goroutines; the host starts [Provider.Run].
type Provider struct {
	cfg     Config
	records records
	issuer  *url.URL
	offer   offer
	prefix  tokenPrefix

	resources []*ProtectedResource
	documents *clientdoc.Cache[store.Application] // nil: clients have to be registered

	// keySets are the JWK Sets that applications keep at URLs of theirs. Each origin
	// has a share of its own, so that applications which anyone can register keep
	// no others waiting. If nil, applications have no keys.
	keySets map[store.Origin]*clientdoc.Cache[[]byte]

	csrf    *http.CrossOriginProtection
	pages   *pages.Renderer
	secrets *secretVerifier

	guesses  *guesses         // of user codes
	machines *buckets[string] // tokens that applications get by themselves; only who has authenticated is counted

	failures *failures // of requests of applications

	otherHost atomic.Bool // that one is seen is said once

	ownAddress bool // Config.ClientIP was left out, for Check
}

// ProtectedResource protects an API of Config.Resources. [Provider.Resource]
// returns it.
type ProtectedResource struct {
	p      *Provider
	url    string
	name   string
	scopes scopes.Set
	path   string // of its metadata document
	own    bool   // it is on the issuer's host
}

// secure reports whether browsers reach the provider by TLS.
func (p *Provider) secure() bool { return p.issuer.Scheme == "https" }

// now is the time to the microsecond, which is what every store keeps.
func (p *Provider) now() time.Time { return p.records.now() }

func (p *Provider) emit(ctx context.Context, e Event) {
	if p.cfg.Events != nil {
		e.At, e.Actor = p.now(), actorOf(ctx)
		p.cfg.Events(ctx, e)
	}
}
