package keys

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// derivation is the key from one of the secrets that goes into the derivation of
// refresh tokens.
type derivation struct {
	id  uint32 // not zero
	key []byte
}

// newDerivations returns the keys from the secrets, in their order.
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
			if other.id == d.id { // One in two billion.
				return nil, fmt.Errorf("keys: Options.Secrets[%d] has the same ID as Secrets[%d] by chance: use another secret", i, k)
			}
		}
		made = append(made, d)
	}
	return made, nil
}

// DerivationKey returns the key of 32 bytes that goes into the derivation of
// refresh tokens, and the ID of the secret in [Options].Secrets that it comes
// from, so that a copy of the database and an old refresh token give nothing
// without that secret. The ID zero stands for the first secret. The key is nil if
// no secret has the ID, and for [Static] keys, which have no secrets. It must not
// be changed.
func (k *Keys) DerivationKey(id uint32) (key []byte, secretID uint32) {
	for i := range k.derivations {
		if d := &k.derivations[i]; id == 0 || d.id == id {
			return d.key, d.id
		}
	}
	return nil, 0
}
