package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/go-jose/go-jose/v4"
)

// key is a key that is ready to sign and to be published.
type key struct {
	id, algorithm string
	public        crypto.PublicKey
	signer        crypto.Signer
	private       []byte // PKCS #8; nil for a Static key

	header    []byte // of a JWT, encoded, with the dot
	published []byte // the public key as a JWK
}

const rsaBits = 2048

// generate makes a key. RSA takes a tenth of a second or more.
func generate(alg string) (*key, error) {
	var signer crypto.Signer
	var err error
	switch alg {
	case RS256:
		signer, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case ES256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("%q is not a signature algorithm", alg)
	}
	if err != nil {
		return nil, err
	}
	k, err := newKey(signer)
	if err == nil {
		k.private, err = x509.MarshalPKCS8PrivateKey(signer)
	}
	return k, err
}

// parse parses a key that generate made.
func parse(e entry) (*key, error) {
	private, err := x509.ParsePKCS8PrivateKey(e.Private)
	if err != nil {
		return nil, err
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, errors.New("it does not sign")
	}
	k, err := newKey(signer)
	if err != nil {
		return nil, err
	}
	if k.id != e.ID || k.algorithm != e.Algorithm {
		return nil, errors.New("it does not match its kid and alg")
	}
	k.private = e.Private
	return k, nil
}

// newKey prepares a key, and computes everything that is the same for each
// signature.
func newKey(signer crypto.Signer) (*key, error) {
	k := &key{public: signer.Public(), signer: signer}
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		if n := public.N.BitLen(); n < rsaBits {
			return nil, fmt.Errorf("an RSA key of %d bits is too small: it must have at least %d", n, rsaBits)
		}
		k.algorithm = RS256
	case *ecdsa.PublicKey:
		if public.Curve != elliptic.P256() {
			return nil, fmt.Errorf("an ECDSA key on %s can't be used: ES256 needs P-256", public.Curve.Params().Name)
		}
		k.algorithm = ES256
	case ed25519.PublicKey:
		k.algorithm = EdDSA
	default:
		return nil, fmt.Errorf("a public key of type %T can't be used: it must be *rsa.PublicKey, *ecdsa.PublicKey, or ed25519.PublicKey", public)
	}
	jwk := jose.JSONWebKey{Key: k.public, Algorithm: k.algorithm, Use: "sig"}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	k.id = base64.RawURLEncoding.EncodeToString(sum)
	jwk.KeyID = k.id
	if k.published, err = jwk.MarshalJSON(); err != nil {
		return nil, err
	}
	header, err := json.Marshal(struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
		Type      string `json:"typ"`
	}{k.algorithm, k.id, "JWT"})
	k.header = append(base64.RawURLEncoding.AppendEncode(nil, header), '.')
	return k, err
}

// maxSignature is more bytes than any encoded signature has.
const maxSignature = 1 + 4*(8192/8)/3 + 4

// sign returns the claims as a JWT in compact form (RFC 7515 section 7.1).
func (k *key) sign(claims []byte) (string, error) {
	b := make([]byte, 0, len(k.header)+base64.RawURLEncoding.EncodedLen(len(claims))+maxSignature)
	b = base64.RawURLEncoding.AppendEncode(append(b, k.header...), claims)
	signature, err := k.signature(b)
	if err != nil {
		return "", fmt.Errorf("keys: the key %s can't sign: %w", k.id, err)
	}
	return string(base64.RawURLEncoding.AppendEncode(append(b, '.'), signature)), nil
}

func (k *key) signature(message []byte) ([]byte, error) {
	if k.algorithm == EdDSA {
		return k.signer.Sign(rand.Reader, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	signature, err := k.signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil || k.algorithm == RS256 {
		return signature, err
	}
	// A JWS has the two numbers concatenated (RFC 7518 section 3.4).
	var numbers struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(signature, &numbers); err != nil || len(rest) > 0 {
		return nil, errors.New("the signature is not in the format of crypto.Signer: ASN.1 with two numbers")
	}
	const size = 32
	if numbers.R.Sign() <= 0 || numbers.S.Sign() <= 0 || numbers.R.BitLen() > 8*size || numbers.S.BitLen() > 8*size {
		return nil, errors.New("the numbers of the signature are out of range")
	}
	raw := make([]byte, 2*size)
	numbers.R.FillBytes(raw[:size])
	numbers.S.FillBytes(raw[size:])
	return raw, nil
}

// same reports whether the key is the stored one.
func (k *key) same(e entry) bool {
	return k.id == e.ID && k.algorithm == e.Algorithm && bytes.Equal(k.private, e.Private)
}
