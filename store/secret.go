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

// ClientSecret is one of an application's client secrets, hashed. An application
// has more than one while its secret is being rotated.
type ClientSecret struct {
	ID        string
	Hash      SecretHash
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
}

// SecretHash is what is kept of a client secret. Its text says which kind of
// hash it is: "sha256:" and 64 hexadecimal digits for a generated secret, or a
// bcrypt hash for an imported one. No function makes one from a text that is
// neither, so that a plain secret cannot be kept by mistake.
//
// It prints, logs, and encodes as "[redacted]", because the hash of a secret
// that a person chose can be guessed from. Only [SecretHash.Reveal] gives the
// text; [Application.Revealed] is for a backend that keeps JSON.
type SecretHash struct {
	// A pointer, because package fmt prints the fields of a struct in an
	// unexported field without asking for the methods below.
	text *string

	revealed bool // MarshalText gives the text
}

const sha256Prefix = "sha256:"

// HashSecret hashes a generated client secret with SHA-256. A generated secret
// has 256 random bits, so there is nothing to guess and no need for a slow
// hash. Secrets that a person chose are imported by their bcrypt hash.
func HashSecret(secret string) SecretHash {
	sum := sha256.Sum256([]byte(secret))
	return newSecretHash(sha256Prefix + hex.EncodeToString(sum[:]))
}

func newSecretHash(text string) SecretHash { return SecretHash{text: &text} }

// ParseSecretHash reads a kept hash: what [SecretHash.Reveal] returned, or the
// bcrypt hash of a secret that is imported. Anything else is an error that
// does not repeat the text.
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

// Reveal returns the hash as text, to be kept and read back with
// [ParseSecretHash]. The zero SecretHash is the empty text.
func (h SecretHash) Reveal() string {
	if h.text == nil {
		return ""
	}
	return *h.text
}

// IsZero reports whether there is no hash.
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

// Format writes "[redacted]" whatever the verb.
func (h SecretHash) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (h SecretHash) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]", which UnmarshalText refuses. In an
// application that [Application.Revealed] returned it is the text.
func (h SecretHash) MarshalText() ([]byte, error) {
	if h.revealed {
		return []byte(h.Reveal()), nil
	}
	return []byte(redacted), nil
}

// UnmarshalText reads what Reveal returned.
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
