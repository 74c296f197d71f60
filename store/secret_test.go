package store_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// A plain secret must not get into a store, however it is offered.
func TestSecretHashRefusesWhatIsNoHash(t *testing.T) {
	for _, bad := range []string{
		"", "hunter2", "sha256:", "sha256:hunter2", "sha256:" + strings.Repeat("g", 64), "sha256:" + strings.Repeat("A", 64),
		"$2b$10$short", "$2b$99$" + strings.Repeat("a", 53), "$2z$10$" + strings.Repeat("a", 53), "$2b$10$" + strings.Repeat("é", 26) + "a",
	} {
		h, err := store.ParseSecretHash(bad)
		require.Error(t, err, "%q", bad)
		require.Zero(t, h)
		require.NotContains(t, err.Error(), "hunter2")
		if bad != "" {
			require.Error(t, h.UnmarshalText([]byte(bad)))
		}
	}
}

func TestSecretHashText(t *testing.T) {
	h := store.HashSecret("a generated secret")
	_, ok := h.SHA256()
	require.True(t, ok)
	imported, err := store.ParseSecretHash("$2b$10$" + strings.Repeat("a", 53))
	require.NoError(t, err)
	_, ok = imported.SHA256()
	require.False(t, ok)

	for _, h := range []store.SecretHash{h, imported, {}} {
		text, err := json.Marshal(store.ClientSecret{Hash: h})
		require.NoError(t, err)
		var again store.ClientSecret
		require.NoError(t, json.Unmarshal(text, &again))
		require.Equal(t, h, again.Hash)
	}
}
