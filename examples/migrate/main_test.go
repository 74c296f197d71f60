package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/store"
)

// do runs the program.
func do(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run.Run(t.Context(), start, args, &out, &errs)
	return status, out.String(), errs.String()
}

// database is a new store in the format of -store.
func database(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "app.db")
}

// hostOf is a host with the imported clients.
func hostOf(t *testing.T, name string) *providertest.Host {
	t.Helper()
	kept, closeStore, err := openStore(t.Context(), name, false)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, closeStore()) })
	h := providertest.New(t, func(c *provider.Config) { c.Store = kept })
	h.SignIn("user_ada")
	return h
}

func applications(t *testing.T, h *providertest.Host) []provider.Application {
	t.Helper()
	page, _, err := h.Provider.ListApplications(t.Context(), store.ApplicationQuery{Limit: 100})
	require.NoError(t, err)
	return page
}

// signsIn signs in to a client that still has its old ID and secret.
func signsIn(t *testing.T, h *providertest.Host, id, secret, redirectURI string) {
	t.Helper()
	at := h.Provider.Endpoints()
	config := oauth2.Config{ClientID: id, ClientSecret: secret, RedirectURL: redirectURI, Scopes: []string{"profile"},
		Endpoint: oauth2.Endpoint{AuthURL: at.Authorize, TokenURL: at.Token}}
	verifier := oauth2.GenerateVerifier()
	callback := providertest.Allow(t, h.Client, config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)))
	require.Equal(t, "state", callback.Query().Get("state"))
	token, err := config.Exchange(t.Context(), callback.Query().Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	answer, err := config.Client(t.Context(), token).Get(at.UserInfo)
	require.NoError(t, err)
	defer answer.Body.Close()
	var user map[string]any
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&user))
	require.Equal(t, "user_ada", user["user_id"])

	wrong := config
	wrong.ClientSecret = "not " + secret
	callback = providertest.Allow(t, h.Client, wrong.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)))
	_, err = wrong.Exchange(t.Context(), callback.Query().Get("code"), oauth2.VerifierOption(verifier))
	require.ErrorContains(t, err, "invalid_client")
}

func TestClerk(t *testing.T) {
	name := database(t)
	known := filepath.Join(t.TempDir(), "secrets.json")
	require.NoError(t, os.WriteFile(known, []byte(`{"d9g4CT4WYiCBm7EU":"VVgbT7i6sPo7sTljq2zj12fjmg0jPL5k"}`), 0o600))
	status, out, errs := do(t, "-from", "clerk", "-secrets", known, "-store", name, "testdata/clerk.json")
	require.Equal(t, 1, status)
	require.Equal(t, "migrate: 3 of 6 clients can't be imported\n", errs)
	require.Contains(t, out, "3 imported, 0 skipped, 3 not imported")
	require.NotContains(t, out, "VVgbT7i6sPo7sTljq2zj12fjmg0jPL5k")
	h := hostOf(t, name)
	signsIn(t, h, "d9g4CT4WYiCBm7EU", "VVgbT7i6sPo7sTljq2zj12fjmg0jPL5k", "https://wiki.example.com/preview")
	signsIn(t, h, "Qq1CT4WYiCBm7EUx", "", "myapp://callback")
	signsIn(t, h, "Qq1CT4WYiCBm7EUx", "", "http://127.0.0.1:50123/callback")

	// A client whose secret is unknown gets a new one.
	made := regexp.MustCompile(`Uu1CT4WYiCBm7EUx \(Our own app\): imported\n  - new secret, shown only now: (\w{43})\n`).FindStringSubmatch(out)
	require.NotNil(t, made, out)
	signsIn(t, h, "Uu1CT4WYiCBm7EUx", made[1], "https://own.example.com/cb")
	own, err := h.Provider.FindClient(t.Context(), "Uu1CT4WYiCBm7EUx")
	require.NoError(t, err)
	require.True(t, own.SkipConsent)
	require.True(t, own.PKCERequired)
}

