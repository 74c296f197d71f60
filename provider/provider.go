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
	documents *clientdoc.Cache[store.Application] // nil if clients must be registered

	// keySets caches the JWK Sets at URLs of applications. Each origin has a
	// separate cache, so applications that anyone can register don't delay
	// others. It is nil if applications have no keys.
	keySets map[store.Origin]*clientdoc.Cache[[]byte]

	csrf    *http.CrossOriginProtection
	pages   *pages.Renderer
	secrets *secretVerifier

	guesses  *guesses         // of user codes
	machines *buckets[string] // tokens without a user; only authenticated applications are counted

	failures *failures // of requests of applications

	otherHost atomic.Bool // the warning about another host was logged

	ownAddress bool // Config.ClientIP was not set; for Check
}

// ProtectedResource protects an API of Config.Resources. [Provider.Resource]
// returns it.
type ProtectedResource struct {
	p      *Provider
	url    string
	name   string
	scopes scopes.Set
	path   string // of its metadata document
	own    bool   // on the issuer's host
}

// secure reports whether browsers reach the provider by TLS.
func (p *Provider) secure() bool { return p.issuer.Scheme == "https" }

// now returns the time to the microsecond, the precision of every store.
func (p *Provider) now() time.Time { return p.records.now() }

func (p *Provider) emit(ctx context.Context, e Event) {
	if p.cfg.Events != nil {
		e.At, e.Actor = p.now(), actorOf(ctx)
		p.cfg.Events(ctx, e)
	}
}
