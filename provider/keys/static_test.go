package keys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/keys"
)

// remote is a signer whose key is remote: it has none of Go's types.
type remote struct {
	key crypto.Signer
	err error
	bad func(signature []byte) []byte
}

func (r *remote) Public() crypto.PublicKey { return r.key.Public() }

func (r *remote) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	signature, err := r.key.Sign(random, digest, options)
	if err == nil && r.bad != nil {
		signature = r.bad(signature)
	}
	return signature, err
}

func TestStatic(t *testing.T) {
	own := own()
	k, err := keys.Static(&remote{key: own.ec}, &remote{key: own.rsa}, &remote{key: own.ed}, &remote{key: own.ec2})
	require.NoError(t, err)
	require.Equal(t, []string{keys.ES256, keys.RS256, keys.EdDSA}, k.Algorithms())
	set := published(t, k)
	require.Len(t, set.Keys, 4)
	for i, alg := range k.Algorithms() {
		token := sign(t, k, alg)
		require.True(t, verifies(t, set, token))
		require.Equal(t, set.Keys[i].KeyID, kid(t, token), "what signs comes first")
		_, err := k.Verify(ctx, token)
		require.NoError(t, err)
	}
	require.True(t, own.ec.PublicKey.Equal(set.Keys[0].Key))
	require.NoError(t, k.Maintain(ctx))
	require.Equal(t, set, published(t, k))
	require.ErrorContains(t, k.Retire(ctx, set.Keys[0].KeyID), "static")
	list, err := k.List(ctx)
	require.NoError(t, err)
	require.Equal(t, keys.Key{ID: set.Keys[0].KeyID, Algorithm: keys.ES256, State: keys.Signing}, list[0])
	require.Equal(t, keys.Past, list[3].State)
	_, maxAge, err := k.PublicKeys(ctx)
	require.NoError(t, err)
	require.Equal(t, time.Hour, maxAge)

	// Rotating manually to the next key: it is published before it signs.
	next, err := keys.Static(&remote{key: own.ec2}, &remote{key: own.ec})
	require.NoError(t, err)
	require.True(t, verifies(t, set, sign(t, next, keys.ES256)))
	require.True(t, verifies(t, published(t, next), sign(t, k, keys.ES256)))
}

func TestStaticRefuses(t *testing.T) {
	own := own()
	_, weird, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	down := errors.New("the KMS is down")
	raw := func([]byte) []byte { return make([]byte, 64) }
	for name, tt := range map[string]struct {
		signers []crypto.Signer
		want    string
	}{
		"none":                     {nil, "needs a signer"},
		"nil":                      {[]crypto.Signer{nil}, "signer 0 is nil"},
		"a small key":              {[]crypto.Signer{&remote{key: own.small}}, "signer 0: an RSA key of 1024 bits is too small"},
		"another curve":            {[]crypto.Signer{own.ec, own.ec384}, "signer 1: an ECDSA key on P-384"},
		"another curve still":      {[]crypto.Signer{p224}, "an ECDSA key on P-224"},
		"another kind":             {[]crypto.Signer{&other{weird}}, "a public key of type string"},
		"the same twice":           {[]crypto.Signer{own.ec, &remote{key: own.ec}}, "signer 1 has the same key"},
		"one that is down":         {[]crypto.Signer{&remote{key: own.ec, err: down}}, "the KMS is down"},
		"signatures without ASN.1": {[]crypto.Signer{&remote{key: own.ec, bad: raw}}, "ASN.1"},
		"signatures of another":    {[]crypto.Signer{&remote{key: own.rsa, bad: func(b []byte) []byte { b[9] ^= 1; return b }}}, "can't be verified"},
		"the key of another":       {[]crypto.Signer{&mixed{own.ec, own.ec2}}, "can't be verified"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := keys.Static(tt.signers...)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestStaticSignerThatFailsLater(t *testing.T) {
	r := &remote{key: own().ec}
	k, err := keys.Static(r)
	require.NoError(t, err)
	r.err = errors.New("the KMS is down")
	_, err = k.Sign(ctx, keys.ES256, []byte("{}"))
	require.ErrorIs(t, err, r.err)
	require.Len(t, published(t, k).Keys, 1)
}

// other has a different type of public key.
type other struct{ crypto.Signer }

func (o *other) Public() crypto.PublicKey { return "a key" }

// mixed signs with another key than it reports.
type mixed struct{ says, signs crypto.Signer }

func (m *mixed) Public() crypto.PublicKey { return m.says.Public() }

func (m *mixed) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	return m.signs.Sign(random, digest, options)
}
