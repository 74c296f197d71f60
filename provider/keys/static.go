package keys

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Static returns keys that sign with the given signers, such as those of a KMS
// or an HSM. The public key of each must be an RSA key of at least 2048 bits,
// which signs RS256 (RSASSA-PKCS1-v1_5), an ECDSA key on P-256 (ES256), or an
// Ed25519 key (EdDSA). The ID of a key is its thumbprint (RFC 7638).
//
// Of several signers with the same algorithm the first signs; the others are
// only published. To rotate, on every instance: append the new signer; two
// hours later, move it to the front; and remove the old one after everything it
// signed has expired. Relying parties may cache the public keys for an hour.
//
// Static signs once with each signer, and returns an error if that fails. A
// signer can't be interrupted, so it should time out after a few seconds.
func Static(signers ...crypto.Signer) (*Keys, error) {
	if len(signers) == 0 {
		return nil, errors.New("keys: Static needs a signer: pass at least one")
	}
	k := &Keys{cacheFor: time.Hour, now: time.Now}
	s := &set{}
	for i, signer := range signers {
		if signer == nil {
			return nil, fmt.Errorf("keys: signer %d is nil: leave it out", i)
		}
		own, err := newKey(signer)
		if err != nil {
			return nil, fmt.Errorf("keys: signer %d: %w", i, err)
		}
		if s.find(own.id) != nil {
			return nil, fmt.Errorf("keys: signer %d has the same key as another: pass it once", i)
		}
		if err := try(own); err != nil {
			return nil, fmt.Errorf("keys: signer %d: %w", i, err)
		}
		// The first of an algorithm is the one of which the time has come.
		e := entry{ID: own.id, Algorithm: own.algorithm}
		if slices.Contains(k.algorithms, own.algorithm) {
			e.SignsAt = e.SignsAt.Add(-time.Duration(i))
		} else {
			k.algorithms = append(k.algorithms, own.algorithm)
		}
		s.keys, s.entries = append(s.keys, own), append(s.entries, e)
	}
	k.set.Store(s)
	return k, nil
}

// try signs something that is not a token, and verifies it.
func try(k *key) error {
	token, err := k.sign([]byte("{}"))
	if err != nil {
		return err
	}
	t, err := parseToken(token, maxOwnToken)
	if err == nil {
		_, err = t.verify(k.public)
	}
	if err != nil {
		return fmt.Errorf("what it has signed can't be verified with its public key: %w", err)
	}
	return nil
}
