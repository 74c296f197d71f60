package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// One release must be able to read what another stored, so the JSON names of an
// application never change.
func TestNamesOfWhatIsKept(t *testing.T) {
	client := single(t)
	s, prefix := openWithPrefix(t, client)
	secret := store.HashSecret("a secret")
	at := time.UnixMicro(1_700_000_000_000_000).UTC()
	app := store.Application{
		ID: "app_1", ClientID: "client_1", Name: "Wiki", RedirectURIs: []string{"https://wiki.example.com/cb"}, Scopes: scopes.New("email"),
		Secrets: []store.ClientSecret{{ID: "secret_1", Hash: secret, CreatedAt: at, ExpiresAt: at}}, Public: true, PKCERequired: true, SkipConsent: true,
		Origin: store.OriginRegistration, OwnerID: "user_1", ClientURI: "https://wiki.example.com", LogoURL: "https://wiki.example.com/logo.png",
		TermsURI: "https://wiki.example.com/terms", PolicyURI: "https://wiki.example.com/policy",
		Metadata: map[string]string{"team": "docs"}, CreatedAt: at, UpdatedAt: at, Version: 1,
		Registration: &store.RegistrationRecord{
			Token: secret, Type: "native", AuthMethod: "none", GrantTypes: []string{"authorization_code"}, Contacts: []string{"wiki@example.com"},
			SoftwareID: "wiki", SoftwareVersion: "2.1",
		},
	}
	hash := secret.Reveal()
	kept := "0\xff1\xffclient_1\xff80060a24181e4000\xff80060a24181e4000\xffuser_1\xffregistration\xff" + `{
		"ID": "app_1", "ClientID": "client_1", "Name": "Wiki", "RedirectURIs": ["https://wiki.example.com/cb"], "Scopes": ["email"],
		"Secrets": [{"ID": "secret_1", "Hash": "` + hash + `", "CreatedAt": "2023-11-14T22:13:20Z", "ExpiresAt": "2023-11-14T22:13:20Z"}],
		"Public": true, "PKCERequired": true, "SkipConsent": true, "Origin": "registration",
		"Registration": {
			"token": "` + hash + `", "application_type": "native", "token_endpoint_auth_method": "none",
			"grant_types": ["authorization_code"], "contacts": ["wiki@example.com"], "software_id": "wiki", "software_version": "2.1"
		},
		"OwnerID": "user_1", "ClientURI": "https://wiki.example.com", "LogoURL": "https://wiki.example.com/logo.png",
		"TermsURI": "https://wiki.example.com/terms", "PolicyURI": "https://wiki.example.com/policy",
		"Metadata": {"team": "docs"}, "CreatedAt": "2023-11-14T22:13:20Z", "UpdatedAt": "2023-11-14T22:13:20Z", "Version": 1}`
	require.NoError(t, client.HSet(t.Context(), prefix+"{apps}:records", "app_1", kept).Err())
	found, err := s.FindApplication(t.Context(), "app_1")
	require.NoError(t, err)
	require.Equal(t, app, found)
}

// The same holds for the form of documents and cut-offs.
func TestFormOfWhatIsKept(t *testing.T) {
	client := single(t)
	s, prefix := openWithPrefix(t, client)
	at := time.UnixMicro(1_700_000_000_000_000).UTC()
	d := store.Document{
		ID: store.ConsentID("user_1", "app_1", "org_1"), Kind: store.KindConsent, UserID: "user_1", ApplicationID: "app_1", WorkspaceID: "org_1",
		CreatedAt: at, LastUsedAt: at.Add(time.Second), SweepAt: at.Add(time.Hour), Mark: 7, State: "state",
	}
	d.Seen[1] = 5
	require.NoError(t, s.Create(t.Context(), d))
	require.NoError(t, s.CutOff(t.Context(), store.CutKey{ApplicationID: "app_1"}, store.CutForever(at)))
	// The shards are the first 10 bits of the SHA-256 of the texts.
	kept, err := client.Get(t.Context(), prefix+"{1e6}:d:"+string(d.ID[:])).Bytes()
	require.NoError(t, err)
	copy(kept[24:28], "    ") // the attempt
	require.Equal(t, "\x00\x00\x00\x00\x00\x00\x00\x07"+"\x00\x00\x00\x00\x00\x00\x00\x00"+bytesOf(d.SweepAt)+"    "+bytesOf(at)+
		"\x02"+"\x03\x45"+"\x03\x7f"+"\x00\x06user_1"+"\x00\x05app_1"+"\x00\x05org_1"+bytesOf(d.LastUsedAt)+"\x02\x01\x05"+"state", string(kept))
	number, err := client.Get(t.Context(), prefix+"{345}:c:0:5:app_10:").Result()
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%020d", store.CutForever(at)), number[:20])
}

// docs/reference/errors.md tells people to delete the signing keys by the name
// of their key.
func TestNameOfTheSigningKeys(t *testing.T) {
	client := single(t)
	s, prefix := openWithPrefix(t, client)
	id, err := store.ParseID("6c617463-686b-8579-a073-69676e69e3b0")
	require.NoError(t, err)
	d := store.Document{ID: id, Kind: store.KindKeys, CreatedAt: now(), Mark: newMark()}
	require.NoError(t, s.Create(t.Context(), d))

	deleted, err := client.Unlink(t.Context(), prefix+"{38e}:d:latchk\x85y\xa0signi\xe3\xb0").Result()
	require.NoError(t, err)
	require.EqualValues(t, 1, deleted)
	_, _, err = s.Find(t.Context(), id)
	require.ErrorIs(t, err, store.ErrNotFound)
	require.NoError(t, s.Create(t.Context(), d))
}
