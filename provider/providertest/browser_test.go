package providertest_test

import (
	"context"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/userinfo"
)

func TestAllowAndDeny(t *testing.T) {
	host := providertest.New(t)
	host.SignIn("user_ada")
	w := newWiki(host, "profile")

	denied := providertest.Deny(t, host.Client, w.signInURL())
	require.Equal(t, "https://wiki.example.com/callback", denied.Scheme+"://"+denied.Host+denied.Path)
	require.Equal(t, "access_denied", denied.Query().Get("error"))
	require.Equal(t, "a state", denied.Query().Get("state"))

	allowed := providertest.Allow(t, host.Client, w.signInURL())
	require.NotEmpty(t, allowed.Query().Get("code"))
	require.Equal(t, host.URL, allowed.Query().Get("iss"))

	// The second time, the user isn't asked.
	require.NotEmpty(t, providertest.Allow(t, host.Client, w.signInURL()).Query().Get("code"))
	text := fatal(t, func(t testing.TB) { providertest.Deny(t, host.Client, w.signInURL()) })
	require.Contains(t, text, "providertest: Deny: the user was not asked")

	// A refusal is an answer to the application too.
	refused := providertest.Allow(t, host.Client, w.signInURL()+"&scope=email")
	require.Equal(t, "invalid_scope", refused.Query().Get("error"))
}

// The request may omit the redirect URI, which may be a native application's,
// or on the host's own origin.
func TestAllowFindsTheApplication(t *testing.T) {
	host := providertest.New(t)
	host.SignIn("user_ada")
	for _, tt := range []struct {
		name, uri string
		public    bool
		change    func(url.Values)
	}{
		{name: "not in the request", uri: "https://wiki.example.com/callback", change: func(q url.Values) { q.Del("redirect_uri") }},
		{name: "with a query", uri: "https://wiki.example.com/callback?tenant=1&code=2"},
		{name: "a loopback address", uri: "http://127.0.0.1:1/callback"},
		{name: "the host itself", uri: host.URL + "/callback"},
		{name: "a scheme", uri: "com.example.wiki:/callback", public: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app, _, err := host.Provider.CreateApplication(t.Context(), provider.ApplicationSettings{
				Name: "Wiki", RedirectURIs: []string{tt.uri}, Public: tt.public,
			})
			require.NoError(t, err)
			q := url.Values{"response_type": {"code"}, "client_id": {app.ClientID}, "redirect_uri": {tt.uri}}
			if tt.public {
				q.Set("code_challenge", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")
				q.Set("code_challenge_method", "S256")
			}
			if tt.change != nil {
				tt.change(q)
			}
			answer := providertest.Allow(t, host.Client, host.URL+"/oauth/authorize?"+q.Encode())
			require.NotEmpty(t, answer.Query().Get("code"))
		})
	}
}

const (
	form     = `<form method="post" action="/decide">`
	buttons  = `<button name="decision" value="deny">No</button><button name="decision" value="allow">Yes</button></form>`
	answerTo = "https://wiki.example.com/callback"
)

// pageServer is a host with this page instead of a consent page. It records the
// posted form.
func pageServer(t *testing.T, page string) (address string, posted func() url.Values) {
	var got url.Values
	mux := http.NewServeMux()
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) })
	mux.HandleFunc("POST /decide", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "http://"+r.Host || r.Header.Get("Referer") == "" {
			http.Error(w, "This isn't a browser.", http.StatusForbidden)
			return
		}
		r.ParseForm()
		got = r.PostForm
		http.Redirect(w, r, answerTo+"?code=x", http.StatusSeeOther)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/authorize?redirect_uri=" + url.QueryEscape(answerTo), func() url.Values { return got }
}