func TestGoOAuth2(t *testing.T) {
	name := database(t)
	status, out, errs := do(t, "-from", "go-oauth2", "-store", name, "testdata/go-oauth2.json")
	require.Equal(t, 1, status)
	require.Equal(t, "migrate: 3 of 6 clients can't be imported\n", errs)
	require.Contains(t, out, "3 imported, 0 skipped, 3 not imported")
	h := hostOf(t, name)
	signsIn(t, h, "000000", "999999", "https://wiki.example.com/callback")
	signsIn(t, h, "222222", "22222222", "https://shop.example.com/oauth/callback")
	signsIn(t, h, "333333", "", "http://127.0.0.1:50123/callback")
	shop, err := h.Provider.FindClient(t.Context(), "222222")
	require.NoError(t, err)
	require.Equal(t, "Shop", shop.Name)
	require.Equal(t, "user_7", shop.OwnerID)
	opened, closeStore, err := openStore(t.Context(), name, false)
	require.NoError(t, err)
	defer closeStore()
	record, err := opened.FindClient(t.Context(), "222222")
	require.NoError(t, err)
	require.Regexp(t, `^\$2a\$10\$`, record.Secrets[0].Hash.Reveal(), "a slow hash")
}

func TestFosite(t *testing.T) {
	name := database(t)
	known := filepath.Join(t.TempDir(), "secrets.json")
	require.NoError(t, os.WriteFile(known, []byte(`{"slow":"its secret","pbkdf2":"another"}`), 0o600))
	status, out, errs := do(t, "-from", "fosite", "-secrets", known, "-store", name, "testdata/fosite.json")
	require.Equal(t, 1, status)
	require.Equal(t, "migrate: 2 of 7 clients can't be imported\n", errs)
	require.Contains(t, out, "5 imported, 0 skipped, 2 not imported")
	h := hostOf(t, name)
	signsIn(t, h, "6a3a4c1e-3bd2-4f8e-9a51-7f1f3d6c1c11", "the wiki secret", "https://wiki.example.com/callback")
	signsIn(t, h, "spa", "", "https://spa.example.com/callback")
	signsIn(t, h, "fosite-client", "the wiki secret", "https://fosite.example.com/callback")
	signsIn(t, h, "slow", "its secret", "https://slow.example.com/callback")
	signsIn(t, h, "pbkdf2", "another", "https://pbkdf2.example.com/callback")
}

// The program prints why it can't import a client, and stores nothing of it.
func TestRefusals(t *testing.T) {
	for source, want := range map[string]map[string][]string{
		"clerk": {
			"Rr1CT4WYiCBm7EUx (Old intranet)": {`"http://intranet.example.com/callback" is plain http`, "has a fragment"},
			"Ss1CT4WYiCBm7EUx":                {`scope "orders:read" is not one`},
			"Tt1CT4WYiCBm7EUx":                {"it registered itself"},
		},
		"go-oauth2": {
			"444444":  {`its domain "https://blog.example.com" is not a redirect URI`},
			"555555":  {"longer than 72 bytes"},
			"666 666": {`client id "666 666" has characters`},
		},
		"fosite": {
			"job":  {"uses client_credentials and not authorization_code"},
			"jwt":  {"authenticates with private_key_jwt"},
			"slow": {"bcrypt cost of 13"},
		},
	} {
		name := database(t)
		_, out, _ := do(t, "-from", source, "-store", name, "testdata/"+source+".json")
		refused := 0
		for _, block := range regexp.MustCompile(`(?m)^(\S.*): NOT imported\n((?:  - .*\n)+)`).FindAllStringSubmatch(out, -1) {
			for id, reasons := range want {
				if !strings.HasPrefix(block[1], id) {
					continue
				}
				refused++
				require.Len(t, regexp.MustCompile(`(?m)^  - `).FindAllString(block[2], -1), len(reasons), block[2])
				for _, reason := range reasons {
					require.Contains(t, block[2], reason, id)
				}
			}
		}
		require.Equal(t, len(want), refused, out)
		h := hostOf(t, name)
		for _, app := range applications(t, h) {
			for id := range want {
				require.False(t, strings.HasPrefix(id, app.ClientID), app.ClientID)
			}
		}
	}
	_, out, _ := do(t, "-from", "clerk", "-dry-run", "-scopes", "orders:read", "testdata/clerk.json")
	require.NotContains(t, out, "orders:read", "it is offered now")
	_, out, _ = do(t, "-from", "fosite", "-dry-run", "testdata/fosite.json")
	require.Contains(t, out, "note: grant types not imported: client_credentials")
	require.Contains(t, out, "note: openid: ID tokens need Config.OpenID")
	require.Contains(t, out, "note: its secret is not hashed with bcrypt")
}

