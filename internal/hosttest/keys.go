package hosttest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Keys signs like a provider.Keys, with ES256 and one key. Tests here can't use
// the real ones, because their module requires this one.
type Keys struct {
	key *ecdsa.PrivateKey

	// Fails is the error that each method returns while it is set.
	Fails atomic.Pointer[error]

	// Secrets are the IDs of the host's secrets, the current one first. If nil, it
	// has none.
	Secrets atomic.Pointer[[]uint32]

	// Signed counts the signatures, and Maintained the calls of Maintain.
	Signed, Maintained atomic.Int64
}

// NewKeys returns Keys with a new key.
func NewKeys() *Keys {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return &Keys{key: key}
}

// Fail makes every method return err, or work again if it is nil.
func (k *Keys) Fail(err error) {
	if err == nil {
		k.Fails.Store(nil)
		return
	}
	k.Fails.Store(&err)
}

func (k *Keys) failure() error {
	if err := k.Fails.Load(); err != nil {
		return *err
	}
	return nil
}

// Algorithms returns "ES256".
func (k *Keys) Algorithms() []string { return []string{"ES256"} }

// Sign signs the claims.
func (k *Keys) Sign(_ context.Context, alg string, claims []byte) (string, error) {
	if err := k.failure(); err != nil {
		return "", err
	}
	if alg != "ES256" {
		return "", errors.New("hosttest: these keys sign only with ES256")
	}
	k.Signed.Add(1)
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, k.key, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)), nil
}

// Verify returns the claims of a token from Sign.
func (k *Keys) Verify(_ context.Context, token string) ([]byte, error) {
	if err := k.failure(); err != nil {
		return nil, err
	}
	text, signature, ok := cutLast(token, ".")
	_, payload, _ := strings.Cut(text, ".")
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if !ok || err != nil || len(raw) != 64 {
		return nil, errors.New("hosttest: the token isn't from these keys")
	}
	sum := sha256.Sum256([]byte(text))
	if !ecdsa.Verify(&k.key.PublicKey, sum[:], new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])) {
		return nil, errors.New("hosttest: the signature is wrong")
	}
	return base64.RawURLEncoding.DecodeString(payload)
}

// PublicKeys returns the public key.
func (k *Keys) PublicKeys(context.Context) ([]byte, time.Duration, error) {
	if err := k.failure(); err != nil {
		return nil, 0, err
	}
	point, err := k.key.PublicKey.Bytes()
	if err != nil {
		return nil, 0, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	set, err := json.Marshal(map[string]any{"keys": []map[string]string{
		{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "x": encode(point[1:33]), "y": encode(point[33:])},
	}})
	return set, time.Hour, err
}

// DerivationKey returns a key for each of Secrets.
func (k *Keys) DerivationKey(id uint32) (key []byte, secretID uint32) {
	secrets := k.Secrets.Load()
	if secrets == nil {
		return nil, 0
	}
	for _, known := range *secrets {
		if id == 0 || known == id {
			key = make([]byte, 32)
			binary.BigEndian.PutUint32(key, known)
			return key, known
		}
	}
	return nil, 0
}

// CheckClientKeys accepts a set from [Keys.ClientKeySet].
func (k *Keys) CheckClientKeys(set []byte) error {
	_, err := clientKeys(set)
	return err
}

// VerifyClient verifies a token from [Keys.SignAs].
func (k *Keys) VerifyClient(set []byte, token string) (claims []byte, known bool, err error) {
	clients, err := clientKeys(set)
	if err != nil {
		return nil, false, err
	}
	named, rest, _ := strings.Cut(token, ".")
	header, err := base64.RawURLEncoding.DecodeString(named)
	var h struct{ Kid string }
	if err != nil || json.Unmarshal(header, &h) != nil {
		return nil, true, errors.New("hosttest: malformed token")
	}
	public := clients[h.Kid]
	if public == nil {
		return nil, false, errors.New("hosttest: the set has no key with the kid of the token")
	}
	claims, err = (&Keys{key: &ecdsa.PrivateKey{PublicKey: *public}}).Verify(context.Background(), named+"."+rest)
	return claims, true, err
}

// SignAs signs claims as a client whose key has the kid.
func (k *Keys) SignAs(kid string, claims []byte) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"ES256","kid":"`+kid+`"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, k.key, sum[:])
	if err != nil {
		panic(err)
	}
	return text + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// ClientKeySet returns the JWK Set of a client with this one key, with the kid.
func (k *Keys) ClientKeySet(kid string) string {
	point, err := k.key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return `{"keys":[{"kty":"EC","crv":"P-256","kid":"` + kid + `","x":"` + encode(point[1:33]) + `","y":"` + encode(point[33:]) + `"}]}`
}

// clientKeys reads the keys of a client's set, by kid.
func clientKeys(set []byte) (map[string]*ecdsa.PublicKey, error) {
	var read struct {
		Keys []struct{ Kid, X, Y string }
	}
	if err := json.Unmarshal(set, &read); err != nil || len(read.Keys) == 0 {
		return nil, errors.New("hosttest: not a JWK Set with keys")
	}
	keys := map[string]*ecdsa.PublicKey{}
	for _, one := range read.Keys {
		x, badX := base64.RawURLEncoding.DecodeString(one.X)
		y, badY := base64.RawURLEncoding.DecodeString(one.Y)
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
		if err = errors.Join(badX, badY, err); err != nil {
			return nil, err
		}
		keys[one.Kid] = public
	}
	return keys, nil
}

// Maintain counts.
func (k *Keys) Maintain(context.Context) error {
	k.Maintained.Add(1)
	return k.failure()
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
