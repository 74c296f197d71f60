package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"
)

// The limits of a client's JWK Set.
const (
	maxSet  = 64 << 10
	maxKeys = 20

	maxRSABits = 4096                     // go-jose's limit
	maxModulus = (maxRSABits/8*8 + 5) / 6 // encoded
)

// clientKey is one key of a client's JWK Set (RFC 7517 section 4).
type clientKey struct {
	Type       string   `json:"kty"`
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	Algorithm  string   `json:"alg"`
	ID         string   `json:"kid"`

	Curve string `json:"crv"`
	N     string `json:"n"`
	E     string `json:"e"`
	X     string `json:"x"`
	Y     string `json:"y"`

	// Private members (RFC 7518 section 6, RFC 8037 section 2, RFC 9964).
	D     josejson.RawMessage `json:"d"`
	P     josejson.RawMessage `json:"p"`
	Q     josejson.RawMessage `json:"q"`
	DP    josejson.RawMessage `json:"dp"`
	DQ    josejson.RawMessage `json:"dq"`
	QI    josejson.RawMessage `json:"qi"`
	Other josejson.RawMessage `json:"oth"`
	K     josejson.RawMessage `json:"k"`
	Priv  josejson.RawMessage `json:"priv"`

	unread error // why it can't be parsed
}

// CheckClientKeys returns nil if a client's JWK Set (RFC 7517) is usable. The
// set must be a JSON object with "keys", at most 64 KiB and 20 keys. No key may
// be private or symmetric. At least one must be able to verify signatures: an
// RSA key of 2048 to 4096 bits, an ECDSA key on P-256, P-384, or P-521, or an
// Ed25519 key, without a use other than "sig" and without key_ops other than
// "verify". Other keys are ignored (section 5).
//
// The error says what is wrong with each key. It contains nothing of the keys
// except their kid.
func (k *Keys) CheckClientKeys(set []byte) error {
	keys, err := parseSet(set)
	if err != nil {
		return err
	}
	usable := false
	var wrong []error
	for i := range keys {
		if keys[i].private() {
			return fmt.Errorf("%s is private or symmetric: anyone who has seen it can sign as the client, so replace it", keys[i].name())
		}
		if _, err := keys[i].public(); err != nil {
			wrong = append(wrong, fmt.Errorf("%s %w", keys[i].name(), err))
			continue
		}
		usable = true
	}
	switch {
	case usable:
		return nil
	case len(wrong) == 0:
		return errors.New("the JWK Set has no keys")
	default:
		return fmt.Errorf("the JWK Set has no usable key: %w", errors.Join(wrong...))
	}
}

// VerifyClient verifies a JWT that a client signed with a key of its JWK Set
// (RFC 7523), and returns its claims. It doesn't validate the claims.
//
// The JWT must be in compact form, at most 8 KiB, and its alg must be RS256,
// RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, or Ed25519.
// Its typ must be absent, "JWT", or "client-authentication+jwt". The key must
// fit the alg by kty, crv, and by use, key_ops, and alg if it has them. It is
// the key with the kid of the JWT, or one without a kid; if several fit, the
// JWT is refused.
//
// If known is false, the only problem is that no key of the set has the JWT's
// kid, or that the JWT has no kid. A cached set may be out of date then. Errors
// never contain the JWT.
func (k *Keys) VerifyClient(set []byte, jwt string) (claims []byte, known bool, err error) {
	// The cheapest checks come first. Nothing is fetched for an invalid JWT.
	t, err := parseToken(jwt, maxClientToken)
	if err != nil {
		return nil, true, err
	}
	if t.Type != nil && !isClientType(*t.Type) {
		return nil, true, fmt.Errorf("the typ of the JWT is %.40q; it must be JWT or client-authentication+jwt", *t.Type)
	}
	keys, err := parseSet(set)
	if err != nil {
		return nil, false, err
	}
	found, known, err := choose(keys, t)
	if err != nil {
		return nil, known, err
	}
	public, err := found.public()
	if err != nil {
		return nil, known, fmt.Errorf("%s %w", found.name(), err)
	}
	claims, err = t.verify(public)
	return claims, known || err == nil, err
}

// choose returns the one key that may verify the JWT, and whether the JWT names
// a key of the set.
func choose(keys []clientKey, t *token) (found *clientKey, known bool, err error) {
	var named, fit []*clientKey
	for i := range keys {
		c := &keys[i]
		if t.KeyID != nil && c.ID == *t.KeyID {
			named = append(named, c)
		}
	}
	candidates := named
	if len(named) == 0 {
		for i := range keys {
			if t.KeyID == nil || keys[i].ID == "" {
				candidates = append(candidates, &keys[i])
			}
		}
	}
	for _, c := range candidates {
		if misfit := c.fits(t.Algorithm); misfit == nil {
			fit = append(fit, c)
		} else if len(named) > 0 {
			err = fmt.Errorf("%s %w", c.name(), misfit)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], len(named) > 0, nil
	case len(fit) > 1 && len(named) > 0:
		return nil, true, fmt.Errorf("%d keys of the client's set have the kid %.100q of the JWT", len(fit), *t.KeyID)
	case len(fit) > 1 && t.KeyID == nil:
		return nil, false, fmt.Errorf("the JWT names no kid, and %d keys of the client's set fit its alg %s", len(fit), t.Algorithm)
	case len(named) > 0:
		return nil, true, err
	case t.KeyID != nil:
		return nil, false, fmt.Errorf("the client's set has no key with the kid %.100q of the JWT", *t.KeyID)
	default:
		return nil, false, fmt.Errorf("the client's set has no key for the alg %s of the JWT", t.Algorithm)
	}
}

