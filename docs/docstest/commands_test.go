package docstest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// allowed are the commands that this test skips: the beginning of the command,
// and the only page that may have it, or "" for all.
var allowed = []struct{ page, prefix, why string }{
	{"README.md", "git clone https://github.com/latchkey-go/latchkey && cd latchkey", "it needs the network"},
	{"README.md", "apps=", "TestReadmeManagesApplications runs the whole block"},
	{"README.md", "auth=", "TestReadmeManagesApplications runs the whole block"},
	{"README.md", "json=", "TestReadmeManagesApplications runs the whole block"},
	{"README.md", "id=$(curl ", "TestReadmeManagesApplications runs the whole block"},
	{"README.md", "curl ", "TestReadmeManagesApplications runs the whole block"},
	{"docs/start/quickstart.md", "mkdir myapp && cd myapp", "it is a folder of the reader's"},
	{"docs/start/quickstart.md", "go mod init example.com/myapp", "it is a module of the reader's"},
	{"docs/start/quickstart.md", "go mod edit -replace github.com/latchkey-go/latchkey=../latchkey", "it is where the reader has a clone"},
	{"docs/start/quickstart.md", "go mod edit -replace github.com/latchkey-go/latchkey/store/sqlstore=../latchkey/store/sqlstore", "it is where the reader has a clone"},
	{"docs/start/quickstart.md", "go mod tidy", "it needs the network"},
	{"docs/start/quickstart.md", "go get golang.org/x/oauth2@latest", "it needs the network"},
	{"docs/start/quickstart.md", "go run .", "TestQuickstart of examples/first runs the program"},
	{"docs/start/quickstart.md", "go run ./wiki -id CLIENT_ID -secret CLIENT_SECRET", "TestQuickstart runs it by what the program prints"},
	{"provider/benchtest/README.md", "go install go.k6.io/k6@v1.8.1", "it needs the network"},
	{"provider/benchtest/README.md", "k6 run ", "k6 is another project; the script is run by hand"},
	{"docs/howto/monitor.md", "prometheus --config.file examples/observability/prometheus.yml", "TestPromtool checks the files"},
	{"docs/howto/monitor.md", "grep ", "the reference differs each time"},
}

