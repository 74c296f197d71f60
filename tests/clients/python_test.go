package clients

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// python is the Python for which Debian installs the packages. Another one that
// comes first in PATH may not have them.
const python = "/usr/bin/python3"

// Both OAuth libraries of Python sign in, refresh, and sign out, with each way
// of authenticating, and accept fewer scopes than they keep asking for.
func TestPython(t *testing.T) {
	for _, library := range []struct{ module, script string }{
		{"authlib", "authlib_client.py"},
		{"requests_oauthlib", "requests_oauthlib_client.py"},
	} {
		for _, method := range []string{"client_secret_basic", "client_secret_post", "none"} {
			t.Run(library.module+"/"+method, func(t *testing.T) {
				t.Parallel()
				if output, err := exec.Command(python, "-c", "import "+library.module).CombinedOutput(); err != nil {
					missing(t, "%s has no %s, so it is not tested: %v\n%s", python, library.module, err, output)
				}
				const callback = "https://wiki.example.com/callback"
				h := newHost(t)
				clientID, secret := h.application(method == "none", callback)
				dir, err := filepath.Abs("python")
				require.NoError(t, err)
				output := h.run(dir, []string{
					"ISSUER=" + h.url, "CLIENT_ID=" + clientID, "CLIENT_SECRET=" + secret, "REDIRECT_URI=" + callback, "AUTH_METHOD=" + method,
					"OAUTHLIB_INSECURE_TRANSPORT=1", "PYTHONDONTWRITEBYTECODE=1",
				}, python, library.script)
				require.Contains(t, output, "all is well\n", "the script ran to its end")
			})
		}
	}
}
