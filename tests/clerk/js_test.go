package clerk

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
)

// The same with Clerk's SDK for JavaScript, in js/check.mjs.
func TestJavaScript(t *testing.T) {
	missing := func(format string, args ...any) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatalf(format, args...)
		}
		t.Skipf(format, args...)
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing("%s is not installed, so Clerk's SDK for JavaScript is not tested", program)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "check.mjs"} {
		content, err := os.ReadFile(filepath.Join("js", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = dir
	if output, err := npm.CombinedOutput(); err != nil {
		missing("npm can't install Clerk's SDK for JavaScript (%v), so it is not tested:\n%s", err, output)
	}

	h := newHost(t)
	h.SignIn("user_ada")
	kept := providertest.Authorize(t, h.Provider, h.Client, "email", "profile")
	app, err := h.Provider.FindClient(ctx, kept.ClientID)
	require.NoError(t, err)
	node := exec.CommandContext(ctx, "node", "check.mjs")
	node.Dir = dir
	node.Env = append(os.Environ(), "LATCHKEY_URL="+h.URL, "LATCHKEY_KEY="+secretKey,
		"APPLICATION_ID="+app.ID, "CLIENT_ID="+kept.ClientID, "ACCESS_TOKEN="+kept.AccessToken, "REFRESH_TOKEN="+kept.RefreshToken,
		"CLERK_TELEMETRY_DISABLED=1")
	output, err := node.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "all is well\n", "the script ran to its end")
	_, err = h.Provider.Verify(t.Context(), kept.AccessToken)
	require.ErrorIs(t, err, provider.ErrInvalidToken, "check.mjs revoked it")
}
