// Package keys signs what a provider issues and verifies what its clients sign.
// OpenID Connect and private_key_jwt (RFC 7523) need it. Set its [Keys] as
// provider.Config.Keys:
//
//	signing, err := keys.New(ctx, keys.Options{
//		Store:   store,
//		Secrets: []string{os.Getenv("KEYS_SECRET")}, // openssl rand -base64 32
//	})
//
// [New] makes the keys, keeps them in the provider's store, sealed with your
// secret, and rotates them, on any number of instances. It publishes the next
// key before it signs, for as long as a relying party may cache an older set.
// It keeps the previous key published until everything that it signed has
// expired. The provider's Run, or Cleanup, does this work; the package starts
// no goroutine.
//
// [Static] signs with keys that you manage, such as those in a KMS or an HSM.
//
// The package is a separate module, so a provider without keys links no JOSE
// library.
//
// # What can go wrong
//
// Each instance keeps a copy of the keys and reads it again every minute. If
// the store is down, the copy works for an hour. After that, [Keys.Sign] and
// [Keys.PublicKeys] return an error until the store is back.
//
// If the secret is lost, or the document with the keys is damaged, [New]
// returns an error that says what to do. It never makes new keys while there is
// a document that it can't read. If the document was deleted, running instances
// continue for an hour, and Maintain returns [ErrLost]. An instance that starts
// then makes new keys.
//
// Anyone who has both the secret and a copy of the database can sign as the
// provider. If that happens, change the secret, then [Keys.Retire] each key.
//
// Restoring a backup restores the keys of that time. What newer keys signed
// can't be verified anymore.
package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Keys signs, verifies, and publishes keys. [New] and [Static] make one. It is
// safe for concurrent use.
type Keys struct {
	algorithms []string
	cacheFor   time.Duration
	now        func() time.Time

	kept        *document    // nil for Static keys
	derivations []derivation // likewise

	set atomic.Pointer[set]

	mu       sync.Mutex
	flight   *flight   // the read in progress
	failedAt time.Time // the time of the last failure
	writes   int       // number of writes of this instance
}

// New returns the keys in the store. If there are none, it makes them, which
// takes about a second. If many instances start together, one makes the keys
// for all.
//
// It returns an error if an option is invalid, if the store can't be read, if
// no secret opens the stored keys ([ErrWrongSecret]), or if they are damaged
// ([ErrDamaged]).
func New(ctx context.Context, options Options) (*Keys, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	derivations, err := newDerivations(o.Secrets)
	if err != nil {
		return nil, err
	}
	k := &Keys{
		algorithms: o.Algorithms, cacheFor: o.CacheFor, now: o.Now,
		derivations: derivations,
		kept:        &document{store: o.Store, secrets: o.Secrets, policy: o.policy(), now: o.Now, turn: make(chan struct{}, 1)},
	}
	if err := k.write(ctx, true, nil); err != nil {
		return nil, err
	}
	return k, nil
}

// Algorithms returns the JWS algorithms that Sign supports, in the order of
// [Options].Algorithms, or of the signers of [Static].
func (k *Keys) Algorithms() []string { return slices.Clone(k.algorithms) }

// Sign returns the claims, a JSON object, as a signed JWT in compact form (RFC
// 7519, RFC 7515 section 7.1). Its header has alg, kid, and the typ "JWT".
//
// It returns an error if the algorithm is not one of Algorithms, if the claims
// are not a JSON object, or if the keys couldn't be read for an hour.
func (k *Keys) Sign(ctx context.Context, alg string, claims []byte) (string, error) {
	if len(claims) == 0 || claims[0] != '{' || !json.Valid(claims) {
		return "", errors.New("keys: the claims are not a JSON object")
	}
	if !slices.Contains(k.algorithms, alg) {
		return "", fmt.Errorf("keys: no key signs with %.20q: the algorithms are %v", alg, k.algorithms)
	}
	s, err := k.current(ctx, refreshEvery)
	if err != nil {
		return "", err
	}
	i := signing(s.entries, alg, k.now())
	if i < 0 { // Another instance, without this algorithm, has removed it.
		return "", fmt.Errorf("keys: there is no key for %s yet: Maintain makes one", alg)
	}
	return s.keys[i].sign(claims)
}

// Verify returns the claims of a JWT that Sign made, on any instance, if its
// key is still kept. It doesn't validate the claims, not even the expiration.
func (k *Keys) Verify(ctx context.Context, token string) (claims []byte, err error) {
	t, err := parseToken(token, maxOwnToken)
	if err != nil {
		return nil, err
	}
	if t.Type == nil || *t.Type != "JWT" {
		return nil, errors.New("the typ of the JWT is not \"JWT\", so it was not signed here")
	}
	if t.KeyID == nil {
		return nil, errors.New("the JWT names no kid, so it was not signed here")
	}
	s, err := k.current(ctx, refreshEvery)
	if err != nil {
		return nil, err
	}
	own := s.find(*t.KeyID)
	if own == nil { // Another instance may have made it within the last minute.
		if s, err = k.current(ctx, publishEvery); err != nil {
			return nil, err
		}
		own = s.find(*t.KeyID)
	}
	if own == nil {
		return nil, fmt.Errorf("the JWT was signed with the key %.100q, which is unknown here or was removed", *t.KeyID)
	}
	if own.algorithm != t.Algorithm {
		return nil, fmt.Errorf("the JWT is signed with %.20q, but the key %s signs with %s only", t.Algorithm, own.id, own.algorithm)
	}
	return t.verify(own.public)
}

// PublicKeys returns the JWK Set (RFC 7517) that verifies what Sign returns,
// and how long others may cache it. Keys that sign come first.
//
// It returns an error if the keys couldn't be read for an hour.
func (k *Keys) PublicKeys(ctx context.Context) (set []byte, maxAge time.Duration, err error) {
	s, err := k.current(ctx, publishEvery)
	if err != nil {
		return nil, 0, err
	}
	return s.public(k.algorithms, k.now()), k.cacheFor, nil
}

// Maintain makes the keys that are due, starts to sign with the next ones, and
// removes those that are no longer needed. If the first secret has changed, it
// seals the keys with it. The provider's Run and Cleanup call it every few
// minutes, on any number of instances. For [Static] keys it does nothing.
//
// It must run before the store is swept: after everything was cut off, it keeps
// the keys from being swept a day later.
//
// It returns an error if the store fails, or if the document with the keys is
// gone or can't be read. The keys that the instance has then work for an hour.
func (k *Keys) Maintain(ctx context.Context) error {
	if k.kept == nil {
		return nil
	}
	return k.write(ctx, false, nil)
}

// Retire removes the key with the given ID at once. Call it if the key may be
// stolen. If it was the one that signs, another signs at once. Other instances
// follow within a minute.
//
// What the key signed can't be verified with the new set. Relying
// parties accept it until their cached set expires, after [Options].CacheFor.
// Most read the set again when they see an unknown kid; others know the new key
// only then, too.
//
// It returns an error if there is no such key, and if the keys are [Static].
func (k *Keys) Retire(ctx context.Context, kid string) error {
	if k.kept == nil {
		return errors.New("keys: these keys are static: pass other signers to Static")
	}
	return k.write(ctx, false, func(now []entry, at time.Time) ([]entry, error) {
		next, found := k.kept.policy.retire(now, kid, at)
		if !found {
			return nil, fmt.Errorf("keys: there is no key %.100q: List returns the existing ones", kid)
		}
		return next, nil
	})
}
