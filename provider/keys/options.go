package keys

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/latchkey-go/latchkey/store"
)

// The signature algorithms (RFC 7518 section 3.1, RFC 8037 section 3.1).
const (
	RS256 = "RS256" // RSA with 2048 bits; relying parties expect it
	ES256 = "ES256" // ECDSA on P-256; signing takes at most a tenth of the time
	EdDSA = "EdDSA" // Ed25519; few relying parties support it
)

const (
	// refreshEvery is how old an instance's copy of the keys gets before it is
	// read again.
	refreshEvery = time.Minute
	// maxStale is how old the copy may get while it can't be read again.
	maxStale = time.Hour
	// skew is how much the clocks of instances and relying parties may differ.
	skew = 5 * time.Minute

	minSecret   = 32 // characters
	minCacheFor = time.Minute
	maxCacheFor = 24 * time.Hour

	// tokenLifetime is the maximum lifetime of what is signed, which is that of
	// an ID token.
	tokenLifetime = 24 * time.Hour
)

// Options configures [New]. Store and Secrets are required.
type Options struct {
	// Store keeps the keys, in one sealed document. Use the provider's store;
	// every instance must use the same database.
	Store store.Documents

	// Secrets seal the keys: without one of them, the stored keys are useless.
	// The first seals, and all can open. Each must have at least 32 characters
	// and should be random: "openssl rand -base64 32".
	//
	// To change the secret, first append the new one on every instance. Then
	// move it to the front. The next Maintain on an instance seals the keys with
	// it. After all instances have restarted, remove the old one.
	Secrets []string

	// Algorithms lists the algorithms to sign with. The default is RS256 and
	// ES256.
	//
	// An algorithm that you add later gets a key that signs at once. Wait three
	// hours before you choose it for an application, so that no relying party
	// has a cached set without its key. The keys of an algorithm that you remove
	// stay published until everything they signed has expired.
	Algorithms []string

	// Rotate is how long a key signs before the next one replaces it. The
	// default is 90 days. It must be at least 6 hours, and at least twice the
	// time that a key is published before it signs, which is CacheFor plus 65
	// minutes. A key stays published for one more day, until the last token that
	// it signed has expired.
	Rotate time.Duration

	// CacheFor is how long others may cache the public keys: the max-age of the
	// JWK Set. It must be between 1 minute and 24 hours. The default is 1 hour.
	CacheFor time.Duration

	// Now is the clock. The clocks of instances must agree to within five
	// minutes. The default is time.Now.
	Now func() time.Time

	lifetime time.Duration // set by tests; zero means tokenLifetime
}

// withDefaults returns the options with defaults for zero fields, or an error
// that names every problem.
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
		bad("Store is required: use the provider's store")
	}
	if len(o.Secrets) == 0 {
		bad("Secrets must have at least one secret: make one with openssl rand -base64 32")
	}
	for i, secret := range o.Secrets {
		if n := utf8.RuneCountInString(secret); n < minSecret {
			bad("Secrets[%d] has %d characters; it must have at least %d, from a random generator", i, n, minSecret)
		} else if slices.Contains(o.Secrets[:i], secret) {
			bad("Secrets[%d] occurs twice: keep one", i)
		}
	}
	for i, alg := range o.Algorithms {
		if !slices.Contains([]string{RS256, ES256, EdDSA}, alg) {
			bad("Algorithms[%d] is %q; it must be RS256, ES256, or EdDSA", i, alg)
		} else if slices.Contains(o.Algorithms[:i], alg) {
			bad("Algorithms has %q twice: keep one", alg)
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

// policy returns the policy that decides on the keys.
func (o Options) policy() policy {
	return policy{
		algorithms: o.Algorithms,
		rotate:     o.Rotate,
		// A relying party may have the oldest set that it may cache, from an
		// instance with the oldest copy that it may use.
		lead: maxStale + o.CacheFor + skew,
		keep: o.lifetime + maxStale + skew,
	}
}
