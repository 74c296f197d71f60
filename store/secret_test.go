package store_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// A plain secret must not get into a store, by any function.
func TestSecretHashRefusesOtherTexts(t *testing.T) {
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
		app := store.Application{Secrets: []store.ClientSecret{{Hash: h}}, Registration: &store.RegistrationRecord{Token: h}}
		text, err := json.Marshal(app.Revealed())
		require.NoError(t, err)
		var again store.Application
		require.NoError(t, json.Unmarshal(text, &again))
		require.Equal(t, app, again)
		require.Equal(t, h.Reveal() == "", h.IsZero())
	}
}

// Only Reveal and Revealed return a hash.
func TestSecretHashIsRedacted(t *testing.T) {
	imported, err := store.ParseSecretHash("$2b$10$" + strings.Repeat("k", 53))
	require.NoError(t, err)
	for _, h := range []store.SecretHash{store.HashSecret("a generated secret"), imported} {
		app := store.Application{ID: "oa_1", Secrets: []store.ClientSecret{{ID: "1", Hash: h}}, Registration: &store.RegistrationRecord{Token: h}}
		type inside struct{ app store.Application }
		for _, value := range []any{h, &h, app.Secrets[0], app, &app, app.Revealed(), inside{app}, inside{app.Revealed()}, *app.Registration, map[string]any{"app": app}} {
			var printed strings.Builder
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T"} {
				fmt.Fprintf(&printed, verb+"\n", value)
			}
			slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "value", value)
			if _, revealed := value.(store.Application); !revealed || !reflect.DeepEqual(value, app.Revealed()) {
				slog.New(slog.NewJSONHandler(&printed, nil)).Info("x", "value", value)
				text, err := json.Marshal(value)
				require.NoError(t, err)
				printed.Write(text)
			}
			for _, form := range []string{h.Reveal(), h.Reveal()[7:], hex.EncodeToString([]byte(h.Reveal()))} {
				require.NotContains(t, strings.ToLower(printed.String()), strings.ToLower(form), "%T", value)
			}
		}
		// A backend that stores redacted hashes by mistake can't read them back.
		text, err := json.Marshal(app)
		require.NoError(t, err)
		require.Error(t, json.Unmarshal(text, new(store.Application)))
	}
}
