package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fuzzed adds clients' keys and what they have signed as seeds.
func fuzzed(f *testing.F) (set []byte, tokens []string) {
	f.Helper()
	var listed []string
	for _, alg := range []string{RS256, ES256, EdDSA} {
		k, err := generate(alg)
		require.NoError(f, err)
		listed = append(listed, string(k.published))
		token, err := k.sign([]byte(`{"iss":"client_1","n":1}`))
		require.NoError(f, err)
		tokens = append(tokens, token)
	}
	return []byte(`{"keys":[` + strings.Join(listed, ",") + `]}`), tokens
}

// What VerifyClient accepts was signed with a key of the set, according to Go's
// packages, and is an object that all parsers read alike.
func FuzzVerifyClient(f *testing.F) {
	set, tokens := fuzzed(f)
	for _, token := range tokens {
		f.Add(set, token)
		f.Add([]byte(strings.ReplaceAll(string(set), `"kid"`, `"x"`)), token)
		f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""}]}`), token)
		head, rest, _ := strings.Cut(token, ".")
		for _, header := range []string{`{"alg":"none"}`, `{"alg":"HS256"}`, `{"alg":"ES256","jwk":{}}`, `{"alg":"RS256","typ":"JWT","crit":["b64"],"b64":false}`} {
			f.Add(set, base64.RawURLEncoding.EncodeToString([]byte(header))+"."+rest)
		}
		f.Add(set, head+"..")
	}
	k := &Keys{}
	f.Fuzz(func(t *testing.T, set []byte, token string) {
		claims, known, err := k.VerifyClient(set, token)
		if err != nil {
			require.Nil(t, claims)
			return
		}
		require.True(t, known)
		require.True(t, signedByOne(t, set, token), "no key of the set has signed it")
		var members map[string]any
		require.NoError(t, json.Unmarshal(claims, &members))
		parts := strings.Split(token, ".")
		for i, part := range parts {
			raw, err := base64.RawURLEncoding.DecodeString(part)
			require.NoError(t, err)
			require.Equal(t, part, base64.RawURLEncoding.EncodeToString(raw), "part %d has another form", i)
		}
	})
}

// signedByOne tries each key with Go's packages, and ignores kid, use, and the
// rest.
func signedByOne(t *testing.T, set []byte, token string) bool {
	var parsed struct {
		Keys []json.RawMessage `json:"keys"`
	}
	require.NoError(t, json.Unmarshal(set, &parsed))
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	rawHeader, _ := base64.RawURLEncoding.DecodeString(parts[0])
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	var header struct {
		Algorithm string `json:"alg"`
	}
	require.NoError(t, json.Unmarshal(rawHeader, &header))
	message := []byte(parts[0] + "." + parts[1])
	hashes := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}
	sum := message
	hash := hashes[header.Algorithm[2:]]
	if !strings.HasPrefix(header.Algorithm, "Ed") {
		h := hash.New()
		h.Write(message)
		sum = h.Sum(nil)
	}
	for _, one := range parsed.Keys {
		var m struct{ Kty, Crv, N, E, X, Y string }
		_ = json.Unmarshal(one, &m)
		number := func(text string) *big.Int {
			raw, _ := base64.RawURLEncoding.DecodeString(text)
			return new(big.Int).SetBytes(raw)
		}
		good := false
		switch header.Algorithm[:2] {
		case "RS", "PS":
			public := &rsa.PublicKey{N: number(m.N), E: int(number(m.E).Int64())}
			if m.Kty != "RSA" {
				continue
			}
			if header.Algorithm[0] == 'R' {
				good = rsa.VerifyPKCS1v15(public, hash, sum, signature) == nil
			} else {
				good = rsa.VerifyPSS(public, hash, sum, signature, nil) == nil
			}
		case "ES":
			curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[m.Crv]
			if m.Kty != "EC" || curve == nil {
				continue
			}
			half := len(signature) / 2
			good = ecdsa.Verify(&ecdsa.PublicKey{Curve: curve, X: number(m.X), Y: number(m.Y)}, sum,
				new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
		case "Ed":
			public, _ := base64.RawURLEncoding.DecodeString(m.X)
			good = m.Kty == "OKP" && len(public) == ed25519.PublicKeySize && ed25519.Verify(public, message, signature)
		}
		if good {
			return true
		}
	}
	return false
}

// What CheckClientKeys accepts has nothing private, and its keys never panic.
func FuzzCheckClientKeys(f *testing.F) {
	set, tokens := fuzzed(f)
	f.Add(set)
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AA","p":"AA","q":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-521","x":"AA","y":"AA","key_ops":["verify"],"alg":"ES512"}]}`))
	k := &Keys{}
	f.Fuzz(func(t *testing.T, set []byte) {
		for _, token := range tokens {
			_, _, _ = k.VerifyClient(set, token)
		}
		if k.CheckClientKeys(set) != nil {
			return
		}
		var parsed struct {
			Keys []any `json:"keys"`
		}
		require.NoError(t, json.Unmarshal(set, &parsed))
		require.NotEmpty(t, parsed.Keys)
		for _, one := range parsed.Keys {
			members, _ := one.(map[string]any)
			for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "k", "priv"} {
				require.NotContains(t, members, name)
			}
		}
	})
}

// Only content that was sealed with one of the secrets opens. Sealed again it
// opens with the same keys, and changing one bit closes it. Damage doesn't
// panic.
func FuzzOpen(f *testing.F) {
	secrets := []string{strings.Repeat("a", minSecret), strings.Repeat("b", minSecret)}
	k, err := generate(ES256)
	require.NoError(f, err)
	keys := []entry{{ID: k.id, Algorithm: ES256, Private: k.private, PublishedAt: start, SignsAt: start}}
	for _, secret := range secrets {
		state, err := seal(secret, keys)
		require.NoError(f, err)
		f.Add([]byte(state), uint(0), byte(1))
		f.Add([]byte(state), uint(50), byte(128))
		f.Add([]byte(state)[:headSize], uint(0), byte(1))
	}
	f.Add([]byte(`{"keys":[{"kid":"a","alg":"ES256","private":"AAAA"}]}`), uint(0), byte(1))
	f.Fuzz(func(t *testing.T, state []byte, at uint, flip byte) {
		got, _, err := open(secrets, string(state))
		if err == nil {
			again, err := seal(secrets[0], got)
			require.NoError(t, err)
			same, _, err := open(secrets, again)
			require.NoError(t, err)
			require.Equal(t, got, same)
			if flip != 0 {
				other := bytes.Clone(state)
				other[at%uint(len(other))] ^= flip
				_, _, err = open(secrets, string(other))
				require.Error(t, err)
			}
		}
		// Content is read carefully even if it was sealed with the right
		// secret.
		head := make([]byte, headSize)
		head[0] = sealVersion
		aead, id, err := derive(secrets[0], head[1:1+saltSize])
		require.NoError(t, err)
		copy(head[1+saltSize:], id)
		if got, _, err = open(secrets, string(aead.Seal(head, head[headSize-nonceSize:], state, head))); err == nil {
			_, _ = newSet(got, nil, start, 1)
		}
	})
}
