package keys

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/latchkey-go/latchkey/store"
)

// The algorithms that sign (RFC 7518 section 3.1, RFC 8037 section 3.1).
const (
	RS256 = "RS256" // RSA with 2048 bits; what relying parties expect
	ES256 = "ES256" // ECDSA on P-256; a signature costs a tenth, or less
	EdDSA = "EdDSA" // Ed25519; few relying parties know it
)

const (
	// refreshEvery is how old an instance's copy of the keys gets before it is
	// read again.
	refreshEvery = time.Minute
	// maxStale is how old the copy gets while it can't be read again.
	maxStale = time.Hour
	// skew is how far the clocks of instances and relying parties may be apart.
	skew = 5 * time.Minute

	minSecret   = 32 // characters
	minCacheFor = time.Minute
	maxCacheFor = 24 * time.Hour

	// tokenLifetime is the longest life of what is signed: as long as an ID token
	// may have at the most.
	tokenLifetime = 24 * time.Hour
)

// Options are what [New] needs. Store and Secrets are required.
type Options struct {
	// Store keeps the keys, in one document, which is sealed. It is the store of
	// the provider, or at least the same database on every instance.
	Store store.Documents

	// Secrets seal the keys: without one of them, what is in the store is of no
	// use. The first seals, and all open. Each must have at least 32 characters,
	// and should come from a random generator: "openssl rand -base64 32".
	//
	// To change the secret, first add the new one at the end, on every instance.
	// Then move it to the front. The next Maintain on an instance seals the keys
	// with it, and the old one can go when all instances have been restarted.
	Secrets []string

	// Algorithms are those that can be signed with, in the order in which their
	// keys are listed. The default is RS256 and ES256.
	//
	// An algorithm that is added later gets a key at once, which signs at once.
	// Add it three hours before you choose it for an application, so that no
	// relying party has a set without its key in a cache. The keys of an
	// algorithm that is taken away stay in the set until what they have signed
	// has expired.
	Algorithms []string

	// Rotate is how long a key signs before the next one takes its place. The
	// default is 90 days. It must be at least twice the time for which a key is
	// published before it signs, which is CacheFor and 65 minutes, and at least 6
	// hours. A key is published for a day more, in which the last token that it has
	// signed expires.
	Rotate time.Duration

	// CacheFor is how long others may cache the public keys: the max-age of the
	// JWK Set. The default is 1 hour. It must be between 1 minute and 24 hours.
	CacheFor time.Duration

	// Now is the clock. The default is time.Now. The clocks of instances must
	// agree to within five minutes.
	Now func() time.Time

	lifetime time.Duration // tests shorten it; zero: tokenLifetime
}

// withDefaults returns the options with the defaults of what is zero, or an
// error that names each that is wrong.
func (o Options) withDefaults() (Options, error) {
	set := func(d *time.Duration, usual time.Duration) {
		if *d == 0 {
			*d = usual
		}
	}
	set(&o.Rotate, 90*24*time.Hour)
	set(&o.CacheFor, time.Hour)
	set(&o.lifetime, tokenLifetime)
	if o.Now == nil {
		o.Now = time.Now
	}
	if len(o.Algorithms) == 0 {
		o.Algorithms = []string{RS256, ES256}
	}
	o.Algorithms, o.Secrets = slices.Clone(o.Algorithms), slices.Clone(o.Secrets)
	return o, o.check()
}

func (o Options) check() error {
	var wrong []error
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf("keys: Options."+format, args...)) }
	if o.Store == nil {
		bad("Store is required")
	}
	if len(o.Secrets) == 0 {
		bad("Secrets must have at least one secret")
	}
	for i, secret := range o.Secrets {
		if n := utf8.RuneCountInString(secret); n < minSecret {
			bad("Secrets[%d] has %d characters; it must have at least %d, from a random generator", i, n, minSecret)
		} else if slices.Contains(o.Secrets[:i], secret) {
			bad("Secrets[%d] is there twice", i)
		}
	}
	for i, alg := range o.Algorithms {
		if !slices.Contains([]string{RS256, ES256, EdDSA}, alg) {
			bad("Algorithms[%d] is %q; it must be RS256, ES256, or EdDSA", i, alg)
		} else if slices.Contains(o.Algorithms[:i], alg) {
			bad("Algorithms has %q twice", alg)
		}
	}
	if o.CacheFor < minCacheFor || o.CacheFor > maxCacheFor {
		bad("CacheFor is %v; it must be between %v and %v", o.CacheFor, minCacheFor, maxCacheFor)
	}
	if least := max(2*o.policy().lead, o.lifetime/4); o.Rotate < least {
		bad("Rotate is %v; with this CacheFor it must be at least %v", o.Rotate, least)
	}
	return errors.Join(wrong...)
}

// policy returns what decides on the keys.
func (o Options) policy() policy {
	return policy{
		algorithms: o.Algorithms,
		rotate:     o.Rotate,
		// A relying party may have a set for as long as it may cache it, from an
		// instance that had its copy for as long as it may.
		lead: maxStale + o.CacheFor + skew,
		keep: o.lifetime + maxStale + skew,
	}
}
