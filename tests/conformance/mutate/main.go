// Mutate breaks the provider on purpose, one rule at a time, and checks that the
// test for the rule fails; other tests may fail too. It changes no file: the
// broken code is laid over the real one for one test run.
//
//	go run ./tests/conformance/mutate           # all of them
//	go run ./tests/conformance/mutate -run PKCE # those whose rule matches
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	pattern := flag.String("run", "", "try only the mutations whose rule matches this regular expression")
	flag.Parse()
	if err := run(*pattern); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(pattern string) error {
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	root, err := exec.Command("go", "list", "-f", "{{.Module.Dir}}", "github.com/latchkey-go/latchkey/provider").Output()
	if err != nil {
		return fmt.Errorf("mutate: run it inside the repository: %w", err)
	}
	dir := strings.TrimSpace(string(root))
	tried, missed := 0, 0
	for _, m := range mutations {
		if !wanted.MatchString(m.rule) {
			continue
		}
		tried++
		if err := m.try(dir); err != nil {
			fmt.Printf("FAIL %s: %v\n", m.rule, err)
			missed++
			continue
		}
		fmt.Printf("ok   %s: %s fails\n", m.rule, m.test)
	}
	if missed > 0 {
		return fmt.Errorf("mutate: %d of %d mutations were not caught as they should be", missed, tried)
	}
	fmt.Printf("all %d mutations were caught\n", tried)
	return nil
}

// try runs the test of the mutation, in the provider or in the conformance
// suite, with the mutation laid over its file.
func (m mutation) try(dir string) error {
	path := filepath.Join(dir, "provider", m.file)
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if n := bytes.Count(source, []byte(m.old)); n != 1 {
		return fmt.Errorf("the text to change is in %s %d times, not once", m.file, n)
	}
	work, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	broken := filepath.Join(work, "broken.go")
	if err := os.WriteFile(broken, bytes.Replace(source, []byte(m.old), []byte(m.new), 1), 0o600); err != nil {
		return err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: broken}})
	if err != nil {
		return err
	}
	overlayFile := filepath.Join(work, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		return err
	}
	command := exec.Command("go", "test", "-overlay", overlayFile, "-count=1", "-timeout=2m", "-json", "-run", "^"+m.test+"$", "./provider", "./tests/conformance")
	command.Dir = dir
	out, err := command.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	failed, err := failedTests(out)
	if err != nil {
		return err
	}
	if !slices.Contains(failed, m.test) {
		return fmt.Errorf("%s doesn't fail", m.test)
	}
	return nil
}

// failedTests returns the top-level tests that failed.
func failedTests(out []byte) ([]string, error) {
	var failed []string
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct{ Action, Test, Output string }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			continue // a line of the compiler
		}
		if event.Action == "build-fail" {
			return nil, errors.New("the mutation doesn't compile")
		}
		if event.Action == "fail" && event.Test != "" && !strings.Contains(event.Test, "/") {
			failed = append(failed, event.Test)
		}
	}
	return failed, lines.Err()
}