// Allow parses the consent page as browsers do, with any valid HTML.
func TestAllowReadsForms(t *testing.T) {
	for _, tt := range []struct{ name, page, want string }{
		{"hidden fields", form + `<input type="hidden" name="seal" value="a&amp;b=&#34;c&#34;&gt;">` + buttons, "decision=allow&seal=a%26b%3D%22c%22%3E"},
		{"boxes", form + `<input type=checkbox name=granted value=profile checked><INPUT NAME='granted' TYPE='checkbox' VALUE='email'>
			<input type="checkbox" name="terms" checked="checked" />` + buttons, "decision=allow&granted=profile&terms=on"},
		{"radio buttons", form + `<input type="radio" name="days" value="1"><input type="radio" name="days" value="30" checked>` + buttons, "days=30&decision=allow"},
		{"lists", form + `<select name="a"><option value="">None</option><option value="1">1</option></select><select name='b' required><option value="1"><option value="2" selected>2</select>
			<select name="off" disabled><option value="1">1</select>` + buttons, "a=&b=2&decision=allow"},
		{"choices that have to be made", form + `<input type="radio" name="a" value="1" required><input type="radio" name="a" value="2" required>
			<input type="radio" name="b" value="1" required><input type="radio" name="b" value="2" required checked>
			<select name="c" required><option value="">Choose</option><option value="1">1</option><option value="2">2</option></select>
			<input type="radio" name="d" value="1">` + buttons, "a=1&b=2&c=1&decision=allow"},
		{"what is not sent", form + `<input name="off" value="1" disabled><input value="nameless"><input type="submit" name="other" value="x">
			<input type="button" name="b" value="x"><button type="button" name="c" value="x">?</button><button name="cancel">x</button>` + buttons, "decision=allow"},
		{"a value without quotes", `<form method=post action=/decide><input name=a value=b/c>` + buttons, "a=b%2Fc&decision=allow"},
		{"line breaks", "<form\n method=\"post\"\n action = \"/decide\"\n><input\n name='a'\n value='1\n2'\n>" + buttons, "a=1%0A2&decision=allow"},
		{"signs in a value", form + `<input title="a > b" name="a" value="</form>">` + buttons, "a=%3C%2Fform%3E&decision=allow"},
		{"other forms", `<form action="/search"><input name="q"><button name="decision" value="allow">Go</button></form>
			<form method="post" action="/logout"><button>Sign out</button></form>` + form + buttons, "decision=allow"},
		{"a form for each", `<form method="post" action="/no"><input type="hidden" name="decision" value="deny"><button>No</button></form>` +
			form + `<input type="hidden" name="decision" value="allow"><button>Yes</button></form>`, "decision=allow"},
		{"submit inputs", form + `<input type="submit" name="decision" value="deny"><input type="submit" name="decision" value="allow"></form>`, "decision=allow"},
		{"what is not seen", `<!-- ` + form + buttons + ` --><script>"` + form + buttons + `"</script><style>a>b{}</style>` + form + `<input name="a" value="1">` + buttons, "a=1&decision=allow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address, posted := pageServer(t, tt.page)
			providertest.Allow(t, http.DefaultClient, address)
			require.Equal(t, tt.want, posted().Encode())
		})
	}
}

func TestAllowOnlySomeScopes(t *testing.T) {
	address, posted := pageServer(t, form+`<input type="checkbox" name="granted" value="profile" checked>
		<input type="checkbox" name="granted" value="email" checked><input type="checkbox" name="granted" value="notes:read" checked>
		<input type="checkbox" name="granted" value="notes:write">`+buttons)
	providertest.Allow(t, http.DefaultClient, address, "profile", "notes:read")
	require.Equal(t, []string{"profile", "notes:read"}, posted()["granted"])
	providertest.Allow(t, http.DefaultClient, address)
	require.Equal(t, []string{"profile", "email", "notes:read"}, posted()["granted"])

	providertest.Allow(t, http.DefaultClient, address, "profile", "notes:write")
	require.Equal(t, []string{"profile", "notes:write"}, posted()["granted"], "it was unticked before")

	text := fatal(t, func(t testing.TB) { providertest.Allow(t, http.DefaultClient, address, "profile", "phone") })
	require.Contains(t, text, `no box for the scope "phone"`)
	require.Contains(t, text, `["profile" "email" "notes:read" "notes:write"]`)
}

func TestAllowSaysWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		name, page string
		says       []string
	}{
		{"a page of scripts", `<title>Notes</title><div id="root"></div><script src="/app.js"></script><noscript>Switch scripts on.</noscript>`,
			[]string{"Switch scripts on.", `no form with a button named "decision" of value "allow"`, "needs scripts"}},
		{"a sign-in page", `<h1>Sign in</h1><form method="post"><input name="password" type="password"><button>Sign in</button></form>`,
			[]string{"which says: Sign in Sign in", "sign the browser in first"}},
		{"buttons of another name", form + `<button name="action" value="allow">Yes</button></form>`, []string{`"decision"`}},
		{"a list to choose from", form + `<select name="days"><option>1</select>` + buttons, []string{"<option> without a value", "give each a value"}},
		{"a text to write", form + `<textarea name="why"></textarea>` + buttons, []string{"<textarea>", "use inputs and buttons"}},
		{"a form that goes elsewhere", `<form method="post" action="/gone">` + buttons, []string{"no answer for the application", "/gone (status 404)", "404 page not found"}},
		{"a form that shows itself again", `<form method="post" action="/authorize">` + buttons, []string{"no answer for the application", "/authorize (status 200)"}},
		{"a form without an address", `<form method="post" action="http://[">` + buttons, []string{`"http://["`, "not a URL"}},
		{"nothing", "", []string{"which says: (nothing)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address, _ := pageServer(t, tt.page)
			text := fatal(t, func(t testing.TB) { providertest.Allow(t, http.DefaultClient, address) })
			for _, part := range tt.says {
				require.Contains(t, text, part)
			}
		})
	}
}

func TestAllowReportsWrongRedirects(t *testing.T) {
	host := providertest.New(t)
	host.SignIn("user_ada")
	to := func(target string, status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, status) }
	}
	host.Mux.HandleFunc("GET /loop", to("/loop", http.StatusFound))
	host.Mux.HandleFunc("GET /elsewhere", to("https://login.example.com/?next=1", http.StatusFound))
	host.Mux.HandleFunc("GET /nowhere", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) })
	host.Mux.HandleFunc("GET /again", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `<form method="post">`+buttons) })
	host.Mux.HandleFunc("POST /again", to("/loop", http.StatusTemporaryRedirect))
	for address, says := range map[string]string{
		"/oauth/authorize":            "is not a URL that can be opened",
		"":                            "is not a URL that can be opened",
		host.URL + "/oauth/authorize": "status 400",
		host.URL + "/oauth/authorize?client_id=x": "status 400",
		host.URL + "/none":                        "404 page not found",
		host.URL + "/loop":                        "redirected 20 times",
		host.URL + "/elsewhere":                   "https://login.example.com/?next=1, which is neither the host nor the application",
		host.URL + "/nowhere":                     "/nowhere is invalid",
		host.URL + "/again":                       "status 307",
		"http://127.0.0.1:1/oauth/authorize":      "is Config.Issuer the URL of the test's server?",
	} {
		text := fatal(t, func(t testing.TB) { providertest.Allow(t, host.Client, address) })
		require.Contains(t, text, says, address)
	}
	require.Contains(t, fatal(t, func(t testing.TB) { providertest.Allow(t, nil, host.URL) }), "the browser is nil")
}

func TestAuthorizeSaysWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		name  string
		edit  func(*provider.Config)
		scope string
		says  []string
	}{
		{"an unknown scope", nil, "notes:read", []string{`"notes:read"`, "it offers profile email"}},
		{"no token endpoint", func(c *provider.Config) { c.Paths.Token = "-" }, "", []string{"Config.Paths leaves"}},
		{"an issuer that is elsewhere", func(c *provider.Config) { c.Issuer = "http://127.0.0.1:1" }, "", []string{"is Config.Issuer the URL of the test's server?"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := providertest.New(t, func(c *provider.Config) {
				if tt.edit != nil {
					tt.edit(c)
				}
			})
			host.SignIn("user_ada")
			text := fatal(t, func(t testing.TB) {
				if tt.scope != "" {
					providertest.Authorize(t, host.Provider, host.Client, tt.scope)
				}
				providertest.Authorize(t, host.Provider, host.Client)
			})
			for _, part := range tt.says {
				require.Contains(t, text, part)
			}
		})
	}
}

// The test tells a host if its CSRF check also blocks the token endpoint.
func TestAuthorizeWhenTheTokenEndpointIsBlocked(t *testing.T) {
	app, server := startNotes(t)
	open := server.Config.Handler
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("user"); err != nil && r.URL.Path != "/login" {
			http.Error(w, "Sign in first.", http.StatusForbidden)
			return
		}
		open.ServeHTTP(w, r)
	})
	browser := signedIn(t, server, "ada")
	text := fatal(t, func(t testing.TB) { providertest.Authorize(t, app.provider, browser, "profile") })
	require.Contains(t, text, "/oauth/token answered 403 Forbidden, and no tokens: Sign in first.")
	require.Contains(t, text, "sign-in wall")
}

