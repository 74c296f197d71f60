// Package portal serves two ready-made sites for the applications of a
// [provider.Provider]: [Admin] for the host's administrators, and [Developers]
// for users who register their applications. They look like the built-in pages
// and work without JavaScript. Each is one handler:
//
//	mux.Handle("/admin/oauth/", portal.Admin(p, portal.AdminOptions{Allow: allow}))
//	mux.Handle("/developers/", portal.Developers(p, portal.DeveloperOptions{}))
//
// Mount them at any path, behind the host's session middleware; all their links
// are relative. They store nothing, and use only exported functions of package
// provider. Their events have an Actor: see [provider.WithActor].
//
// They refuse forms from other sites (by Sec-Fetch-Site and Origin, as in
// [http.CrossOriginProtection]), can't be framed, and change nothing on GET.
package portal

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// ErrSignIn is the error that AdminOptions.Allow returns if no one is signed
// in. The visitor is then sent to Config.SignIn and back.
var ErrSignIn = errors.New("portal: no one is signed in")

// AdminOptions configures [Admin].
type AdminOptions struct {
	// Allow authorizes a visitor as an administrator, and returns the host's
	// name for them, which becomes the Actor of the events. Return an error to
	// refuse. It is called for each request. Required.
	Allow func(r *http.Request) (actor string, err error)
}

// DeveloperOptions configures [Developers]. With the zero value, every
// signed-in user can register applications that can learn who a user is.
type DeveloperOptions struct {
	// Scopes lists the scopes that developers can choose for their applications.
	// The default is "profile" and "email", as far as Config.Scopes has them.
	Scopes scopes.Set

	// TokenScopes lists the scopes that users can choose for personal access
	// tokens. If empty, personal access tokens are off.
	TokenScopes scopes.Set

	// MaxApplications is how many applications an owner can have. The default is
	// 20.
	MaxApplications int

	// APIURL is the URL of the host's API that developers can try tokens with.
	// The default is the userinfo endpoint.
	APIURL string

	// Owner returns the owner of what a user registers and sees, such as the
	// workspace that is selected in the host's session. It must check that the
	// user is a member with the right to do so, and return an error to refuse
	// the visitor. Owner IDs are compared as they are, so the ID of a workspace
	// must never be that of a user. The default is the user.
	Owner func(r *http.Request, userID string) (ownerID string, err error)
}

const (
	defaultMaxApplications = 20
	maxTokens              = 50 // of one user
	maxForm                = 256 << 10
	pageSize               = 20
	day                    = 24 * time.Hour
)

// Admin serves the administrators' site. It lists, searches, creates, edits,
// reviews, disables, and deletes applications, rotates their secrets, shows who
// is signed in to them and why their requests failed, and ends sign-ins.
//
// It panics if Allow is nil, because then everyone would be an administrator.
func Admin(p *provider.Provider, o AdminOptions) http.Handler {
	if o.Allow == nil {
		panic("portal: Admin: AdminOptions.Allow is nil: set it to a function that authorizes administrators")
	}
	offer := p.Offers()
	s := &site{p: p, name: "admin", offer: offer, scopes: offer.Scopes[store.OriginManual], api: p.Endpoints().UserInfo}
	s.enter = func(w http.ResponseWriter, r *http.Request) (visitor, error) {
		actor, err := o.Allow(r)
		if errors.Is(err, ErrSignIn) {
			if user, err := p.Visitor(w, r); user == "" {
				return visitor{}, err
			}
		}
		if err == nil && actor == "" {
			err = errors.New("AdminOptions.Allow returned no error and no actor: it must return the administrator's name")
		}
		if err != nil {
			return visitor{}, refusal(http.StatusForbidden, "Only administrators may see this page.", err)
		}
		return visitor{actor: actor, administers: true}, nil
	}
	return s.handler()
}