// isClientType compares as specified in RFC 7515 section 4.1.9.
func isClientType(typ string) bool {
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	return typ == "jwt" || typ == "client-authentication+jwt"
}

// parseSet parses a JWK Set.
func parseSet(set []byte) ([]clientKey, error) {
	if len(set) > maxSet {
		return nil, fmt.Errorf("the JWK Set has %d bytes; the maximum is %d", len(set), maxSet)
	}
	var raw struct {
		Keys []josejson.RawMessage `json:"keys"`
	}
	if err := object([]byte(strings.TrimSpace(string(set))), &raw); err != nil {
		return nil, fmt.Errorf("the JWK Set %w", err)
	}
	if raw.Keys == nil {
		return nil, errors.New(`the JWK Set has no "keys"`)
	}
	if len(raw.Keys) > maxKeys {
		return nil, fmt.Errorf("the JWK Set has %d keys; the maximum is %d", len(raw.Keys), maxKeys)
	}
	keys := make([]clientKey, len(raw.Keys))
	for i, one := range raw.Keys {
		keys[i].unread = object(one, &keys[i])
	}
	return keys, nil
}

// private reports whether the key has members of private or symmetric keys.
func (c *clientKey) private() bool {
	return strings.EqualFold(c.Type, "oct") ||
		len(slices.Concat(c.D, c.P, c.Q, c.DP, c.DQ, c.QI, c.Other, c.K, c.Priv)) > 0
}

// fits returns an error if the key is not made for the algorithm.
func (c *clientKey) fits(alg string) error {
	kty, crv := "", ""
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		kty = "RSA"
	case "ES256":
		kty, crv = "EC", "P-256"
	case "ES384":
		kty, crv = "EC", "P-384"
	case "ES512":
		kty, crv = "EC", "P-521"
	case EdDSA, ed25519Alg: // Both names mean the same algorithm, also in a key.
		kty, crv = "OKP", "Ed25519"
	}
	switch {
	case kty == "" || c.Type != kty || c.Curve != crv:
		return fmt.Errorf("is of the kty %.20q and crv %.20q, so it does not verify %s", c.Type, c.Curve, alg)
	case c.Algorithm != "" && c.Algorithm != alg && kty != "OKP":
		return fmt.Errorf("is for the alg %.20q, not for %s", c.Algorithm, alg)
	}
	return c.verifies()
}

// verifies returns an error if the key says that it is not for signatures (RFC
// 7517 sections 4.2 and 4.3).
func (c *clientKey) verifies() error {
	switch {
	case c.unread != nil:
		return c.unread
	case c.Use != "" && c.Use != "sig":
		return fmt.Errorf("has the use %.20q, not sig", c.Use)
	case c.Operations != nil && !slices.Contains(c.Operations, "verify"):
		return errors.New("has key_ops without verify")
	case c.private():
		return errors.New("is private or symmetric")
	}
	return nil
}

// public returns the key for verification.
func (c *clientKey) public() (crypto.PublicKey, error) {
	if err := c.verifies(); err != nil {
		return nil, err
	}
	if c.Algorithm != "" {
		if !slices.Contains(verified, c.Algorithm) {
			return nil, fmt.Errorf("is for the alg %.20q, which is not accepted", c.Algorithm)
		}
		if err := c.fits(c.Algorithm); err != nil {
			return nil, err
		}
	}
	if len(c.N) > maxModulus {
		return nil, fmt.Errorf("is an RSA key of more than %d bits", maxRSABits)
	}
	// Only the parameters of the key: its certificates don't matter.
	members := map[string]string{"kty": c.Type, "crv": c.Curve, "n": c.N, "e": c.E, "x": c.X, "y": c.Y}
	for name, value := range members {
		if value == "" {
			delete(members, name)
		}
	}
	raw, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(raw); err != nil {
		return nil, fmt.Errorf("can't be used: %w", err)
	}
	switch public := jwk.Key.(type) {
	case *rsa.PublicKey:
		if n := public.N.BitLen(); n < rsaBits {
			return nil, fmt.Errorf("is an RSA key of %d bits; it must have at least %d", n, rsaBits)
		}
		if public.E < 3 || public.E%2 == 0 || public.E > 1<<31-1 || public.N.Bit(0) == 0 {
			return nil, errors.New("is not an RSA key: its e or n is invalid")
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return nil, fmt.Errorf("is of the kty %.20q, which is not accepted", c.Type)
	}
	return jwk.Key, nil
}

// name identifies the key in an error.
func (c *clientKey) name() string {
	if c.ID == "" {
		return "a key without a kid"
	}
	return fmt.Sprintf("the key %.100q", c.ID)
}
