package store

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind tells codes and tokens apart. The kind is part of what is hashed, so
// that a refresh token can never pass as an access token.
type Kind uint8

// The kinds of credentials. The first three hang from a grant, the others from
// a device authorization.
const (
	KindCode Kind = iota + 1
	KindAccess
	KindRefresh
	KindDevice
	KindUserCode
)

// String returns "code", "access", "refresh", "device" or "user code".
func (k Kind) String() string {
	switch k {
	case KindCode:
		return "code"
	case KindAccess:
		return "access"
	case KindRefresh:
		return "refresh"
	case KindDevice:
		return "device"
	case KindUserCode:
		return "user code"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Hash is what is kept of a code or token: SHA-256 of its kind and its 256
// random bits. There is nothing to guess at behind it, so it needs neither
// salt nor slowness.
type Hash [32]byte

// HashOf returns the hash of a code or token from its decoded random bits.
func HashOf(kind Kind, secret [32]byte) Hash {
	var b [33]byte
	b[0] = byte(kind)
	copy(b[1:], secret[:])
	return sha256.Sum256(b[:])
}

// Equal compares in constant time.
func (h Hash) Equal(other Hash) bool { return subtle.ConstantTimeCompare(h[:], other[:]) == 1 }

// IsZero reports whether h is the zero Hash, which no credential has.
func (h Hash) IsZero() bool { return h == Hash{} }

// Key finds one code or token. A credential carries its grant's id in front of
// its random bits, so that every lookup starts from the grant.
type Key struct {
	GrantID GrantID
	Hash    Hash
}

// Salt is what a rotation draws at random to derive the new pair of tokens
// from the presented one. It is worth nothing without that token.
type Salt [16]byte

// GrantID names a grant. It is no secret. It is laid out like a UUID of
// version 7 (RFC 9562), so ids sort by the time of their making, and its last
// 16 bits are [UserTag] of the grant's user, so that all grants of one user
// can be kept together: on one Redis Cluster slot, in one shard.
type GrantID [16]byte

// NewGrantID returns the id for a new grant of the user at the given time.
// 46 of its bits are random beside the time to a quarter of a microsecond.
func NewGrantID(at time.Time, userID string) GrantID {
	var id GrantID
	millis, rest := at.UnixMilli(), at.Nanosecond()%int(time.Millisecond)
	binary.BigEndian.PutUint64(id[:8], uint64(millis)<<16|uint64(rest)<<12/uint64(time.Millisecond))
	rand.Read(id[8:14])       // Never fails: it would end the program.
	id[6] = 0x70 | id[6]&0x0f // version 7
	id[8] = 0x80 | id[8]&0x3f // variant of RFC 9562
	binary.BigEndian.PutUint16(id[14:], UserTag(userID))
	return id
}

// UserTag returns the 16 bits by which the grants and consents of a user are
// kept together: the first ones of SHA-256 of the user's id.
func UserTag(userID string) uint16 {
	sum := sha256.Sum256([]byte(userID))
	return binary.BigEndian.Uint16(sum[:2])
}

// Tag returns the [UserTag] that the id carries.
func (id GrantID) Tag() uint16 { return binary.BigEndian.Uint16(id[14:]) }

// IsZero reports whether id is the zero GrantID, which no grant has.
func (id GrantID) IsZero() bool { return id == GrantID{} }

// String returns the id in the form of a UUID.
func (id GrantID) String() string {
	var b [36]byte
	hex.Encode(b[:8], id[:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:], id[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// ParseGrantID reads what [GrantID.String] returns, and nothing else.
func ParseGrantID(s string) (GrantID, error) {
	var id GrantID
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(raw) != len(id) {
		return GrantID{}, errors.New("store: grant id is not in the form of a UUID")
	}
	copy(id[:], raw)
	if id.String() != s {
		return GrantID{}, errors.New("store: grant id is not in the form of a UUID")
	}
	return id, nil
}

// MarshalText returns the id in the form of a UUID.
func (id GrantID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText returns.
func (id *GrantID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseGrantID(string(text))
	return err
}
