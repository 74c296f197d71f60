package hosttest

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Keys are a provider's Config.Keys of one Ed25519 key, for tests that can't
// link package keys and its JOSE, or have no use for them. They don't do what
// clients' keys are for.
type Keys struct{ private ed25519.PrivateKey }

// NewKeys returns keys that nobody else has.
func NewKeys() *Keys {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	return &Keys{private}
}

// Algorithms implements provider.Keys, as do the others.
func (k *Keys) Algorithms() []string { return []string{"EdDSA"} }

// edHeader is the one header of these JWTs.
var edHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA"}`))

func (k *Keys) Sign(_ context.Context, alg string, claims []byte) (string, error) {
	if alg != "EdDSA" {
		return "", errors.New("hosttest: no key for " + alg)
	}
	content := edHeader + "." + base64.RawURLEncoding.EncodeToString(claims)
	return content + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(k.private, []byte(content))), nil
}

func (k *Keys) Verify(_ context.Context, token string) ([]byte, error) {
	end := max(strings.LastIndexByte(token, '.'), 0)
	claims, isOurs := strings.CutPrefix(token[:end], edHeader+".")
	signature, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token[end:], "."))
	if !isOurs || err != nil || !ed25519.Verify(k.private.Public().(ed25519.PublicKey), []byte(token[:end]), signature) {
		return nil, errors.New("hosttest: not signed by this key")
	}
	return base64.RawURLEncoding.DecodeString(claims)
}

func (k *Keys) PublicKeys(context.Context) ([]byte, time.Duration, error) {
	public := base64.RawURLEncoding.EncodeToString(k.private.Public().(ed25519.PublicKey))
	set, err := json.Marshal(map[string]any{"keys": []map[string]string{{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "x": public}}})
	return set, time.Hour, err
}

func (k *Keys) CheckClientKeys([]byte) error { return errNoClientKeys }

func (k *Keys) VerifyClient([]byte, string) ([]byte, bool, error) {
	return nil, false, errNoClientKeys
}

func (k *Keys) Maintain(context.Context) error { return nil }

var errNoClientKeys = errors.New("hosttest: these keys know none of clients")
