package store_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

func TestHashDependsOnTheKind(t *testing.T) {
	secret := [32]byte{1, 2, 3}
	seen := map[store.Hash]bool{}
	for _, kind := range []store.Kind{store.KindCode, store.KindAccess, store.KindRefresh, store.KindDevice, store.KindUserCode} {
		h := store.HashOf(kind, secret)
		require.False(t, seen[h], "%s hashes like another kind", kind)
		require.True(t, h.Equal(store.HashOf(kind, secret)))
		require.NotContains(t, string(h[:]), string(secret[:3]))
		seen[h] = true
	}
	require.True(t, store.Hash{}.IsZero())
	require.Equal(t, "Kind(9)", store.Kind(9).String())
}

func TestGrantIDsSortByTimeAndCarryTheUser(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 123_456_000, time.UTC)
	var ids []string
	for i := range 1000 {
		id := store.NewGrantID(at.Add(time.Duration(i)*time.Microsecond), "user_1")
		require.Equal(t, store.UserTag("user_1"), id.Tag())
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, id.String())
		ids = append(ids, id.String())
	}
	require.True(t, slices.IsSorted(ids))
	require.NotEqual(t, store.UserTag("user_1"), store.UserTag("user_2"))
	require.NotEqual(t, store.NewGrantID(at, "user_1"), store.NewGrantID(at, "user_1"))
}

func TestGrantIDText(t *testing.T) {
	id := store.NewGrantID(time.Now(), "user_1")
	again, err := store.ParseGrantID(id.String())
	require.NoError(t, err)
	require.Equal(t, id, again)

	text, err := json.Marshal(id)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, id, again)

	for _, bad := range []string{"", "x", strings.ReplaceAll(id.String(), "-", ""), strings.ToUpper(id.String()) + " ", id.String() + "0", "{" + id.String() + "}"} {
		_, err := store.ParseGrantID(bad)
		require.ErrorContains(t, err, "form of a UUID", "%q", bad)
	}
}

// A plain secret must not get into a store, whichever way it is offered.
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
		text, err := json.Marshal(store.Secret{Hash: h})
		require.NoError(t, err)
		var again store.Secret
		require.NoError(t, json.Unmarshal(text, &again))
		require.Equal(t, h, again.Hash)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	full := func() store.Application {
		return store.Application{
			RedirectURIs: []string{"a"}, Scopes: []string{"s"}, Secrets: []store.Secret{{ID: "1"}}, Metadata: map[string]string{"k": "v"},
			Registration: &store.Registration{Type: "web", GrantTypes: []string{"g"}, Contacts: []string{"c"}},
		}
	}
	app := full()
	c := app.Clone()
	require.Equal(t, app, c)
	c.RedirectURIs[0], c.Scopes[0], c.Secrets[0].ID, c.Metadata["k"] = "x", "x", "x", "x"
	c.Registration.Type, c.Registration.GrantTypes[0], c.Registration.Contacts[0] = "x", "x", "x"
	require.Equal(t, full(), app)
	require.Nil(t, store.Application{}.Clone().Registration)
}

// A registration is kept as JSON by some backends, under the names of RFC 7591.
func TestRegistrationText(t *testing.T) {
	r := store.Registration{
		Token: store.HashSecret("a registration access token"), Type: "native", AuthMethod: "none", GrantTypes: []string{"refresh_token"},
		Contacts: []string{"a@example.com"}, TermsURI: "https://example.com/terms", PolicyURI: "https://example.com/privacy",
		SoftwareID: "wiki", SoftwareVersion: "2.1",
	}
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.JSONEq(t, `{
		"token": "`+r.Token.String()+`", "application_type": "native", "token_endpoint_auth_method": "none",
		"grant_types": ["refresh_token"], "contacts": ["a@example.com"], "tos_uri": "https://example.com/terms",
		"policy_uri": "https://example.com/privacy", "software_id": "wiki", "software_version": "2.1"
	}`, string(text))
	var again store.Registration
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, r, again)
	text, err = json.Marshal(store.Registration{})
	require.NoError(t, err)
	require.JSONEq(t, `{}`, string(text))
}

func TestApplicationCheckReadsTheRegistration(t *testing.T) {
	require.NoError(t, store.Application{Registration: &store.Registration{}}.Check())
	for name, r := range map[string]store.Registration{
		"type": {Type: "\xff"}, "method": {AuthMethod: "\x00"}, "grant types": {GrantTypes: []string{"a", "\xff"}}, "contacts": {Contacts: []string{"\x00"}},
		"terms": {TermsURI: "\xff"}, "policy": {PolicyURI: "\xff"}, "software": {SoftwareID: "\xff"}, "version": {SoftwareVersion: "\x00"},
	} {
		require.ErrorContains(t, store.Application{Registration: &r}.Check(), "text of the application", name)
	}
}

// Applications in one place and grants in another.
func ExampleStore() {
	var applications store.Applications // say, in the host's database
	var grants store.Grants             // say, in Redis

	var both store.Store = struct {
		store.Applications
		store.Grants
	}{applications, grants}

	fmt.Printf("%T\n", both)
	// Output: struct { store.Applications; store.Grants }
}
