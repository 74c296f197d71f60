package browser

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// examplePicture is the picture in the README of an example.
type examplePicture struct {
	name          string // of the folder
	width, height int64  // of the window; a height of 0: as high as the page
	starts        string // the program prints this when it's ready
	args          string
	// open opens the page, given the program's output and its addresses.
	open func(p *page, output string, urls []string)
}

const ready = "Ctrl+C to stop"

func examplePictures() []examplePicture {
	const card, wide = 480, 760
	return []examplePicture{
		{"cli", card, 0, "user_code=", "-demo -device -no-browser -addr 127.0.0.1:0", func(p *page, output string, _ []string) {
			p.goes(regexp.MustCompile(`http\S+user_code=\S+`).FindString(output))
			p.signsInToExample("ada", output)
			p.clicksOn("main button")
			p.arrives(p.address()[:strings.Index(p.address(), "/oauth")] + "/oauth/device?entered=")
		}},
		{"developer-portal", wide, 620, ready, "-addr 127.0.0.1:0", func(p *page, output string, urls []string) {
			p.goes(urls[0] + "/developers/?new")
			p.signsInToExample("grace", output)
			p.fills("Name", "Notebook")
			p.clicksOn("textarea[name=redirect_uris]")
			p.pastes("https://notebook.example.com/callback")
			p.clicks("Register application")
			p.arrives(urls[0] + "/developers/")
		}},
		{"first", card, 0, "-secret", "-addr localhost:18090 -wiki-addr localhost:18091", func(p *page, output string, _ []string) {
			id := regexp.MustCompile(`-id (\S+)`).FindStringSubmatch(output)[1]
			query := url.Values{"response_type": {"code"}, "client_id": {id}, "redirect_uri": {"http://localhost:18091/callback"}, "scope": {"profile email"}}
			p.goes("http://localhost:18090/oauth/authorize?" + query.Encode())
			p.signsInToExample("ada", "password is: open sesame")
		}},
		{"gin", card, 0, "password", "-addr localhost:0 -wiki-addr 127.0.0.1:0", func(p *page, output string, urls []string) {
			p.goes(urls[0] + "/start")
			p.signsInToExample("ada", output)
		}},
		{"mcp", card, 0, "state=", "-demo -no-browser -addr localhost:0", func(p *page, output string, _ []string) {
			p.goes(regexp.MustCompile(`http\S+state=\S+`).FindString(output))
			p.signsInToExample("ada", output)
		}},
		{"observability", card, 0, ready, "-addr 127.0.0.1:0 -metrics-addr 127.0.0.1:0 -load 0", func(p *page, _ string, urls []string) {
			p.allows("status")
			p.goes(urls[0] + "/oauth/authorize?client_id=unknown")
			p.clicksOn("summary")
		}},
		{"openid", wide, 470, ready, "-addr localhost:0 -wiki-addr 127.0.0.1:0", func(p *page, output string, urls []string) {
			p.goes(urls[0] + "/login")
			p.signsInToExample("ada", output)
			p.allowsExample(urls[0])
		}},
		{"quickstart", card, 0, ready, "-addr localhost:0 -client-addr 127.0.0.1:0", func(p *page, output string, urls []string) {
			p.goes(urls[1])
			p.clicks("Sign in with Acme")
			p.arrives(urls[0] + "/login")
			p.signsInToExample("ada", output)
		}},
		{"spa", wide, 460, ready, "-addr 127.0.0.1:0 -spa-addr localhost:0", func(p *page, output string, urls []string) {
			p.goes(urls[0])
			p.appears("#signed-out:not([hidden])")
			p.clicks("Sign in with Acme")
			p.arrives(urls[1] + "/login")
			p.signsInToExample("ada", output)
			p.allowsExample(urls[0])
			p.appears("#notes li")
		}},
		{"stores", wide, 0, ready, "-store memory -addr localhost:0 -client-addr 127.0.0.1:0", func(p *page, output string, urls []string) {
			p.goes(urls[0])
			p.clicks("Sign in with Acme")
			p.arrives("http://localhost:")
			p.signsInToExample("ada", output)
			p.allowsExample(urls[0])
			p.clicks("Manage this at Acme")
			p.arrives("http://localhost:")
		}},
		{"workspaces", card, 0, ready, "-addr localhost:0 -wiki-addr 127.0.0.1:0", func(p *page, output string, urls []string) {
			p.goes(urls[0] + "/login")
			p.signsInToExample("ada", output)
		}},
	}
}

// withoutPicture are the examples with a README that shows no page, with the reason.
var withoutPicture = map[string]string{
	"migrate": "it runs in the terminal, and its README shows what it prints",
}

// Each example has a README, which shows a picture and names the command. With
// -update the pictures are drawn again:
//
//	go test ./tests/browser -run TestExamplePictures -update
func TestExamplePictures(t *testing.T) {
	t.Parallel()
	const dir = "../../examples"
	if *update {
		for _, e := range examplePictures() {
			t.Run(e.name, func(t *testing.T) {
				p := newPage(t)
				p.allows("favicon.ico")
				p.allows("autocomplete attributes")
				p.prefers("light")
				p.isLarge(e.width, 900, 1)
				output := exampleUntil(t, e.starts, e.name, strings.Fields(e.args)...)
				e.open(p, output, regexp.MustCompile(`http://[^\s/"]+:\d+`).FindAllString(output, -1))
				data := p.shoot(shot{width: e.width, height: e.height, open: func(*page) {}})
				require.NoError(t, os.WriteFile(filepath.Join(dir, e.name, "picture.png"), data, 0o644))
			})
		}
	}
	programs, err := filepath.Glob(dir + "/*/main.go")
	require.NoError(t, err)
	for _, program := range programs {
		folder := filepath.Dir(program)
		text, err := os.ReadFile(filepath.Join(folder, "README.md"))
		require.NoError(t, err)
		require.Contains(t, string(text), "go run ./examples/"+filepath.Base(folder))
		if withoutPicture[filepath.Base(folder)] != "" {
			continue
		}
		require.Contains(t, string(text), "](picture.png)")
		picture, err := os.ReadFile(filepath.Join(folder, "picture.png"))
		require.NoError(t, err)
		require.Less(t, len(picture), maxPicture, folder)
	}
}

// signsInToExample fills in an example's sign-in page, with the password that the
// program has printed.
func (p *page) signsInToExample(login, output string) {
	p.t.Helper()
	password := regexp.MustCompile(`password (?:of both )?(?:is: )?"?([^"\n]*)`).FindStringSubmatch(output)
	require.NotNil(p.t, password, output)
	eval[bool](p, `(login, password) => {
		document.querySelector("input[name=login]").value = login;
		document.querySelector("input[name=password]").value = password;
		return true;
	}`, login, password[1])
	next, err := url.Parse(p.address())
	require.NoError(p.t, err)
	p.clicksOn("form:has(input[name=password]) button")
	p.arrives(next.Scheme + "://" + next.Host + "/")
}

// allowsExample allows on the consent page, and waits until the client is there.
func (p *page) allowsExample(client string) {
	p.t.Helper()
	p.clicks("Allow")
	p.arrives(client)
}
