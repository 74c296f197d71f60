package provider

import (
	"context"
	"time"
)

// Keys signs what the provider issues and verifies what clients sign. Package
// [github.com/latchkey-go/latchkey/provider/keys] implements it: keys.New keeps
// keys in the store and rotates them, and keys.Static uses keys of a KMS or
// HSM. This package links no JOSE library.
//
// All methods must be safe for concurrent use. An error of Sign or PublicKeys
// means that the keys are not available now; Latchkey answers with 503.
type Keys interface {
	// Algorithms returns the JWS algorithms (RFC 7518) that Sign supports: some
	// of "RS256", "ES256", and "EdDSA".
	Algorithms() []string

	// Sign returns the claims, a JSON object, as a signed JWT in compact form
	// (RFC 7519).
	Sign(ctx context.Context, alg string, claims []byte) (string, error)

	// Verify returns the claims of a JWT that Sign made with a key that is still
	// kept, even if the JWT has expired. It returns an error for any other text.
	Verify(ctx context.Context, token string) (claims []byte, err error)

	// PublicKeys returns the JWK Set (RFC 7517) for verification, and how long
	// others may cache it.
	PublicKeys(ctx context.Context) (set []byte, maxAge time.Duration, err error)

	// CheckClientKeys returns an error if a client's JWK Set can't be used.
	CheckClientKeys(set []byte) error

	// VerifyClient returns the claims of a JWT that is signed with a key of a
	// client's JWK Set. If known is false, the set lacks the key that the JWT
	// names, so a newer set may have it. It supports ES256, ES384, ES512, EdDSA,
	// Ed25519, and RS and PS with 256, 384, and 512, and refuses an algorithm
	// that the key isn't made for.
	VerifyClient(set []byte, token string) (claims []byte, known bool, err error)

	// DerivationKey returns 32 bytes derived from the host's secret with the
	// given ID, and that ID. They go into the derivation of refresh tokens, so a
	// stolen database and an old refresh token don't yield the current one. The
	// ID 0 means the current secret. The key is nil if there is no such secret.
	// For as long as Lifetimes.Grace, the same secret must have the same ID and
	// key on every instance.
	DerivationKey(id uint32) (key []byte, secretID uint32)

	// Maintain makes and rotates keys. [Provider.Cleanup] calls it, and through
	// it [Provider.Run], every few minutes on each instance.
	Maintain(ctx context.Context) error
}
