package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// Redirect after a sign-in only to this site. Anyone can write a link with a
// "next" in it.
func ExampleLocalPath() {
	signedIn := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, provider.LocalPath(r.PostFormValue("next"), "/"), http.StatusSeeOther)
	}
	http.HandleFunc("POST /login", signedIn)
}

var localPaths = []string{
	"/", "/oauth/authorize?client_id=x&state=a%2Fb&redirect_uri=https://wiki.example/cb", "/a/b/", "/a?next=//evil.example", "/a?b=/\u00e4",
	"/settings#security", "/my%20notes", "/a%2Fb", "/caf\u00e9", "/.", "/a/../b", "/@evil.example", "/evil.example", "/a:80", "/?x=%0d%0a", "/#//evil.example",
}

var foreignPaths = []string{
	"", "x", "login", "?x", "#x", ".", "./x", "../x",
	"//evil.example", "///evil.example", "////evil.example", "//evil.example/oauth/authorize?x=y", "//", "//@evil.example",
	`/\evil.example`, `\/evil.example`, `\\evil.example`, `/a\b`, `/?x=\`,
	"/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "/\t\\evil.example", "\t//evil.example", "\n/x", " //evil.example", " /x", "/x ", "/ /evil.example",
	"/\x00/evil.example", "/\x7f/evil.example", "/x\r\nSet-Cookie: a=b",
	"https://evil.example", "HTTPS://evil.example", "https:evil.example", "https:/evil.example", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "mailto:x@evil.example",
	// A browser, a router, or a proxy turns them into paths that start with two
	// slashes.
	"/.//evil.example", "/..//evil.example", "/a/..//evil.example", "/%2e//evil.example", "/%2E%2e//evil.example", "/a//b",
	"/%2fevil.example", "/%2Fevil.example", "/%5cevil.example", "/%5Cevil.example", "/%09/evil.example", "/%0a/evil.example", "/%00", "/a%0d%0ab", "/./%2fevil.example",
	"/%", "/%zz", "/#%zz",
}

func TestLocalPath(t *testing.T) {
	for _, path := range localPaths {
		require.Equal(t, path, provider.LocalPath(path, "/home"), "%q", path)
	}
	for _, path := range foreignPaths {
		require.Equal(t, "/home", provider.LocalPath(path, "/home"), "%q", path)
	}
}

// Every accepted path keeps the browser on the host: in its original text,
// after http.Redirect, and after a router that redirects to the decoded path.
func FuzzLocalPath(f *testing.F) {
	for _, path := range append(localPaths, foreignPaths...) {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if provider.LocalPath(path, "\x00") != path || path == "\x00" {
			return
		}
		w := httptest.NewRecorder()
		http.Redirect(w, httptest.NewRequest("GET", "https://host.example/login", nil), path, http.StatusSeeOther)
		decoded := path
		if u, err := url.Parse(path); err == nil {
			decoded = u.Path
		}
		for _, location := range []string{path, w.Header().Get("Location"), decoded} {
			host, resolved := browse(location)
			require.Equal(t, "https://host.example", host, "%q as %q", path, location)
			require.False(t, strings.HasPrefix(resolved, "//"), "%q leads to the path %q", path, resolved)
		}
	})
}

// browse returns where a browser at https://host.example/login goes: it trims
// spaces and control characters, skips tabs and line breaks, reads "\" as "/"
// before the query, and resolves dots, encoded or not (WHATWG URL, section
// 4.4).
func browse(location string) (origin, path string) {
	location = strings.TrimFunc(location, func(c rune) bool { return c <= ' ' })
	location = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(location)
	end := strings.IndexAny(location, "?#")
	if end < 0 {
		end = len(location)
	}
	address := strings.ReplaceAll(location[:end], `\`, "/")
	if scheme, _, ok := strings.Cut(address, ":"); ok && !strings.Contains(scheme, "/") {
		return scheme, ""
	}
	if strings.HasPrefix(address, "//") {
		host, _, _ := strings.Cut(strings.TrimLeft(address, "/"), "/")
		return "https://" + host, ""
	}
	if !strings.HasPrefix(address, "/") {
		return "relative", ""
	}
	var kept []string
	segments := strings.Split(address[1:], "/")
	for i, segment := range segments {
		dots, last := strings.ReplaceAll(strings.ToLower(segment), "%2e", "."), i == len(segments)-1
		switch {
		case dots == "..":
			kept = kept[:max(len(kept)-1, 0)]
		case dots != ".":
			kept = append(kept, segment)
		}
		if last && (dots == "." || dots == "..") {
			kept = append(kept, "")
		}
	}
	return "https://host.example", "/" + strings.Join(kept, "/")
}

func TestRedirectTo(t *testing.T) {
	for _, tt := range []struct {
		path string
		in   provider.SignInRequest
		want string
	}{
		{"/login", provider.SignInRequest{ReturnTo: "/a?b=c&d"}, "/login?next=%2Fa%3Fb%3Dc%26d"},
		{"/login?x=1", provider.SignInRequest{ReturnTo: "/a", LoginHint: "ada@example.com"}, "/login?x=1&login_hint=ada%40example.com&next=%2Fa"},
		{"/login", provider.SignInRequest{ReturnTo: "/a", ACRValues: []string{"urn:example:mfa", "urn:example:pwd"}}, "/login?acr_values=urn%3Aexample%3Amfa+urn%3Aexample%3Apwd&next=%2Fa"},
		{"/login", provider.SignInRequest{ReturnTo: "/a", Force: true}, "/login?next=%2Fa&prompt=login"},
		{"/login", provider.SignInRequest{ReturnTo: "/a", Force: true, SwitchAccount: true}, "/login?next=%2Fa&prompt=login"},
	} {
		w := httptest.NewRecorder()
		provider.RedirectTo(tt.path, "next")(w, httptest.NewRequest("GET", "/x", nil), tt.in)
		require.Equal(t, http.StatusSeeOther, w.Code)
		require.Equal(t, tt.want, w.Header().Get("Location"))
	}
}

// A mistake shows when the host starts, not when the first user signs in.
func TestRedirectToPanicsAtOnce(t *testing.T) {
	for _, path := range []string{"", "login", "./login", "//login", "https://accounts.example.com/login", "/log in", "/login#form", `\login`} {
		require.Panics(t, func() { provider.RedirectTo(path, "next") }, "%q", path)
	}
	require.PanicsWithValue(t, `provider: RedirectTo: the path "login" is not a path on this origin: write it like "/login"`,
		func() { provider.RedirectTo("login", "next") })
	require.PanicsWithValue(t, `provider: RedirectTo: the name of the query parameter is empty: write it like "next"`,
		func() { provider.RedirectTo("/login", "") })
}
