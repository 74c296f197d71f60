package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// npmPackages is the folder with the packages of js/package.json, installed
// once for all tests.
var npmPackages struct {
	once sync.Once
	dir  string
	err  error
}

// npmPackage returns the path of a file of an npm package.
func npmPackage(t testing.TB, path ...string) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, "%s is not installed, so the pages are not tested with %s", program, path[0])
		}
	}
	npmPackages.once.Do(func() { npmPackages.dir, npmPackages.err = installPackages() })
	if npmPackages.err != nil {
		missing(t, "npm can't install %s, so the pages are not tested with it: %v", path[0], npmPackages.err)
	}
	return filepath.Join(append([]string{npmPackages.dir, "node_modules"}, path...)...)
}

func installPackages() (dir string, err error) {
	dir, err = os.MkdirTemp("", "latchkey-npm-") // TestMain removes it.
	if err != nil {
		return "", err
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		content, err := os.ReadFile(filepath.Join("js", name))
		if err != nil {
			return dir, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return dir, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = dir
	if output, err := npm.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("%w\n%s", err, output)
	}
	return dir, nil
}
