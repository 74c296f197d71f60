package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// ClientSecret is one hashed client secret. An application has more than one
// while its secret is being rotated.
type ClientSecret struct {
	ID        string
	Hash      SecretHash
	CreatedAt time.Time
	ExpiresAt time.Time // zero if it doesn't expire
}

// SecretHash is the hash of a client secret. Its text starts with the kind of
// hash: "sha256:" and 64 hexadecimal digits for a generated secret, or a bcrypt
// hash for an imported one. No function accepts any other text, so a plain
// secret can't be stored by mistake.
//
// It prints, logs, and encodes as "[redacted]", because a secret that a person
// chose can be guessed from its hash. Only [SecretHash.Reveal] returns the
// text; [Application.Revealed] is for a backend that keeps JSON.
type SecretHash struct {
	// text is a pointer because package fmt prints the fields of a struct in an
	// unexported field without calling the methods below.
	text *string

	revealed bool // MarshalText gives the text
}

const sha256Prefix = "sha256:"

// HashSecret hashes a generated client secret with SHA-256. A generated secret
// has 256 random bits and can't be guessed, so it needs no slow hash. For a
// secret that a person chose, use its bcrypt hash with [ParseSecretHash].
func HashSecret(secret string) SecretHash {
	sum := sha256.Sum256([]byte(secret))
	return newSecretHash(sha256Prefix + hex.EncodeToString(sum[:]))
}

func newSecretHash(text string) SecretHash { return SecretHash{text: &text} }

// ParseSecretHash parses the text of a hash: from [SecretHash.Reveal], or the
// bcrypt hash of an imported secret. The error for any other text doesn't
// repeat it.
func ParseSecretHash(text string) (SecretHash, error) {
	if digits, ok := strings.CutPrefix(text, sha256Prefix); ok {
		if raw, err := hex.DecodeString(digits); err == nil && len(raw) == sha256.Size && strings.ToLower(digits) == digits {
			return newSecretHash(text), nil
		}
	}
	if isBcrypt(text) {
		return newSecretHash(text), nil
	}
	return SecretHash{}, errors.New(`store: not a secret's hash: want "sha256:" and 64 lower-case hexadecimal digits, or a bcrypt hash`)
}

// isBcrypt reports whether text has the form "$2b$10$" and 53 characters of
// bcrypt's alphabet.
func isBcrypt(text string) bool {
	if len(text) != 60 || text[0] != '$' || text[1] != '2' || !strings.ContainsRune("abxy", rune(text[2])) || text[3] != '$' ||
		text[4] < '0' || text[4] > '3' || text[5] < '0' || text[5] > '9' || text[6] != '$' {
		return false
	}
	for _, c := range []byte(text[7:]) {
		if c != '.' && c != '/' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// Reveal returns the text of the hash, to store and read back with
// [ParseSecretHash]. It is empty for the zero SecretHash.
func (h SecretHash) Reveal() string {
	if h.text == nil {
		return ""
	}
	return *h.text
}

// IsZero reports whether h is the zero SecretHash.
func (h SecretHash) IsZero() bool { return h.Reveal() == "" }

// SHA256 returns the hash of a generated secret; ok is false for any other.
func (h SecretHash) SHA256() (sum [sha256.Size]byte, ok bool) {
	digits, ok := strings.CutPrefix(h.Reveal(), sha256Prefix)
	if !ok {
		return sum, false
	}
	_, err := hex.Decode(sum[:], []byte(digits))
	return sum, err == nil
}

const redacted = "[redacted]"

// String returns "[redacted]".
func (h SecretHash) String() string { return redacted }

// Format writes "[redacted]" for every verb.
func (h SecretHash) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (h SecretHash) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]", which UnmarshalText refuses. For an
// application from [Application.Revealed] it returns the text of the hash.
func (h SecretHash) MarshalText() ([]byte, error) {
	if h.revealed {
		return []byte(h.Reveal()), nil
	}
	return []byte(redacted), nil
}

// UnmarshalText parses what Reveal returned.
func (h *SecretHash) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*h = SecretHash{}
		return nil
	}
	parsed, err := ParseSecretHash(string(text))
	if err != nil {
		return err
	}
	*h = parsed
	return nil
}
