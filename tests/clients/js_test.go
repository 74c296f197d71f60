package clients

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// javaScript installs the packages of a folder, once, and returns where they and
// its scripts are.
func javaScript(t testing.TB, folder string) string {
	t.Helper()
	need(t, "node", "npm")
	installing.Lock()
	defer installing.Unlock()
	done, ok := installed[folder]
	if !ok {
		done.dir, done.err = npmCI(folder)
		installed[folder] = done
	}
	if done.err != nil {
		missing(t, "npm can't install the clients of %s, so they are not tried: %v", folder, done.err)
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

func npmCI(folder string) (string, error) {
	dir := filepath.Join(shared, folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name()), content, 0o600); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = dir
	if output, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, output)
	}
	return dir, nil
}

// node runs a script of a folder to its end, which it has to reach.
func (p *person) node(folder, script string, env ...string) {
	p.t.Helper()
	require.Contains(p.t, p.run(javaScript(p.t, folder), env, "node", script), "all is well\n", "it came to its end")
}

// What the scripts register as their redirect URI where nobody listens.
const wiki = "https://wiki.example.com/callback"

func TestOpenIDClient(t *testing.T) {
	h := newHost(t)
	id, secret := h.application(false, wiki)
	h.node("js", "openid-client.mjs", "LATCHKEY_URL="+h.url, "CLIENT_ID="+id, "CLIENT_SECRET="+secret)
}

func TestOAuth4WebAPI(t *testing.T) {
	h := newHost(t)
	h.node("js", "oauth4webapi.mjs", "LATCHKEY_URL="+h.url)
}

func TestMCPSDK(t *testing.T) {
	a := newAcme(t, "-access-lifetime", "2s")
	a.node("js", "mcp-sdk.mjs", "MCP_URL="+a.url+"/mcp")
}

func TestAISDK(t *testing.T) {
	a := newAcme(t, "-access-lifetime", "2s")
	a.node("js", "ai-sdk.mjs", "MCP_URL="+a.url+"/mcp")
}

func TestMCPRemote(t *testing.T) {
	a := newAcme(t, "-access-lifetime", "2s")
	a.node("js", "mcp-remote.mjs", "MCP_URL="+a.url+"/mcp", "FOLDER="+t.TempDir())
}
