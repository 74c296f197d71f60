package rules

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"github.com/latchkey-go/latchkey/store"
)

// Kind tells codes and tokens apart. The kind is part of what is hashed, so a
// refresh token can never pass as an access token.
type Kind uint8

// The kinds of credentials. The first three belong to a grant, the others to a
// device authorization.
const (
	KindCode Kind = iota + 1
	KindAccess
	KindRefresh
	KindDevice
	KindUserCode
)

// String returns the name of the kind, such as "access".
func (k Kind) String() string {
	names := [...]string{KindCode: "code", KindAccess: "access", KindRefresh: "refresh", KindDevice: "device", KindUserCode: "user code"}
	if int(k) < len(names) && k != 0 {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// A Secret is the secret part of a code or token.
//
// For a refresh token it has 16 bytes that are random or derived, 12 bytes that
// all refresh tokens of the grant share, its family, and the number of its
// generation. So a spent refresh token is recognized, although only hashes of
// the family and of the current token are stored. Neither family nor generation
// is secret from the client.
type Secret [32]byte

const (
	familyAt     = 16
	generationAt = 28
)

// NewSecret generates the secret of a code or an access token.
func NewSecret() (s Secret) {
	rand.Read(s[:]) // It never fails; it would end the program.
	return s
}

// NewRefresh generates the secret of the first refresh token of a grant.
func NewRefresh() Secret {
	s := NewSecret()
	binary.BigEndian.PutUint32(s[generationAt:], 1)
	return s
}

func (s *Secret) generation() uint32 { return binary.BigEndian.Uint32(s[generationAt:]) }

// family returns the stored form of the family.
func (s *Secret) family() (kept [16]byte) {
	sum := sha256.Sum256(s[familyAt:generationAt])
	copy(kept[:], sum[:])
	return kept
}

// Salt is the random input of a rotation, from which the next pair of tokens is
// derived. It is useless without the presented token.
type Salt [16]byte

// NewSalt generates a salt.
func NewSalt() (s Salt) {
	rand.Read(s[:])
	return s
}

// HostSecrets are secrets of the host that are part of the derivation of
// tokens, so that an old token and a copy of the database together yield
// nothing.
type HostSecrets interface {
	// DerivationKey returns 32 bytes derived from the secret with the ID, and
	// the ID, or nil if there is no such secret. The ID zero means the current
	// secret: nil if the host has none.
	DerivationKey(id uint32) (key []byte, secretID uint32)
}

// Successors derives the access token and the refresh token that follow when
// the refresh token s of the grant is rotated with the salt. A client that
// presents s again can get the same pair, although only its hashes are stored.
// The host's key is nil, or 32 bytes.
//
// They are HMAC-SHA-256. Its key is the secret of the token and the host's key
// together, exactly one block: without both, nothing can be derived.
func (s *Secret) Successors(id store.ID, salt Salt, hostKey []byte) (access, refresh Secret) {
	const withoutKey, withKey = 1, 2 // versions of the derivation
	var key [sha256.BlockSize]byte
	copy(key[:], s[:])
	version := byte(withoutKey)
	if hostKey != nil {
		version = withKey
		copy(key[len(s):], hostKey)
	}
	mac := hmac.New(sha256.New, key[:])
	derive := func(kind Kind) (next Secret) {
		mac.Reset()
		mac.Write([]byte{version, byte(kind)})
		mac.Write(id[:])
		mac.Write(salt[:])
		mac.Sum(next[:0])
		return next
	}
	access, refresh = derive(KindAccess), derive(KindRefresh)
	copy(refresh[familyAt:generationAt], s[familyAt:generationAt])
	binary.BigEndian.PutUint32(refresh[generationAt:], s.generation()+1)
	return access, refresh
}

// Hash is the stored form of a code or token: SHA-256 of its kind and its
// secret. The secret has at least 128 random bits, which can't be guessed, so
// the hash needs no salt and can be fast.
type Hash [32]byte

// Hash returns the hash of a secret of the kind.
func (s *Secret) Hash(kind Kind) Hash {
	var b [33]byte
	b[0] = byte(kind)
	copy(b[1:], s[:])
	return sha256.Sum256(b[:])
}

// Equal compares in constant time.
func (h Hash) Equal(other Hash) bool { return subtle.ConstantTimeCompare(h[:], other[:]) == 1 }

// IsZero reports whether h is the zero Hash, which no credential has.
func (h Hash) IsZero() bool { return h == Hash{} }

func (h Hash) prefix() uint64 { return binary.BigEndian.Uint64(h[:]) }

// digest returns the stored form of a text that is only compared.
func digest(text string) (sum [16]byte) {
	full := sha256.Sum256([]byte(text))
	copy(sum[:], full[:])
	return sum
}
