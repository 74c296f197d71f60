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

// Secret is a client secret or a token that is shown once. It prints, logs, and
// encodes as "[redacted]", so it can't end up in a log by mistake. Only
// [Secret.Reveal] returns its value. The zero Secret is empty.
type Secret struct {
	// A pointer, because package fmt prints the fields of a struct in an
	// unexported field without calling the methods below.
	value *string
}

// NewSecret wraps a secret from another source, such as the environment.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal returns the secret itself, or "" if there is none.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// Format writes "[redacted]" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// newSecret generates a client secret of 256 random bits. It has only letters
// and digits, because clients disagree on how to encode the Basic header, and
// letters and digits are the same in every encoding.
func newSecret(now time.Time) (Secret, store.ClientSecret) {
	text := randomText(43)
	return NewSecret(text), store.ClientSecret{ID: uuid.NewString(), Hash: store.HashSecret(text), CreatedAt: now}
}

// maxBcryptCost bounds the time to check an imported secret. A cost of 12 takes
// about a quarter of a second.
const maxBcryptCost = 12

// secretVerifier compares presented client secrets with stored hashes.
//
// Checking an imported secret is slow by design. So the result is remembered,
// under a key that never leaves the process. Each client has one check at a
// time, so that guesses at the secret of one client don't delay others. The
// total number of checks is bounded, so that other requests get CPU time.
type secretVerifier struct {
	timeout time.Duration // of waiting for a check
	slots   chan struct{}

	key          [32]byte
	mu           sync.Mutex
	right, wrong map[[32]byte]struct{}
	turns        map[string]*turn // by hash, while a request waits or checks
}

// A turn lets the checks of one hash run one at a time.
type turn struct {
	taken chan struct{}
	users int
}

// maxRemembered bounds how many right secrets, and how many wrong ones, are
// remembered.
const maxRemembered = 4096

func newSecretVerifier(timeout time.Duration) *secretVerifier {
	v := &secretVerifier{
		timeout: timeout,
		slots:   make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		right:   map[[32]byte]struct{}{},
		wrong:   map[[32]byte]struct{}{},
		turns:   map[string]*turn{},
	}
	rand.Read(v.key[:]) // It never fails; it would end the program.
	return v
}

// hashesTo reports whether the presented secret has the hash, in constant time.
func hashesTo(presented string, want [sha256.Size]byte) bool {
	sum := sha256.Sum256([]byte(presented))
	return subtle.ConstantTimeCompare(sum[:], want[:]) == 1
}

// verify reports whether the presented secret is one of the given secrets that
// haven't expired. An error means that the context ended first.
func (v *secretVerifier) verify(ctx context.Context, presented string, secrets []store.ClientSecret, now time.Time) (bool, error) {
	for _, s := range secrets {
		if !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt) {
			continue
		}
		var same bool
		if want, generated := s.Hash.SHA256(); generated {
			same = hashesTo(presented, want)
		} else {
			var err error
			if same, err = v.verifyImported(ctx, presented, s.Hash.Reveal()); err != nil {
				return false, err
			}
		}
		if same {
			return true, nil
		}
	}
	return false, nil
}

func (v *secretVerifier) verifyImported(ctx context.Context, presented, hash string) (bool, error) {
	mac := hmac.New(sha256.New, v.key[:])
	io.WriteString(mac, hash) // Its length is fixed, so what follows is unambiguous.
	io.WriteString(mac, presented)
	id := [32]byte(mac.Sum(nil))
	if same, known := v.remembered(id); known {
		return same, nil
	}
	ctx, stop := withTimeout(ctx, v.timeout)
	defer stop()
	mine := v.turnOf(hash)
	defer v.leave(hash, mine)
	for _, wait := range []chan struct{}{mine.taken, v.slots} {
		select {
		case wait <- struct{}{}:
			defer func() { <-wait }()
		case <-ctx.Done():
			return false, ctx.Err()
		}
		if same, known := v.remembered(id); known { // Another request has checked it meanwhile.
			return same, nil
		}
	}
	same := bcrypt.CompareHashAndPassword([]byte(hash), []byte(presented)) == nil
	v.remember(id, same)
	return same, nil
}

func (v *secretVerifier) remembered(id [32]byte) (same, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, right := v.right[id]
	_, wrong := v.wrong[id]
	return right, right || wrong
}

// remember saves the result. Wrong secrets don't replace right ones.
func (v *secretVerifier) remember(id [32]byte, same bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	found := v.wrong
	if same {
		found = v.right
	}
	if len(found) >= maxRemembered {
		clear(found) // The slow check is repeated once for each of them.
	}
	found[id] = struct{}{}
}

func (v *secretVerifier) turnOf(hash string) *turn {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.turns[hash]
	if t == nil {
		t = &turn{taken: make(chan struct{}, 1)}
		v.turns[hash] = t
	}
	t.users++
	return t
}

func (v *secretVerifier) leave(hash string, t *turn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(v.turns, hash)
	}
}
