package provider_test

import (
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// portal is a settings page where the host's users register applications of
// their own, as GitHub has one under "Developer settings".
type portal struct {
	provider *provider.Provider
	user     func(r *http.Request) string // the host's own; empty: nobody is signed in
}

// handler is to be mounted behind the host's session middleware. The check of
// origins keeps other sites from sending these forms with a user's cookies.
func (p *portal) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /settings/applications", p.list)
	mux.HandleFunc("POST /settings/applications", p.create)
	mux.HandleFunc("POST /settings/applications/{id}/secret", p.rotate)
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.user(r) == "" {
			http.Error(w, "Sign in first.", http.StatusUnauthorized) // or redirect to where one can
			return
		}
		mux.ServeHTTP(w, r)
	}))
}

var portalPage = template.Must(template.New("").Parse(`<!DOCTYPE html>
<title>Your applications</title>
{{with .Secret}}<p>The new secret is <code>{{.}}</code>. Copy it now: it is not shown again.</p>{{end}}
<ul>
{{range .Applications}}<li>{{.Name}}, client id <code>{{.ClientID}}</code>
{{if not .Public}}<form method="post" action="/settings/applications/{{.ID}}/secret"><button>New secret</button></form>{{end}}</li>
{{end}}</ul>
<form method="post" action="/settings/applications">
<label>Name <input name="name" required></label>
<label>Redirect URI <input name="redirect_uri" type="url" required></label>
<label><input type="checkbox" name="public"> It runs on the user's device and can keep no secret</label>
<button>Register</button>
</form>
`))

// show writes the page, with a secret if one was just made. A redirect first
// would need a place to keep the secret, and there is none.
func (p *portal) show(w http.ResponseWriter, r *http.Request, status int, secret provider.Secret) {
	mine, _, err := p.provider.ListApplications(r.Context(), store.ApplicationQuery{OwnerID: p.user(r), Limit: 100})
	if err != nil {
		p.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store") // There may be a secret on it.
	w.WriteHeader(status)
	portalPage.Execute(w, map[string]any{"Applications": mine, "Secret": secret.Reveal()})
}

func (p *portal) fail(w http.ResponseWriter, err error) {
	slog.Error("portal", "error", err)
	http.Error(w, "This does not work right now.", http.StatusServiceUnavailable)
}

func (p *portal) list(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, http.StatusOK, provider.Secret{})
}

func (p *portal) create(w http.ResponseWriter, r *http.Request) {
	_, secret, err := p.provider.CreateApplication(r.Context(), provider.ApplicationSettings{
		Name:         r.PostFormValue("name"),
		RedirectURIs: []string{r.PostFormValue("redirect_uri")},
		Public:       r.PostFormValue("public") != "",
		Scopes:       scopes.New("profile", "email"), // what strangers may ask users for is the host's decision
		OwnerID:      p.user(r),
	})
	if err != nil {
		slog.Info("portal: an application was refused", "error", err)
		http.Error(w, "This cannot be registered. Give a name and an https address.", http.StatusUnprocessableEntity)
		return
	}
	p.show(w, r, http.StatusCreated, secret)
}

func (p *portal) rotate(w http.ResponseWriter, r *http.Request) {
	app, err := p.provider.FindApplication(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && app.OwnerID != p.user(r):
		// Whether somebody else has such an application is nobody's business.
		http.NotFound(w, r)
		return
	case err != nil:
		p.fail(w, err)
		return
	case app.Public:
		http.Error(w, "A public application has no secret.", http.StatusConflict)
		return
	}
	// The old secret works for another hour, so that nothing is interrupted
	// while the new one is put in its place.
	secret, err := p.provider.AddSecret(r.Context(), app.ID, time.Now().Add(time.Hour))
	if err != nil {
		p.fail(w, err)
		return
	}
	p.show(w, r, http.StatusOK, secret)
}

// A page where the host's users register applications of their own: it is
// ordinary code of the host, as applications have an OwnerID and the functions
// do the rest.
func Example_developerPortal() {
	p := &portal{provider: exampleProvider(), user: func(r *http.Request) string { return r.Header.Get("Test-User") }}
	site := p.handler()
	send := func(user, method, path string, form url.Values) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Test-User", user)
		w := httptest.NewRecorder()
		site.ServeHTTP(w, r)
		return w
	}
	const page = "/settings/applications"
	made := send("ada", "POST", page, url.Values{"name": {"Notebook"}, "redirect_uri": {"https://notebook.example.com/callback"}})
	fmt.Println("ada registers:", made.Code, "with a secret:", strings.Contains(made.Body.String(), "The new secret is"))
	for _, user := range []string{"ada", "grace"} {
		seen := send(user, "GET", page, nil).Body.String()
		fmt.Println(user, "sees it:", strings.Contains(seen, "Notebook"), "with a secret:", strings.Contains(seen, "The new secret is"))
	}
	_, rest, _ := strings.Cut(made.Body.String(), `action="`) // the button "New secret"
	rotate, _, _ := strings.Cut(rest, `"`)
	fmt.Println("grace wants its secret:", send("grace", "POST", rotate, nil).Code)
	fmt.Println("ada wants a new one:", send("ada", "POST", rotate, nil).Code)
	// Output:
	// ada registers: 201 with a secret: true
	// ada sees it: true with a secret: false
	// grace sees it: false with a secret: false
	// grace wants its secret: 404
	// ada wants a new one: 200
}
