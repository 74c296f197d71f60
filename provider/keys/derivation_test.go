package keys_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/keys"
)

// The first secret is used. Each is found by its ID, on every instance that has
// it.
func TestDerivationKeys(t *testing.T) {
	with := func(secrets ...string) *keys.Keys {
		o := deploy(t).options()
		o.Secrets = secrets
		k, err := keys.New(ctx, o)
		require.NoError(t, err)
		return k
	}
	a, b, both, turned := with(secret), with(secret2), with(secret, secret2), with(secret2, secret)
	keyA, idA := a.DerivationKey(0)
	keyB, idB := b.DerivationKey(0)
	require.Len(t, keyA, 32)
	require.NotEqual(t, keyA, keyB)
	require.NotZero(t, idA)
	require.NotZero(t, idB)
	require.NotEqual(t, idA, idB)
	for _, c := range []struct {
		keys *keys.Keys
		id   uint32
		key  []byte
		of   uint32
	}{
		{a, idA, keyA, idA}, {a, idB, nil, 0}, {a, idA + 2, nil, 0}, {both, 0, keyA, idA}, {both, idA, keyA, idA}, {both, idB, keyB, idB},
		{turned, 0, keyB, idB}, {turned, idA, keyA, idA},
	} {
		key, of := c.keys.DerivationKey(c.id)
		require.Equal(t, c.key, key)
		require.Equal(t, c.of, of)
	}
	static, err := keys.Static(&remote{key: own().ec})
	require.NoError(t, err)
	key, of := static.DerivationKey(0)
	require.Nil(t, key)
	require.Zero(t, of)
}