// ownPage is a custom consent page.
var ownPage = template.Must(template.New("").Parse(`<!DOCTYPE html><title>Notes</title><form action="{{.FormAction}}" method="post">
{{range .FormFields}}<input name="{{.Name}}" value="{{.Value}}" hidden>{{end}}
{{range .Scopes}}<input type="checkbox" name="granted" value="{{.Name}}"{{if not .Declined}} checked{{end}}> {{.Title}}{{end}}
<input type="submit" name="decision" value="deny"> <input type="submit" name="decision" value="allow"></form>`))

func TestAllowOnAnyConsentPage(t *testing.T) {
	for name, edit := range map[string]func(*provider.Config){
		"built in": func(*provider.Config) {},
		"own": func(c *provider.Config) {
			c.Pages.Consent = func(w http.ResponseWriter, _ *http.Request, page pages.Consent) { ownPage.Execute(w, page) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			host := providertest.New(t, edit)
			w := newWiki(host, "profile email public_metadata")
			for _, tt := range []struct {
				only []string
				want string
			}{{nil, "profile email public_metadata"}, {[]string{"profile", "email"}, "profile email"}} {
				host.SignIn("user_ada")
				tokens, err := w.redeem(providertest.Allow(t, host.Client, w.signInURL()+"&prompt=consent", tt.only...))
				require.NoError(t, err)
				require.Equal(t, tt.want, tokens.Scope)
			}
			require.Equal(t, "access_denied", providertest.Deny(t, host.Client, w.signInURL()+"&prompt=consent").Query().Get("error"))
		})
	}
}

func TestAllowOnAConsentPageOfScripts(t *testing.T) {
	host := providertest.New(t, func(c *provider.Config) {
		c.Pages.Consent = func(w http.ResponseWriter, _ *http.Request, _ pages.Consent) {
			io.WriteString(w, `<div id="app"></div><script src="/app.js"></script>`)
		}
	})
	host.SignIn("user_ada")
	text := fatal(t, func(t testing.TB) { providertest.Allow(t, host.Client, newWiki(host, "profile").signInURL()) })
	require.Contains(t, text, "/oauth/authorize (status 200)")
	require.Contains(t, text, "If it is a custom consent page that needs scripts: leave it out in this test")
}

// The test's failure has the text of the error page.
func TestAllowAtAHostThatLostTheUser(t *testing.T) {
	host := providertest.New(t, func(c *provider.Config) {
		find, calls := c.Users, 0
		c.Users = func(ctx context.Context, id string) (u userinfo.User, err error) {
			if calls++; calls > 2 {
				return u, userinfo.ErrNotFound
			}
			return find(ctx, id)
		}
	})
	host.SignIn("user_ada")
	text := fatal(t, func(t testing.TB) { providertest.Authorize(t, host.Provider, host.Client) })
	require.Contains(t, text, "/oauth/authorize (status 403)")
	require.Contains(t, text, "access_denied")
}

// signingIn is a Transport that sends the signed-in user in a header.
type signingIn string

func (user signingIn) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-User", string(user))
	return http.DefaultTransport.RoundTrip(r)
}

// The issuer need not be the address of the test's server.
func TestAuthorizeByATransport(t *testing.T) {
	host := providertest.New(t, func(c *provider.Config) {
		c.Issuer = "https://acme.example.com"
		c.CurrentUser = func(*http.Request) (provider.Session, error) { return provider.Session{UserID: "user_ada"}, nil }
	})
	server := httptest.NewTLSServer(host.Mux)
	defer server.Close()
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // as in the server's certificate
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}
	defer transport.CloseIdleConnections()
	tokens := providertest.Authorize(t, host.Provider, &http.Client{Transport: transport}, "profile")
	require.Equal(t, "Ada Lovelace", userInfo(t, host, tokens.AccessToken)["name"])
}

// A host may identify its users without a cookie. The consent page needs one
// anyway, so a browser without a jar gets one.
func TestAllowWithoutACookieJar(t *testing.T) {
	host := providertest.New(t, func(c *provider.Config) {
		c.CurrentUser = func(r *http.Request) (provider.Session, error) {
			return provider.Session{UserID: r.Header.Get("X-User")}, nil
		}
	})
	browser := &http.Client{Transport: signingIn("user_grace")}
	tokens := providertest.Authorize(t, host.Provider, browser, "profile")
	require.Equal(t, "Grace Hopper", userInfo(t, host, tokens.AccessToken)["name"])
	require.Nil(t, browser.Jar, "the test's own client stays as it is")
}
