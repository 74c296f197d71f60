package keys

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// derivation is the key that one of the secrets adds to the derivation of
// refresh tokens.
type derivation struct {
	id  uint32 // not zero
	key []byte
}

// newDerivations returns the keys of the secrets, in their order.
func newDerivations(secrets []string) ([]derivation, error) {
	const keySize, idSize = 32, 4
	made := make([]derivation, 0, len(secrets))
	for i, secret := range secrets {
		both, err := hkdf.Key(sha256.New, []byte(secret), nil, "latchkey/provider/keys refresh tokens 1", keySize+idSize)
		if err != nil {
			return nil, err
		}
		d := derivation{id: binary.BigEndian.Uint32(both[keySize:]) | 1, key: both[:keySize:keySize]}
		for k, other := range made {
			if other.id == d.id { // The chance is one in two billion.
				return nil, fmt.Errorf("keys: Options.Secrets[%d] has the same ID as Secrets[%d] by chance: use another secret", i, k)
			}
		}
		made = append(made, d)
	}
	return made, nil
}

// DerivationKey returns the 32-byte key that goes into the derivation of
// refresh tokens, and the ID of its secret in [Options].Secrets. Without that
// secret, a stolen database and an old refresh token don't yield the current
// one. The ID 0 means the first secret. The key is nil if no secret has the ID,
// and for [Static] keys, which have no secrets. Don't modify it.
func (k *Keys) DerivationKey(id uint32) (key []byte, secretID uint32) {
	for i := range k.derivations {
		if d := &k.derivations[i]; id == 0 || d.id == id {
			return d.key, d.id
		}
	}
	return nil, 0
}