// Developers serves the site where signed-in users register applications, see
// why requests of these failed, try them, and make personal access tokens.
// Other visitors are sent to Config.SignIn.
//
// Users see and change only what they own, and can't give an application more
// than Scopes. Reviewing, skipping the consent page, and everything else is up
// to administrators.
func Developers(p *provider.Provider, o DeveloperOptions) http.Handler {
	offer := p.Offers()
	offered := offer.Scopes[store.OriginManual]
	if o.Scopes == nil {
		o.Scopes = scopes.New(scopes.Profile, scopes.Email)
	}
	if o.MaxApplications <= 0 {
		o.MaxApplications = defaultMaxApplications
	}
	if o.APIURL == "" {
		o.APIURL = p.Endpoints().UserInfo
	}
	s := &site{p: p, name: "developers", offer: offer, scopes: offered.Intersect(o.Scopes), tokenScopes: offered.Intersect(o.TokenScopes),
		max: o.MaxApplications, api: o.APIURL}
	s.enter = func(w http.ResponseWriter, r *http.Request) (visitor, error) {
		user, err := p.Visitor(w, r)
		if user == "" || err != nil {
			return visitor{}, err
		}
		owner := user
		if o.Owner != nil {
			if owner, err = o.Owner(r, user); err == nil && owner == "" {
				err = errors.New("DeveloperOptions.Owner returned no error and no owner: it must return the ID of the user or team")
			}
		}
		if err != nil {
			return visitor{}, refusal(http.StatusForbidden, "You may not manage applications here.", err)
		}
		return visitor{actor: user, owner: owner}, nil
	}
	return s.handler()
}

// A site is one of the two sites.
type site struct {
	p      *provider.Provider
	name   string
	offer  provider.Offer
	scopes scopes.Set // that can be chosen
	api    string     // a URL to try tokens with
	csrf   *http.CrossOriginProtection

	tokenScopes scopes.Set // for developers; empty if tokens are off
	max         int        // applications of one owner; 0 for no limit

	// enter returns the visitor. If it returns the zero visitor without an
	// error, it has written the answer.
	enter func(w http.ResponseWriter, r *http.Request) (visitor, error)
}

// A visitor is who acts, and for which owner.
type visitor struct {
	actor       string
	administers bool
	owner       string // of the applications that a developer sees; empty for administrators
}

// A visit is one request.
type visit struct {
	*site
	visitor
	w   http.ResponseWriter
	r   *http.Request
	ctx context.Context // with the actor
}

func (s *site) handler() http.Handler {
	s.csrf = http.NewCrossOriginProtection()
	// A proxy may rewrite Host, so trust the issuer's origin by name.
	scheme, rest, _ := strings.Cut(s.p.Endpoints().Issuer, "://")
	host, _, _ := strings.Cut(rest, "/")
	if err := s.csrf.AddTrustedOrigin(scheme + "://" + host); err != nil {
		panic("portal: " + err.Error()) // provider.New has accepted it as an issuer.
	}
	return s.p.Endpoint(s.name, s.serve, func(w http.ResponseWriter, _ *http.Request, e *provider.Error, reference string) {
		s.write(w, e.Status, view{Title: "This did not work", Template: "refused", Message: e.Description, Reference: reference})
	})
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		if err := s.csrf.Check(r); err != nil {
			return refusal(http.StatusForbidden, "This form was sent by another site. Nothing was changed.", err)
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			return refusal(http.StatusBadRequest, "The form is too long or damaged. Nothing was changed.", err)
		}
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		return refusal(http.StatusMethodNotAllowed, "The method is not allowed here. Use GET or POST.", nil)
	}
	who, err := s.enter(w, r)
	if err != nil || who == (visitor{}) {
		return err
	}
	v := &visit{s, who, w, r, provider.WithActor(r.Context(), who.actor)}
	if r.Method == http.MethodPost {
		return v.act()
	}
	return v.show()
}

// show answers a GET.
func (v *visit) show() error {
	q := v.r.URL.Query()
	switch {
	case q.Has("application"):
		app, err := v.find(q.Get("application"))
		switch {
		case err != nil:
			return err
		case q.Has("try"):
			return v.showTry(app)
		}
		return v.showApplication(http.StatusOK, app, view{})
	case q.Has("new"):
		return v.showNew(http.StatusOK, v.newForm())
	case q.Has("tokens") && len(v.tokenScopes) > 0:
		return v.showTokens(http.StatusOK, view{})
	}
	return v.showList()
}

