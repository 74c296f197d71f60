package provider

import (
	"context"
	"time"
)

// Keys sign what this provider issues, and check what clients sign. Package
// [github.com/latchkey-go/latchkey/provider/keys] has them: keys.New keeps keys
// in the store and rotates them, keys.Static takes those of a KMS or HSM. This
// package links no JOSE.
//
// All methods are safe for concurrent use. An error of Sign or PublicKeys means
// that the keys can't be had now, and is answered with 503.
type Keys interface {
	// Algorithms returns the JWS algorithms (RFC 7518) that Sign knows: some of
	// "RS256", "ES256" and "EdDSA".
	Algorithms() []string

	// Sign returns the claims, a JSON object, as a JWT in compact form (RFC
	// 7519).
	Sign(ctx context.Context, alg string, claims []byte) (string, error)

	// Verify returns the claims of a JWT that Sign has made with a key that is
	// still kept, whether or not it has expired. An error means that the text is
	// none.
	Verify(ctx context.Context, token string) (claims []byte, err error)

	// PublicKeys returns the JWK Set (RFC 7517) by which others verify, and how
	// long they may keep it.
	PublicKeys(ctx context.Context) (set []byte, maxAge time.Duration, err error)

	// CheckClientKeys says what keeps a client's JWK Set from being used.
	CheckClientKeys(set []byte) error

	// VerifyClient returns the claims of a JWT that is signed by a key of a
	// client's JWK Set. If known is false, no key of the set is the one that the
	// JWT names, so a newer set may have it. It knows ES256, ES384, ES512, EdDSA,
	// Ed25519, and RS and PS with 256, 384, and 512, and takes no algorithm that
	// the key isn't made for.
	VerifyClient(set []byte, token string) (claims []byte, known bool, err error)

	// DerivationKey returns 32 bytes that follow from the host's secret with the ID
	// and go into the derivation of refresh tokens, and the ID: so a copy of the
	// database and an old refresh token give nothing without the secret. The ID zero
	// stands for the secret that is used now. The key is nil if there is no such
	// secret, or none at all. The same secret has the same ID and key for as long as
	// Lifetimes.Grace, on every instance.
	DerivationKey(id uint32) (key []byte, secretID uint32)

	// Maintain makes and rotates keys. [Provider.Cleanup] calls it, and
	// [Provider.Run] through it, every few minutes on each instance.
	Maintain(ctx context.Context) error
}
