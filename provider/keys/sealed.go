package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
)

// The stored state is
//
//	version | salt | ID of the secret | nonce | sealed content
//
// The content is JSON, sealed with AES-256-GCM, which also authenticates
// everything before it. The key and the ID of the secret are derived from the
// secret and the salt (HKDF with SHA-256, RFC 5869). The ID tells a wrong
// secret from damage, and differs between documents with the same secret.
const (
	sealVersion = 1
	saltSize    = 16
	idSize      = 8
	nonceSize   = 12
	headSize    = 1 + saltSize + idSize + nonceSize
)

// content is the sealed content. An instance of an older version drops members
// that it doesn't know when it writes; otherwise, change the version above.
type content struct {
	Keys []entry `json:"keys"`
}

var (
	// ErrWrongSecret means that the keys in the store are sealed with a secret
	// that isn't in Options.Secrets.
	ErrWrongSecret = errors.New("they are sealed with a secret that is not in Options.Secrets." +
		" Add the secret that sealed them, after the new one." +
		" If it is lost, delete the document (in SQL: delete from latchkey_documents where kind = 4), then restart every instance:" +
		" that makes new keys, and nothing that the old ones signed can be verified anymore")

	// ErrDamaged means that the keys in the store can't be read although the
	// secret is right.
	ErrDamaged = errors.New("they are damaged." +
		" Restore the document from a backup." +
		" If there is none, delete the document (in SQL: delete from latchkey_documents where kind = 4), then restart every instance:" +
		" that makes new keys, and nothing that the old ones signed can be verified anymore")

	errNewer = errors.New("they were written by a newer version of this package: update this instance")
)

// derive returns the key that seals with the secret, and the ID of the secret.
func derive(secret string, salt []byte) (aead cipher.AEAD, id []byte, err error) {
	both, err := hkdf.Key(sha256.New, []byte(secret), salt, "latchkey/provider/keys 1", 32+idSize)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(both[:32])
	if err != nil {
		return nil, nil, err
	}
	aead, err = cipher.NewGCM(block)
	return aead, both[32:], err
}

// seal returns the stored form of the keys, sealed with the secret.
func seal(secret string, keys []entry) (string, error) {
	plain, err := json.Marshal(content{keys})
	if err != nil {
		return "", err
	}
	head := make([]byte, headSize, headSize+len(plain)+16)
	rand.Read(head) // It never fails; it would end the program.
	head[0] = sealVersion
	salt, rest := head[1:1+saltSize], head[1+saltSize:]
	aead, id, err := derive(secret, salt)
	if err != nil {
		return "", err
	}
	copy(rest, id)
	return string(aead.Seal(head, head[headSize-nonceSize:headSize], plain, head)), nil
}

// open opens what seal returned. It returns the keys and the index of the
// secret that sealed them.
func open(secrets []string, state string) (keys []entry, index int, err error) {
	b := []byte(state)
	if len(b) > 0 && b[0] > sealVersion {
		return nil, 0, errNewer
	}
	if len(b) < headSize || b[0] != sealVersion {
		return nil, 0, ErrDamaged
	}
	head, sealed := b[:headSize], b[headSize:]
	salt, rest := head[1:1+saltSize], head[1+saltSize:]
	for i, secret := range secrets {
		aead, id, err := derive(secret, salt)
		if err != nil {
			return nil, 0, err
		}
		if !bytes.Equal(id, rest[:idSize]) { // The ID is not sealed.
			continue
		}
		plain, err := aead.Open(nil, rest[idSize:], sealed, head)
		if err != nil {
			return nil, 0, ErrDamaged
		}
		var c content
		if err := json.Unmarshal(plain, &c); err != nil || len(c.Keys) == 0 {
			return nil, 0, fmt.Errorf("%w (the sealed content is not a list of keys)", ErrDamaged)
		}
		return c.Keys, i, nil
	}
	return nil, 0, ErrWrongSecret
}
