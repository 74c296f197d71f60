package clients

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// javaScript installs the packages of a folder, once, and returns the folder
// with them and its scripts.
func javaScript(t testing.TB, folder string) string {
	t.Helper()
	need(t, "node", "npm")
	version, err := exec.CommandContext(t.Context(), "node", "--version").Output()
	require.NoError(t, err)
	if major, _, _ := strings.Cut(strings.TrimPrefix(string(version), "v"), "."); len(major) < 2 || major < "20" {
		missing(t, "Node.js is %s, and the clients need 20 or later, so they are not tested", strings.TrimSpace(string(version)))
	}
	installing.Lock()
	defer installing.Unlock()
	done, ok := installed[folder]
	if !ok {
		done.dir, done.err = npmCI(folder)
		installed[folder] = done
	}
	if done.err != nil {
		missing(t, "npm can't install the clients of %s, so they are not tested: %v", folder, done.err)
	}
	return done.dir
}

type installation struct {
	dir string
	err error
}

var (
	installing sync.Mutex
	installed  = map[string]installation{}
)

// copyScripts copies the whole folder js, so that the scripts in its subfolders
// find those above.
var copyScripts = sync.OnceValue(func() error {
	return os.CopyFS(filepath.Join(shared, "js"), os.DirFS("js"))
})

func npmCI(folder string) (string, error) {
	if err := copyScripts(); err != nil {
		return "", err
	}
	dir := filepath.Join(shared, folder)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = dir
	if output, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, output)
	}
	return dir, nil
}

// node runs a script of a folder to its end.
func (p *person) node(folder, script string, env ...string) {
	p.t.Helper()
	require.Contains(p.t, p.run(javaScript(p.t, folder), env, "node", script), "all is well\n", "the script ran to its end")
}

// The redirect URI of the scripts that don't listen there.
const wiki = "https://wiki.example.com/callback"

func TestOpenIDClient(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	id, secret := h.application(false, wiki)
	h.node("js", "openid-client.mjs", "LATCHKEY_URL="+h.url, "CLIENT_ID="+id, "CLIENT_SECRET="+secret)
}

func TestOpenIDClientByOpenIDConnect(t *testing.T) {
	t.Parallel()
	h := newHost(t, openID(t))
	id, secret := h.application(false, wiki)
	h.node("js", "openid-connect.mjs", "LATCHKEY_URL="+h.url, "CLIENT_ID="+id, "CLIENT_SECRET="+secret)
}

func TestOAuth4WebAPI(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.node("js", "oauth4webapi.mjs", "LATCHKEY_URL="+h.url)
}

func TestMCPSDK(t *testing.T) {
	t.Parallel()
	a := newAcme(t, "-access-lifetime", "2s")
	a.node("js", "mcp-sdk.mjs", "MCP_URL="+a.url+"/mcp")
}

func TestAISDK(t *testing.T) {
	t.Parallel()
	a := newAcme(t, "-access-lifetime", "2s")
	a.node("js", "ai-sdk.mjs", "MCP_URL="+a.url+"/mcp")
}

func TestMCPRemote(t *testing.T) {
	t.Parallel()
	a := newAcme(t, "-access-lifetime", "2s")
	a.node("js", "mcp-remote.mjs", "MCP_URL="+a.url+"/mcp", "FOLDER="+t.TempDir())
}

// n8n's client installs 250 MB of n8n.
func TestN8n(t *testing.T) {
	slow(t)
	t.Parallel()
	h := newHost(t)
	const callback = "https://n8n.example.com/rest/oauth2-credential/callback"
	id, secret := h.application(false, callback)
	public, _ := h.application(true, callback)
	h.node("js/n8n", "n8n.mjs", "LATCHKEY_URL="+h.url, "CLIENT_ID="+id, "CLIENT_SECRET="+secret, "PUBLIC_ID="+public)
}

// A client that has a key in place of a secret.
func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	h := newHost(t, withKeys(t))
	set, private := clientKey(t)
	app, secret, err := h.Provider.CreateApplication(t.Context(), provider.ApplicationSettings{
		Name: "Wiki", RedirectURIs: []string{wiki}, Scopes: scopes.New("profile", "notes:read"), Keys: provider.ApplicationKeys{Set: set},
	})
	require.NoError(t, err)
	require.True(t, secret.IsZero())
	h.node("js", "private-key-jwt.mjs", "LATCHKEY_URL="+h.url, "CLIENT_ID="+app.ClientID, "CLIENT_KEY="+private)
}
