package provider

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/store"
)

// Secret is a client secret or a token that is shown once. It prints, logs and
// encodes as "[redacted]"; only [Secret.Reveal] gives its value, so that it
// does not get into a log by mistake. The zero Secret is no secret.
type Secret struct {
	// A pointer, because package fmt prints the fields of a struct in an
	// unexported field without asking for the methods below.
	value *string
}

// NewSecret wraps a secret that the host has from elsewhere, such as from its
// environment.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal returns the secret itself, or "" if there is none.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

const redacted = "[redacted]"

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// Format writes "[redacted]" whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// newSecret makes a client secret of 256 random bits, in letters and digits
// only: clients disagree on how the Basic header is encoded, and those are the
// same in every reading.
func newSecret(now time.Time) (Secret, store.ClientSecret) {
	text := randomText(43)
	return NewSecret(text), store.ClientSecret{ID: uuid.NewString(), Hash: store.HashSecret(text), CreatedAt: now}
}

// maxBcryptCost bounds what an imported secret may cost to check: at 12 it is
// about a quarter of a second.
const maxBcryptCost = 12

// secretVerifier compares presented client secrets with kept hashes.
type secretVerifier struct {
	// generated compares with the hash of a generated secret. It is a field so
	// that a test can count what an unknown client costs.
	generated func(presented string, want [sha256.Size]byte) bool

	// Checking an imported secret is slow by design, so a secret that was
	// found right is remembered, under a key that never leaves the process.
	key  [32]byte
	mu   sync.Mutex
	good map[[32]byte]struct{}

	// slots bounds how many slow checks run at once, so that a burst of them
	// leaves the machine something to serve everybody else with.
	slots chan struct{}

	timeout time.Duration // of waiting for a slot
}

const maxRemembered = 4096

func newSecretVerifier(timeout time.Duration) *secretVerifier {
	v := &secretVerifier{
		timeout:   timeout,
		generated: hashesTo,
		good:      map[[32]byte]struct{}{},
		slots:     make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}
	rand.Read(v.key[:]) // Never fails: it would end the program.
	return v
}

func hashesTo(presented string, want [sha256.Size]byte) bool {
	sum := sha256.Sum256([]byte(presented))
	return subtle.ConstantTimeCompare(sum[:], want[:]) == 1
}

// unknownClient is compared with where there is no application, so that the
// answer for an unknown client takes the steps of one for a wrong secret.
var unknownClient = []store.ClientSecret{{Hash: store.HashSecret("")}}

// verify reports whether the presented secret is one of the given that live.
// An error means that the context ended before it was known.
func (v *secretVerifier) verify(ctx context.Context, presented string, secrets []store.ClientSecret, now time.Time) (bool, error) {
	found := false
	for _, s := range secrets {
		live := s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt)
		if want, ok := s.Hash.SHA256(); ok {
			same := v.generated(presented, want)
			found = found || same && live
			continue
		}
		if !live || found {
			continue
		}
		same, err := v.verifyImported(ctx, presented, s.Hash.Reveal())
		if err != nil {
			return false, err
		}
		found = same
	}
	return found && presented != "", nil
}

func (v *secretVerifier) verifyImported(ctx context.Context, presented, hash string) (bool, error) {
	mac := hmac.New(sha256.New, v.key[:])
	io.WriteString(mac, hash) // Of a fixed length, so that it cannot be confused with what follows.
	io.WriteString(mac, presented)
	id := [32]byte(mac.Sum(nil))
	v.mu.Lock()
	_, known := v.good[id]
	v.mu.Unlock()
	if known {
		return true, nil
	}
	ctx, stop := withTimeout(ctx, v.timeout)
	defer stop()
	select {
	case v.slots <- struct{}{}:
		defer func() { <-v.slots }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if bcrypt.CompareHashAndPassword([]byte(hash), []byte(presented)) != nil {
		return false, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.good) >= maxRemembered {
		clear(v.good) // They are paid for once more; nothing else is lost.
	}
	v.good[id] = struct{}{}
	return true, nil
}
