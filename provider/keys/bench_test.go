package keys_test

import (
	"crypto"
	"crypto/rand"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/keys"
	"github.com/latchkey-go/latchkey/store/memory"
)

// An ID token as it usually is.
const idToken = `{"iss":"https://app.example.com","sub":"user_2b9XkQ1","aud":"client_8Jq2","exp":1772370000,"iat":1772366400,` +
	`"auth_time":1772366000,"nonce":"n-0S6_WzA2Mj","at_hash":"77QmUPtjPfzWtF2AnpK9RQ","email":"ada@example.com","email_verified":true,"name":"Ada Lovelace"}`

func all(tb testing.TB) *keys.Keys {
	tb.Helper()
	k, err := keys.New(ctx, keys.Options{Store: memory.New(), Secrets: []string{secret}, Algorithms: []string{keys.RS256, keys.ES256, keys.EdDSA}})
	require.NoError(tb, err)
	return k
}

// A signature costs only what Go's package needs for it, and the text: it
// parses no key, encodes no header, and doesn't call the store.
func TestAllocationsOfSign(t *testing.T) {
	k, own, digest := all(t), own(), make([]byte, 32)
	for _, tt := range []struct {
		alg     string
		signer  crypto.Signer
		options crypto.SignerOpts
		more    float64
	}{
		{keys.RS256, own.rsa, crypto.SHA256, 3},
		{keys.ES256, own.ec, crypto.SHA256, 10}, // It comes as ASN.1.
		{keys.EdDSA, own.ed, crypto.Hash(0), 3},
	} {
		bare := testing.AllocsPerRun(100, func() {
			if _, err := tt.signer.Sign(rand.Reader, digest, tt.options); err != nil {
				t.Fatal(err)
			}
		})
		got := testing.AllocsPerRun(100, func() {
			if _, err := k.Sign(ctx, tt.alg, []byte(idToken)); err != nil {
				t.Fatal(err)
			}
		})
		t.Log(tt.alg, got, "of which", bare, "are Go's")
		require.LessOrEqual(t, got, bare+tt.more, tt.alg)
	}
}

func BenchmarkSign(b *testing.B) {
	k := all(b)
	for _, alg := range k.Algorithms() {
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Sign(ctx, alg, []byte(idToken)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	k := all(b)
	for _, alg := range k.Algorithms() {
		token := sign(b, k, alg)
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Verify(ctx, token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyClient(b *testing.B) {
	k := own()
	set := setOf(jwk(k.rsa, "rsa"), jwk(k.ec, "ec"), jwk(k.ed, "ed"))
	for alg, token := range map[string]string{
		"RS256": signed(jose.RS256, k.rsa, "rsa"), "ES256": signed(jose.ES256, k.ec, "ec"), "EdDSA": signed(jose.EdDSA, k.ed, "ed"),
	} {
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := checker.VerifyClient(set, token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPublicKeys(b *testing.B) {
	k := all(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := k.PublicKeys(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
