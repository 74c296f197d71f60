package keys

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json" // It refuses duplicate members, and compares names case-sensitively.
)

const (
	maxOwnToken    = 64 << 10
	maxClientToken = 8 << 10
)

// token is a JWT that was parsed but not verified. Don't trust its content.
type token struct {
	text string
	header
}

// header has the parsed members of the header (RFC 7515 section 4.1). The
// others are never used: jku, x5u, x5c, and x5t would choose the key, which the
// JWT must not do.
type header struct {
	Algorithm   string  `json:"alg"`
	KeyID       *string `json:"kid"`
	Type        *string `json:"typ"`
	ContentType *string `json:"cty"`

	// These are refused.
	JWK        josejson.RawMessage `json:"jwk"`
	Critical   josejson.RawMessage `json:"crit"`
	Base64     josejson.RawMessage `json:"b64"`
	Zip        josejson.RawMessage `json:"zip"`
	Encryption josejson.RawMessage `json:"enc"`
}

// verified lists the algorithms that a JWT may have. All are asymmetric.
var verified = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", ed25519Alg}

// ed25519Alg is the name of EdDSA with Ed25519 in RFC 9864, which some clients
// use. The package doesn't know it.
const ed25519Alg = "Ed25519"

// parseToken parses a JWT in compact form, of at most limit bytes. Errors
// contain only its kid, alg, and typ.
func parseToken(text string, limit int) (*token, error) {
	switch {
	case text == "":
		return nil, errors.New("the JWT is empty")
	case len(text) > limit:
		return nil, fmt.Errorf("the JWT has %d bytes; the maximum is %d", len(text), limit)
	case strings.HasPrefix(text, "{"):
		return nil, errors.New("the JWT is in JSON serialization; it must be in compact form")
	}
	switch parts := strings.Count(text, ".") + 1; parts {
	case 3:
	case 5:
		return nil, errors.New("the JWT is encrypted; it must only be signed")
	default:
		return nil, fmt.Errorf("the JWT has %d parts; it must have three", parts)
	}
	first, rest, _ := strings.Cut(text, ".")
	second, third, _ := strings.Cut(rest, ".")
	raw, err := decode(first)
	if err != nil {
		return nil, fmt.Errorf("the header of the JWT %w", err)
	}
	// Otherwise one signature could be encoded in many ways.
	if _, err := decode(second); err != nil {
		return nil, fmt.Errorf("the payload of the JWT %w", err)
	}
	if third == "" {
		return nil, errors.New("the JWT has no signature")
	}
	if _, err := decode(third); err != nil {
		return nil, fmt.Errorf("the signature of the JWT %w", err)
	}
	t := &token{text: text}
	if err := object(raw, &t.header); err != nil {
		return nil, fmt.Errorf("the header of the JWT %w", err)
	}
	return t, t.check()
}

// check refuses headers that no honest client sends, or that aren't supported.
func (h *header) check() error {
	for _, refused := range []struct {
		name  string
		value josejson.RawMessage
	}{{"jwk", h.JWK}, {"crit", h.Critical}, {"b64", h.Base64}, {"zip", h.Zip}, {"enc", h.Encryption}} {
		if len(refused.value) > 0 {
			return fmt.Errorf("the header of the JWT has %q, which is not accepted", refused.name)
		}
	}
	if h.ContentType != nil {
		return fmt.Errorf("the header of the JWT has the cty %.40q: nested JWTs are not accepted", *h.ContentType)
	}
	if !slices.Contains(verified, h.Algorithm) {
		return fmt.Errorf("the alg of the JWT is %.20q; it must be one of %s", h.Algorithm, strings.Join(verified, ", "))
	}
	return nil
}

// verify returns the claims if the key has signed the JWT. The key must fit its
// alg.
func (t *token) verify(key crypto.PublicKey) (claims []byte, err error) {
	if t.Algorithm == ed25519Alg {
		claims, err = t.verifyEd25519(key)
	} else {
		claims, err = t.verifyJWS(key)
	}
	if err != nil {
		return nil, err
	}
	var members map[string]any
	if err := object(claims, &members); err != nil {
		return nil, fmt.Errorf("the payload of the JWT %w", err)
	}
	return claims, nil
}

var errSignature = errors.New("the signature of the JWT is wrong: it was made with another key, or the JWT was changed")

func (t *token) verifyJWS(key crypto.PublicKey) (claims []byte, err error) {
	jws, err := jose.ParseSignedCompact(t.text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.Algorithm)})
	if err != nil {
		return nil, errors.New("the JWT can't be parsed")
	}
	if claims, err = jws.Verify(key); err != nil {
		return nil, errSignature
	}
	return claims, nil
}

// verifyEd25519 verifies the signature of the encoded header and payload (RFC
// 7515 section 5.1).
func (t *token) verifyEd25519(key crypto.PublicKey) (claims []byte, err error) {
	end := strings.LastIndexByte(t.text, '.')
	signature, err := decode(t.text[end+1:])
	public, ok := key.(ed25519.PublicKey)
	if err != nil || !ok || !ed25519.Verify(public, []byte(t.text[:end]), signature) {
		return nil, errSignature
	}
	return decode(t.text[strings.IndexByte(t.text, '.')+1 : end])
}

// object parses a JSON object without duplicate members. The caller prepends
// the object's name to the error, which has none of its content.
func object(raw []byte, to any) error {
	if len(raw) == 0 || raw[0] != '{' {
		return errors.New("is not a JSON object")
	}
	if err := josejson.Unmarshal(raw, to); err != nil {
		return errors.New("is not a JSON object, has a duplicate member, or one of the wrong type")
	}
	return nil
}

// decode decodes base64url in its canonical form: without padding, line breaks,
// and unused bits (RFC 7515 section 2).
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") { // The package ignores them.
		return nil, errNotEncoded
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errNotEncoded
	}
	return raw, nil
}

var errNotEncoded = errors.New("is not in base64url without padding")
