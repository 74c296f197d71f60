package keys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/keys"
)

// checker checks what clients sign, without its own keys.
var checker = &keys.Keys{}

// own has keys of clients, generated once.
var own = sync.OnceValue(func() (made struct {
	rsa, rsa2    *rsa.PrivateKey
	small        *rsa.PrivateKey
	ec, ec2      *ecdsa.PrivateKey
	ec384, ec521 *ecdsa.PrivateKey
	ed           ed25519.PrivateKey
}) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var err error
	for to, bits := range map[**rsa.PrivateKey]int{&made.rsa: 2048, &made.rsa2: 2048, &made.small: 1024} {
		*to, err = rsa.GenerateKey(rand.Reader, bits)
		must(err)
	}
	for to, curve := range map[**ecdsa.PrivateKey]elliptic.Curve{&made.ec: elliptic.P256(), &made.ec2: elliptic.P256(), &made.ec384: elliptic.P384(), &made.ec521: elliptic.P521()} {
		*to, err = ecdsa.GenerateKey(curve, rand.Reader)
		must(err)
	}
	_, made.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return made
})

func public(private any) crypto.PublicKey { return private.(crypto.Signer).Public() }

// jwk returns the public key as a JWK with a kid and the given members.
func jwk(private any, kid string, more ...string) string {
	raw, err := jose.JSONWebKey{Key: public(private), KeyID: kid}.MarshalJSON()
	if err != nil {
		panic(err)
	}
	text := strings.TrimSuffix(string(raw), "}")
	for _, member := range more {
		text += "," + member
	}
	return text + "}"
}