// An action is what a button does. For developers, administrators' actions
// don't exist.
type action struct {
	do    func(*visit, provider.Application) error
	admin bool
	noApp bool // needs no application
}

var actions = map[string]action{
	"create":   {do: (*visit).create, noApp: true},
	"save":     {do: (*visit).save},
	"rotate":   {do: (*visit).rotate},
	"end":      {do: (*visit).end, admin: true},
	"end_all":  {do: (*visit).endAll},
	"review":   {do: (*visit).review, admin: true},
	"unreview": {do: (*visit).unreview, admin: true},
	"disable":  {do: (*visit).disable, admin: true},
	"enable":   {do: (*visit).enable, admin: true},
	"delete":   {do: (*visit).delete},
	"exchange": {do: (*visit).exchange},

	"create_token": {do: (*visit).createToken, noApp: true},
	"revoke_token": {do: (*visit).revokeToken, noApp: true},
}

// act answers a POST.
func (v *visit) act() error {
	a, known := actions[v.r.PostForm.Get("do")]
	if !known || a.admin && !v.administers {
		return notFound(nil)
	}
	var app provider.Application
	if !a.noApp {
		var err error
		if app, err = v.find(v.r.URL.Query().Get("application")); err != nil {
			return err
		}
	}
	return failure(a.do(v, app))
}

// find returns an application that the visitor may manage. It doesn't reveal
// whether someone else has one with that ID.
func (v *visit) find(id string) (provider.Application, error) {
	app, err := v.p.FindApplication(v.ctx, id)
	if err == nil && !v.administers && app.OwnerID != v.owner {
		err = store.ErrNotFound
	}
	return app, failure(err)
}

// failure converts an error of the provider into a refusal.
func failure(err error) error {
	var e *provider.Error
	switch {
	case err == nil || errors.As(err, &e):
		return err
	case errors.Is(err, store.ErrNotFound):
		return notFound(err)
	case errors.Is(err, store.ErrConflict):
		return refusal(http.StatusConflict, "The application was changed after you opened its page, or you sent the form twice. Nothing was changed. Open the page again.", err)
	}
	e = refusal(http.StatusServiceUnavailable, "The service cannot answer right now. Try again in a few seconds.", err)
	e.Code = "temporarily_unavailable"
	return e
}

func notFound(cause error) error {
	return refusal(http.StatusNotFound, "There is no such page, or you may not see it.", cause)
}

func refusal(status int, description string, cause error) *provider.Error {
	e := &provider.Error{Code: "invalid_request", Status: status, Description: description, Err: cause}
	if status == http.StatusForbidden || status == http.StatusNotFound {
		e.Code = "access_denied"
	}
	return e
}

// goes redirects the visitor after an action. The address is relative, so the
// site can be mounted anywhere.
func (v *visit) goes(query string) error {
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.Header().Set("Location", "?"+query)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

//go:embed portal.html
var source string

//go:embed portal.css
var style string

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"day":  func(t time.Time) string { return t.UTC().Format("2 January 2006") },
	"time": func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") },
}).Parse(source))

// render writes a page for a visitor.
func (v *visit) render(status int, page view) error {
	page.Admin, page.Tokens = v.administers, len(v.tokenScopes) > 0
	if page.Done == "" {
		page.Done = done[v.r.URL.Query().Get("done")]
	}
	v.write(v.w, status, page)
	return nil
}

func (s *site) write(w http.ResponseWriter, status int, page view) {
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, "page", page); err != nil {
		http.Error(w, "The page could not be written.", http.StatusInternalServerError) // The views and templates are tested together.
		return
	}
	s.p.WritePage(w, pages.Page{Status: status, Title: page.Title, Style: template.CSS(style), Body: template.HTML(body.String())}) //nolint:gosec // html/template wrote it.
}
