// Package keys has the keys with which a provider signs, and checks what its
// clients sign. It is what provider.Config.Keys takes. OpenID Connect and
// private_key_jwt (RFC 7523) need it; a provider without them doesn't.
//
// It is a module of its own, so that a provider without keys links no JOSE
// library. A host has two choices.
//
// [New] makes the keys and keeps them in the provider's store, sealed with a
// secret of the host's. It rotates them without anybody's help, on any number of
// instances: the next key is published before it signs, for as long as a relying
// party may have an older set in a cache, and the one before stays published until
// all that it has signed has expired. The provider's Run, or Cleanup, does that
// work; there is no goroutine here.
//
// [Static] signs with keys that the host has, such as those in a KMS or an HSM.
//
// # What can go wrong
//
// Each instance keeps a copy of the keys and reads it again every minute. While
// the store is down the copy serves for an hour. Then [Keys.Sign] and
// [Keys.PublicKeys] return an error, until the store is back.
//
// If the secret is lost, or the document of the keys is damaged, [New] returns an
// error that says what to do. It never makes new keys beside a document that it
// can't read. If the document has been deleted, running instances go on for an
// hour and Maintain says so, and an instance that starts makes new keys, since for
// it there were never any.
//
// Somebody who has both the secret and a copy of the database can sign as the
// provider: change the secret, then [Keys.Retire] each key.
//
// A backup that is restored brings back the keys of that time. What was signed
// with a key that came later can't be verified any more.
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

// Keys signs, verifies, and publishes. [New] and [Static] return one. It is safe
// for concurrent use.
type Keys struct {
	algorithms []string
	cacheFor   time.Duration
	now        func() time.Time

	kept        *document    // nil if the keys are static
	derivations []derivation // likewise

	set atomic.Pointer[set]

	mu       sync.Mutex
	flight   *flight   // the read that is under way
	failedAt time.Time // when one has failed
	writes   int       // of this instance
}

// New returns the keys in the store. If there are none, it makes them, which takes
// a second or so. Of many instances that start together, one makes the keys of
// all.
//
// It returns an error if an option is wrong, if the store can't be read, and if
// none of the secrets opens what is in the store ([ErrWrongSecret]) or it is
// damaged ([ErrDamaged]).
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

// Algorithms returns the JWS algorithms that Sign knows, in the order of
// [Options].Algorithms, or of the signers of [Static].
func (k *Keys) Algorithms() []string { return slices.Clone(k.algorithms) }

// Sign returns the claims, a JSON object, as a JWT in compact form (RFC 7519, RFC
// 7515 section 7.1). Its header has alg, kid, and the typ "JWT".
//
// It returns an error if the algorithm is not one of Algorithms, if the claims are
// no JSON object, and if the keys could not be read for an hour.
func (k *Keys) Sign(ctx context.Context, alg string, claims []byte) (string, error) {
	if len(claims) == 0 || claims[0] != '{' || !json.Valid(claims) {
		return "", errors.New("keys: the claims are no JSON object")
	}
	if !slices.Contains(k.algorithms, alg) {
		return "", fmt.Errorf("keys: nothing signs with %.20q: the algorithms are %v", alg, k.algorithms)
	}
	s, err := k.current(ctx, refreshEvery)
	if err != nil {
		return "", err
	}
	i := signing(s.entries, alg, k.now())
	if i < 0 { // Another instance, which doesn't have the algorithm, has taken it away.
		return "", fmt.Errorf("keys: there is no key for %s yet: Maintain makes one", alg)
	}
	return s.keys[i].sign(claims)
}

// Verify returns the claims of a JWT that Sign has returned, on whichever
// instance, if its key is still kept. It doesn't look at the claims: not at when
// it has expired either.
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
	if own == nil { // Another instance may have made it within the minute.
		if s, err = k.current(ctx, publishEvery); err != nil {
			return nil, err
		}
		own = s.find(*t.KeyID)
	}
	if own == nil {
		return nil, fmt.Errorf("the JWT was signed with the key %.100q, which is not one of ours, or not any more", *t.KeyID)
	}
	if own.algorithm != t.Algorithm {
		return nil, fmt.Errorf("the JWT is signed with %.20q, but the key %s signs with %s only", t.Algorithm, own.id, own.algorithm)
	}
	return t.verify(own.public)
}

// PublicKeys returns the JWK Set (RFC 7517) by which others verify what Sign
// returns, and how long they may cache it. Keys that sign come first.
//
// It returns an error if the keys could not be read for an hour.
func (k *Keys) PublicKeys(ctx context.Context) (set []byte, maxAge time.Duration, err error) {
	s, err := k.current(ctx, publishEvery)
	if err != nil {
		return nil, 0, err
	}
	return s.public(k.algorithms, k.now()), k.cacheFor, nil
}

// Maintain makes the keys that are due, lets the next ones sign, and removes those
// that nobody needs. It seals all anew if the first secret has changed. The
// provider's Run and Cleanup call it, every few minutes, on any number of
// instances at once. It does nothing for [Static] keys.
//
// It must run before documents are swept: after a cut-off of everything, it is what
// keeps the keys from being swept a day later.
//
// It returns an error if the store fails, if the document of the keys is gone, or
// if it can't be read. The keys that the instance has serve for an hour then.
func (k *Keys) Maintain(ctx context.Context) error {
	if k.kept == nil {
		return nil
	}
	return k.write(ctx, false, nil)
}

// Retire removes the key with the ID at once: for a key that somebody may have
// stolen. If it was the one that signs, another signs at once. Other instances
// follow within a minute.
//
// What the key has signed can't be verified any more by whoever reads the set
// anew. Relying parties go on to accept it until what they have cached is too old,
// after [Options].CacheFor. Some of them know the new key only then, too: most read
// the set again when they meet a kid that they don't know.
//
// It returns an error if there is no such key, and if the keys are [Static].
func (k *Keys) Retire(ctx context.Context, kid string) error {
	if k.kept == nil {
		return errors.New("keys: these keys are static: give Static other signers")
	}
	return k.write(ctx, false, func(now []entry, at time.Time) ([]entry, error) {
		next, found := k.kept.policy.retire(now, kid, at)
		if !found {
			return nil, fmt.Errorf("keys: there is no key %.100q: List returns those that are kept", kid)
		}
		return next, nil
	})
}