func setOf(keys ...string) []byte { return []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`) }

const someClaims = `{"iss":"client_1","sub":"client_1","jti":"1"}`

// signed returns a JWT with the header members.
func signed(alg jose.SignatureAlgorithm, private any, kid string, header ...any) string {
	options := &jose.SignerOptions{}
	for i := 0; i+1 < len(header); i += 2 {
		options.WithHeader(jose.HeaderKey(header[i].(string)), header[i+1])
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: private, KeyID: kid}}, options)
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign([]byte(someClaims))
	if err != nil {
		panic(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return token
}

func b64(raw string) string { return base64.RawURLEncoding.EncodeToString([]byte(raw)) }

// handmade returns a JWT with the given header and payload, signed as RS256,
// ES256, or EdDSA.
func handmade(private any, header, payload string) string {
	return signText(private, b64(header)+"."+b64(payload))
}

func signText(private any, text string) string {
	digest := sha256.Sum256([]byte(text))
	var signature []byte
	var err error
	switch private := private.(type) {
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
	case *ecdsa.PrivateKey:
		var r, s *big.Int
		r, s, err = ecdsa.Sign(rand.Reader, private, digest[:])
		signature = make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
	case ed25519.PrivateKey:
		signature = ed25519.Sign(private, []byte(text))
	}
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestHonestClients(t *testing.T) {
	k := own()
	all := setOf(jwk(k.rsa, "rsa"), jwk(k.ec, "ec"), jwk(k.ec384, "ec384"), jwk(k.ec521, "ec521"), jwk(k.ed, "ed"))
	for name, tt := range map[string]struct {
		set   []byte
		token string
	}{
		"RS256": {all, signed(jose.RS256, k.rsa, "rsa")},
		"RS384": {all, signed(jose.RS384, k.rsa, "rsa")},
		"RS512": {all, signed(jose.RS512, k.rsa, "rsa")},
		"PS256": {all, signed(jose.PS256, k.rsa, "rsa")},
		"PS384": {all, signed(jose.PS384, k.rsa, "rsa")},
		"PS512": {all, signed(jose.PS512, k.rsa, "rsa")},
		"ES256": {all, signed(jose.ES256, k.ec, "ec")},
		"ES384": {all, signed(jose.ES384, k.ec384, "ec384")},
		"ES512": {all, signed(jose.ES512, k.ec521, "ec521")},
		"EdDSA": {all, signed(jose.EdDSA, k.ed, "ed")},

		"EdDSA by its new name":             {all, handmade(k.ed, `{"alg":"Ed25519","kid":"ed"}`, someClaims)},
		"EdDSA by one name, and by another": {setOf(jwk(k.ed, "ed", `"alg":"EdDSA"`)), handmade(k.ed, `{"alg":"Ed25519","kid":"ed"}`, someClaims)},
		"and the other way round":           {setOf(jwk(k.ed, "ed", `"alg":"Ed25519"`)), signed(jose.EdDSA, k.ed, "ed")},

		"no kid, one key that fits":              {all, signed(jose.ES256, k.ec, "")},
		"a kid, and a key without one":           {setOf(jwk(k.ec, ""), jwk(k.ec2, "other")), signed(jose.ES256, k.ec, "ec")},
		"the same kid for other algorithms":      {setOf(jwk(k.rsa, "1"), jwk(k.ec, "1")), signed(jose.ES256, k.ec, "1")},
		"typ JWT":                                {all, signed(jose.ES256, k.ec, "ec", "typ", "JWT")},
		"typ jwt":                                {all, signed(jose.ES256, k.ec, "ec", "typ", "jwt")},
		"typ application/JWT":                    {all, signed(jose.ES256, k.ec, "ec", "typ", "application/JWT")},
		"typ client-authentication+jwt":          {all, signed(jose.ES256, k.ec, "ec", "typ", "client-authentication+jwt")},
		"what the key is for":                    {setOf(jwk(k.ec, "ec", `"use":"sig"`, `"alg":"ES256"`, `"key_ops":["verify"]`)), signed(jose.ES256, k.ec, "ec")},
		"certificates, which are ignored":        {setOf(jwk(k.ec, "ec", `"x5c":["junk"]`, `"x5t":"junk"`, `"x5u":"junk"`)), signed(jose.ES256, k.ec, "ec", "x5t", "AAAA", "jku", "https://evil.example.com")},
		"unknown members":                        {setOf(jwk(k.ec, "ec", `"iat":1`, `"exp":"never"`)), signed(jose.ES256, k.ec, "ec", "more", map[string]int{"a": 1})},
		"unknown keys":                           {setOf(`{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"}`, `{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA","kid":"k"}`, `{"kty":"new"}`, `{}`, `7`, `{"kty":5}`, jwk(k.ec, "ec")), signed(jose.ES256, k.ec, "ec")},
		"a key for encryption with the same kid": {setOf(jwk(k.ec2, "ec", `"use":"enc"`), jwk(k.ec, "ec")), signed(jose.ES256, k.ec, "ec")},
		"spaces around the set":                  {[]byte("\n " + string(all) + "\n"), signed(jose.ES256, k.ec, "ec")},
		"spaces in the JSON":                     {all, handmade(k.ec, "{ \"alg\" : \"ES256\" }", someClaims)},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, checker.CheckClientKeys(tt.set))
			claims, known, err := checker.VerifyClient(tt.set, tt.token)
			require.NoError(t, err)
			require.True(t, known)
			require.Equal(t, someClaims, string(claims))
		})
	}
}

func TestCheckClientKeys(t *testing.T) {
	k := own()
	private := func(key any) string {
		raw, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "k"})
		require.NoError(t, err)
		return string(raw)
	}
	for name, tt := range map[string]struct {
		set  string
		want string
	}{
		"no JSON":               {`keys`, "the JWK Set is not a JSON object"},
		"null":                  {`null`, "the JWK Set is not a JSON object"},
		"no keys":               {`{}`, `has no "keys"`},
		"null keys":             {`{"keys":null}`, `has no "keys"`},
		"an empty list":         {`{"keys":[]}`, "has no keys"},
		"a key and no list":     {`{"keys":{}}`, "wrong type"},
		"an RSA private key":    {string(setOf(jwk(k.ec, "ok"), private(k.rsa))), `the key "k" is private`},
		"an EC private key":     {string(setOf(private(k.ec))), "is private"},
		"an Ed25519 one":        {string(setOf(private(k.ed))), "is private"},
		"a symmetric key":       {string(setOf(jwk(k.ec, "ok"), `{"kty":"oct","k":"AAAA"}`)), "a key without a kid is private or symmetric"},
		"a symmetric key of no": {string(setOf(jwk(k.ec, "ok"), `{"kty":"OCT"}`)), "symmetric"},
		"private, but unread":   {string(setOf(jwk(k.ec, "ok"), `{"kty":"RSA","d":"AAAA","n":5}`)), "private"},
		"only for encryption":   {string(setOf(jwk(k.ec, "k", `"use":"enc"`))), `the key "k" has the use "enc", not sig`},
		"for another algorithm": {string(setOf(jwk(k.ec, "k", `"alg":"RS256"`))), "so it does not verify RS256"},
		"for key agreement":     {string(setOf(jwk(k.ec, "k", `"alg":"ECDH-ES"`))), `is for the alg "ECDH-ES"`},
		"small":                 {string(setOf(jwk(k.small, "k"))), "1024 bits; it must have at least 2048"},
		"several reasons":       {string(setOf(jwk(k.small, "1"), jwk(k.ec, "2", `"use":"enc"`))), "1024 bits; it must have at least 2048\nthe key \"2\" has the use"},
		"no kty":                {`{"keys":[{}]}`, "a key without a kid can't be used"},
		"no n":                  {`{"keys":[{"kty":"RSA","e":"AQAB"}]}`, "can't be used"},
		"X25519":                {`{"keys":[{"kty":"OKP","crv":"X25519","x":"` + b64(strings.Repeat("x", 32)) + `"}]}`, "can't be used"},
		"a number":              {`{"keys":[7]}`, "a key without a kid is not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checker.CheckClientKeys([]byte(tt.set))
			require.ErrorContains(t, err, tt.want)
			require.Less(t, len(err.Error()), 500)
		})
	}
}