// Each command on a page exists, and so do its flags. A test or CI runs each
// program that a page tells readers to run.
func TestCommandsExist(t *testing.T) {
	used := map[int]bool{}
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.language != "sh" {
				continue
			}
			for i, line := range b.lines {
				if i > 0 && strings.HasSuffix(b.lines[i-1], `\`) {
					continue // The line continues the one before.
				}
				line, _, _ = strings.Cut(line, " #")
				line = strings.TrimSpace(line)
				if line == "" || strings.HasPrefix(line, "#") {
					continue
				}
				excused := false
				for j, a := range allowed {
					if (a.page == "" || a.page == p.name) && (line == a.prefix || strings.HasPrefix(line, a.prefix) && a.prefix != "go run .") {
						used[j], excused = true, true
					}
				}
				if excused {
					continue
				}
				if problem := unknown(t, line); problem != "" {
					t.Errorf("%s:%d: %s: %s", p.name, b.line+i, line, problem)
				}
			}
		}
		for i, line := range p.text {
			for _, span := range regexp.MustCompile("`((?:go run|go test|make) [^`]+)`").FindAllStringSubmatch(line, -1) {
				for _, command := range named(t, span[1]) {
					if problem := unknown(t, command); problem != "" {
						t.Errorf("%s:%d: %s: %s", p.name, i+1, command, problem)
					}
				}
			}
		}
	}
	for i, a := range allowed {
		if !used[i] {
			t.Errorf("no page has the allowed command %q (%s)", a.prefix, a.why)
		}
	}
}

// named returns the command, or one for each example if it contains NAME.
func named(t *testing.T, command string) []string {
	t.Helper()
	if !strings.Contains(command, "NAME") {
		return []string{command}
	}
	programs, err := filepath.Glob(filepath.Join(root, "examples", "*", "main.go"))
	require.NoError(t, err)
	var all []string
	for _, file := range programs {
		all = append(all, strings.ReplaceAll(command, "NAME", filepath.Base(filepath.Dir(file))))
	}
	return all
}

var redirection = regexp.MustCompile(`\s[0-9]?>\S*`)

// unknown returns what is wrong with a command, or "".
func unknown(t *testing.T, command string) string {
	t.Helper()
	words := strings.Fields(redirection.ReplaceAllString(command, ""))
	switch {
	case words[0] == "make" && len(words) > 1:
		makefile := strings.Join(read(t, "Makefile"), "\n")
		for _, target := range words[1:] {
			if !strings.Contains(target, "=") && !strings.Contains(makefile, "\n"+target+":") {
				return "the Makefile has no " + target
			}
		}
		return ""
	case strings.HasPrefix(command, "go get github.com/latchkey-go/latchkey"):
		for _, module := range words[2:] {
			dir := strings.TrimPrefix(module, "github.com/latchkey-go/latchkey")
			if _, err := os.Stat(filepath.Join(root, dir, "go.mod")); err != nil {
				return module + " isn't a module"
			}
		}
		return ""
	case strings.HasPrefix(command, "go test"):
		return unknownTest(t, words[2:])
	case strings.HasPrefix(command, "go run github.com/latchkey-go/latchkey/"): // from a host's own folder
		return unknownProgram(t, "./"+strings.TrimPrefix(words[2], "github.com/latchkey-go/latchkey/"), words[3:])
	case strings.HasPrefix(command, "go run ./"):
		return unknownProgram(t, words[2], words[3:])
	}
	return "the test doesn't know this command: add it to allowed, with the reason"
}

func unknownTest(t *testing.T, args []string) string {
	t.Helper()
	tests := ""
	for _, arg := range args {
		if arg == "work" { // every module
			continue
		}
		if !strings.HasPrefix(arg, "./") {
			continue
		}
		found, err := filepath.Glob(filepath.Join(root, arg, "*_test.go"))
		require.NoError(t, err)
		if len(found) == 0 {
			return arg + " has no tests"
		}
		tests += sourceOf(t, found)
	}
	for i, arg := range args {
		if (arg == "-run" || arg == "-bench") && i+1 < len(args) {
			name := strings.Trim(args[i+1], `'"^$`)
			if name != "" && name != "." && !strings.Contains(tests, "func "+name) {
				return "there is no " + name
			}
		}
		if arg == "-update" && !strings.Contains(tests, `flag.Bool("update"`) {
			return "the flag -update doesn't exist"
		}
	}
	return ""
}

func unknownProgram(t *testing.T, dir string, args []string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	require.NoError(t, err)
	var program, tests []string
	for _, file := range all {
		if strings.HasSuffix(file, "_test.go") {
			tests = append(tests, file)
		} else {
			program = append(program, file)
		}
	}
	source := sourceOf(t, program)
	if !strings.Contains(source, "\npackage main\n") {
		return dir + " isn't a program"
	}
	// Its flags may be defined in a package that it uses.
	for _, imported := range regexp.MustCompile(`"github\.com/latchkey-go/latchkey/([^"]+)"`).FindAllStringSubmatch(source, -1) {
		found, err := filepath.Glob(filepath.Join(root, imported[1], "*.go"))
		require.NoError(t, err)
		source += sourceOf(t, found)
	}
	for _, arg := range args {
		name := strings.TrimLeft(strings.SplitN(arg, "=", 2)[0], "-")
		if strings.HasPrefix(arg, "-") && !regexp.MustCompile(`\.[A-Z]\w+\((?:&[\w.]+, )?"`+regexp.QuoteMeta(name)+`"`).MatchString(source) {
			return dir + " has no flag " + arg
		}
	}
	runs := regexp.MustCompile(`\b(?:run\.Run|runtest\.Start|run)\(|"go", "(?:build|run)"`)
	if runs.MatchString(sourceOf(t, tests)) {
		return ""
	}
	for _, file := range []string{".ci/run", "Makefile"} {
		if regexp.MustCompile(`go run ` + regexp.QuoteMeta(dir) + `(?:\s|$)`).MatchString(strings.Join(read(t, file), "\n")) {
			return ""
		}
	}
	return "no test runs " + dir + ", nor does CI"
}

// sourceOf returns the text of files, each after a line break.
func sourceOf(t *testing.T, files []string) string {
	t.Helper()
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		all.WriteString("\n")
		all.Write(text)
	}
	return all.String()
}