// A dry run prints the same as the import and changes nothing. A second import has
// nothing to do.
func TestDryRunAndAgain(t *testing.T) {
	for _, source := range []string{"clerk", "go-oauth2", "fosite"} {
		name, file := database(t), "testdata/"+source+".json"
		h := hostOf(t, name)
		_, rehearsed, errs := do(t, "-from", source, "-dry-run", "-store", name, file)
		require.Contains(t, errs, "clients can't be imported")
		require.Empty(t, applications(t, h))
		_, first, errs := do(t, "-from", source, "-store", name, file)
		require.Contains(t, errs, "clients can't be imported")
		sums := regexp.MustCompile(`(\d+) imported, (\d+) skipped, (\d+) not imported\n$`)
		require.Contains(t, rehearsed, sums.ReplaceAllString(sums.FindString(first), "$1 would be imported, $2 skipped, $3 can't be imported\n"))
		before := applications(t, h)
		require.NotEmpty(t, before)
		for _, dry := range []string{"-dry-run=true", "-dry-run=false"} {
			_, again, errs := do(t, "-from", source, dry, "-store", name, file)
			require.Contains(t, errs, "clients can't be imported")
			require.Regexp(t, "\n0 (would be )?imported, ", again)
			require.NotContains(t, again, "new secret, shown only now")
			require.Equal(t, before, applications(t, h))
		}
	}
}

// A second import keeps later changes.
func TestImportLeavesAloneWhatIsThere(t *testing.T) {
	name := database(t)
	do(t, "-from", "clerk", "-store", name, "testdata/clerk.json")
	h := hostOf(t, name)
	wiki, err := h.Provider.FindClient(t.Context(), "d9g4CT4WYiCBm7EU")
	require.NoError(t, err)
	_, err = h.Provider.UpdateApplication(context.Background(), wiki.ID, func(app *provider.ApplicationSettings) error {
		app.Name = "The new wiki"
		return nil
	})
	require.NoError(t, err)
	_, out, _ := do(t, "-from", "clerk", "-store", name, "testdata/clerk.json")
	require.Contains(t, out, "d9g4CT4WYiCBm7EU (Wiki): exists, skipped")
	wiki, err = h.Provider.FindClient(t.Context(), "d9g4CT4WYiCBm7EU")
	require.NoError(t, err)
	require.Equal(t, "The new wiki", wiki.Name)
}

// The README shows lines of the real output.
func TestReadme(t *testing.T) {
	_, out, _ := do(t, "-from", "clerk", "-dry-run", "testdata/clerk.json")
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	shown := regexp.MustCompile("(?s)```text\n(.*?)```").FindStringSubmatch(string(readme))
	require.NotNil(t, shown)
	for line := range strings.Lines(shown[1]) {
		require.Contains(t, out, line)
	}
}

func TestUsage(t *testing.T) {
	part := filepath.Join(t.TempDir(), "part.json")
	require.NoError(t, os.WriteFile(part, []byte(`{"data":[],"total_count":3}`), 0o600))
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"no file", []string{"-from", "clerk", "-dry-run"}, 2, "CLIENTS.json is missing"},
		{"no source", []string{"-dry-run", "x.json"}, 2, `-from "" is not supported`},
		{"no store", []string{"-from", "clerk", "testdata/clerk.json"}, 2, "-store is missing"},
		{"an unknown store", []string{"-from", "clerk", "-store", "oracle:x", "testdata/clerk.json"}, 1, "neither sqlite:FILE nor postgres://"},
		{"no such file", []string{"-from", "clerk", "-dry-run", "nothing.json"}, 1, "nothing.json"},
		{"another source's file", []string{"-from", "clerk", "-dry-run", "testdata/fosite.json"}, 1, "is not in the format of clerk"},
		{"a part of the list", []string{"-from", "clerk", "-dry-run", part}, 1, "the list is incomplete"},
		{"an issuer without TLS", []string{"-from", "clerk", "-dry-run", "-issuer", "http://example.com", "testdata/clerk.json"}, 1, "Issuer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, out, errs := do(t, tt.args...)
			require.Equal(t, tt.status, status)
			require.Contains(t, errs, tt.says)
			require.Empty(t, out)
		})
	}
	status, out, _ := do(t, "-h")
	require.Zero(t, status)
	require.Contains(t, out, "-dry-run")
}
