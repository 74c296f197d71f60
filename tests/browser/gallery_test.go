package browser

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// state is something that the built-in pages can show.
type state struct {
	name   string
	accent bool // something on it has the accent color
	open   func(p *page)
}

// look is the design of the pages.
type look struct {
	accent string
	texts  pages.Texts
	long   bool // every text from a user or an application has its maximum length
	logos  bool
}

// hebrew is a translation that is written from right to left. Missing texts are
// in English.
var hebrew = pages.Texts{
	Language: "he", Direction: "rtl", DateLayout: "02.01.2006",
	Scopes: map[string]string{
		"profile": "לראות את שמך, שם המשתמש שלך והתמונה שלך", "email": "לראות את כתובת הדואר שלך", "notes:read": "לקרוא את הפתקים שלך",
		"notes:list": "לראות את כותרות הפתקים שלך",
	},
	ScopeGroups:  map[string]string{"Your account": "החשבון שלך"},
	ConsentTitle: "{application} מבקש גישה לחשבון שלך אצל {host}", SignedInAs: "נכנסת בתור {user}", SwitchAccount: "החלפת חשבון",
	Asks: "{application} יוכל:", AsksNothing: "{application} יראה רק מהו החשבון שלך אצל {host}.", Choose: "אפשר להסיר את מה שאינך רוצה להתיר.", Always: "נחוץ",
	Reviewed: "נבדק על ידי {host}", Unreviewed: "לא נבדק", NotReviewed: "לא נבדק על ידי {host}.", Recognize: "להמשיך רק אם התחלת בזה עכשיו ו-{address} מוכר לך.",
	OnThisDevice: "היישום פועל במכשיר שלך.", Details: "עוד על היישום", ReturnAddress: "כתובת לחזרה", Claims: "מה שהיישום אומר על עצמו", HomePage: "דף הבית", PrivacyPolicy: "פרטיות", Terms: "תנאים",
	SentTo: "משם תישלח אל {address}.", SentToApp: "משם תחזור ליישום במכשיר הזה.", RemoveLater: "אפשר לבטל את הגישה בכל עת: {connections}.",
	Allow: "אישור", Cancel: "ביטול", ReturnTitle: "חזרה אל {application}", ReturnHint: "להמשיך כדי לחזור ליישום.", Continue: "המשך",
	BadLinkTitle: "הקישור אינו תקין", UnknownApplicationTitle: "היישום אינו מוכר", TryAgain: "לנסות שוב", GoToHost: "אל {host}",
	ErrorReference: "מספר השגיאה: {reference}", ErrorDetails: "פרטים למפתחים",
	ConnectionsTitle: "יישומים מחוברים", ConnectionsHint: "יישומים שיכולים להשתמש בחשבון שלך אצל {host}", ConnectionsNone: "אין יישומים מחוברים.",
	BackToHost: "חזרה אל {host}", AppOnDevice: "יישום במכשיר שלך", Permissions: "הרשאות: {count}", ConnectedSince: "מחובר מאז {date}",
	LastUsed: "פעילות אחרונה {date}", May: "{application} יכול:", MayNothing: "{application} רואה רק מהו החשבון שלך אצל {host}.",
	SignIns: "כניסות: {count}", SignedInAt: "כניסה {date}", DisconnectQuestion: "הניתוק מוציא אותך מהיישום בכל מכשיר.",
	DisconnectConfirm: "לנתק את {application}", Disconnected: "{application} נותק.", Reconnect: "לחבר שוב",
	DeviceTitle: "חיבור מכשיר", DeviceHint: "הקוד מופיע במכשיר.", DeviceCode: "הקוד שהמכשיר מציג", DeviceWrong: "הקוד אינו תקין.",
	DeviceCompare: "על המכשיר להציג את הקוד הזה:", DeviceWarning: "להמשיך רק אם התחלת בזה.", DeviceAllowedTitle: "{application} מחובר",
	DeviceAllowed: "{application} יכול עכשיו להשתמש בחשבון שלך אצל {host}.", DeviceDeniedTitle: "הבקשה נדחתה",
	DeviceDenied: "{application} לא קיבל גישה אל החשבון שלך אצל {host}.", Manage: "ניהול יישומים מחוברים",
	SignOutTitle: "לצאת מ-{host}?", SignOutAsks: "{application} מבקש להוציא אותך מ-{host}.", SignOutKeeps: "היציאה היא מהדפדפן הזה בלבד.",
	SignOut: "יציאה", SignedOut: "יצאת", SignedOutHint: "איש אינו מחובר אל {host} בדפדפן הזה.", SignOutNot: "החיבור נמשך", SignOutClose: "אפשר לסגור את הדף.",
}

// documentURL is the client_id of a client with a document at that URL.
// httptest has a certificate for the name.
const documentURL = "https://client.example.com/oauth/client.json"

// publishes returns a transport that serves the document for each request.
func publishes(t testing.TB, document map[string]any) http.RoundTripper {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(document)
	}))
	t.Cleanup(server.Close)
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	return transport
}

// callback is a redirect URI that no browser follows.
const callback = "https://wiki.example.com/callback"

// gallery returns a host and all states of its pages.
func gallery(t testing.TB, l look) (h *host, states []state) {
	t.Helper()
	name, client, at := "Wiki", "Notebook", "127.0.0.1:9000"
	hostName, title := "Acme Notes", "Read your notes"
	if l.long {
		// one without a place to break a line, and one with many
		name, client = strings.Repeat("W", 256), strings.Repeat("Name with words ", 15)+"and more"
		at = "localhost:65535/" + strings.Repeat("path/", 100)
		hostName, title = strings.Repeat("Host", 20), strings.Repeat("Scope", 40)
	}
	teams := &teams{}
	h = newHost(t, func(c *provider.Config) {
		c.Pages.AccentColor, c.Pages.Name = l.accent, hostName
		c.Scopes = append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: title}, scopes.Scope{Name: "notes:list", Title: "See the titles of your notes", Required: true})
		if l.texts.Language != "" {
			c.Pages.Texts = func(_ *http.Request) pages.Texts { return l.texts }
		}
		if l.logos {
			c.Pages.LogoURL = c.Issuer + "/logo.svg"
		}
		c.Keys, c.OpenID = hosttest.NewKeys(), &provider.OpenID{SignOut: func(http.ResponseWriter, *http.Request) error { return nil }}
		c.Resources = []provider.Resource{{URL: c.Issuer + "/mcp", Name: hostName}}
		c.Workspaces = teams.of(l, c.Issuer)
		c.ClientIDDocuments, c.Transport = &provider.ClientIDDocuments{}, publishes(t, map[string]any{
			"client_id": documentURL, "client_name": client, "redirect_uris": []string{callback}, "scope": "profile email",
		})
	})
	if l.long {
		h.AddUser(userinfo.User{ID: "user_ada", Name: strings.Repeat("Ada", 50)})
	}
	logoURL := ""
	if l.logos {
		logoURL = h.url + "/apps/wiki.svg"
	}
	wiki, _ := h.application(provider.ApplicationSettings{Name: name, RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{callback}, Scopes: scopes.New("profile", "email", "notes:read", "notes:list"),
		ClientURI: "https://wiki.example.com/", LogoURL: logoURL})
	own, _ := h.application(provider.ApplicationSettings{Name: name, RedirectURIs: []string{callback}, SkipConsent: true})
	bare, _ := h.application(provider.ApplicationSettings{Name: client, RedirectURIs: []string{callback}})
	h.change(bare, func(a *store.Application) { a.Scopes = nil })
	bare.Scopes = nil
	registered, _ := h.application(provider.ApplicationSettings{Name: client, Public: true, RedirectURIs: []string{"http://" + at}, PostLogoutRedirectURIs: []string{"http://" + at}})
	h.change(registered, func(a *store.Application) { a.Origin, a.Reviewed = store.OriginRegistration, false })
	inTeams, _ := h.application(provider.ApplicationSettings{Name: name, RedirectURIs: []string{callback}, Scopes: scopes.New("profile", "notes:read"), Workspace: store.WorkspaceRequired})
	perhaps, _ := h.application(provider.ApplicationSettings{Name: name, RedirectURIs: []string{callback}, Workspace: store.WorkspaceOptional})
	_, _, err := h.IssueToken(context.Background(), provider.TokenSettings{UserID: "user_ada", ApplicationID: inTeams.ID, Scopes: inTeams.Scopes, WorkspaceID: "team_1"})
	require.NoError(t, err)
	for _, app := range []provider.Application{bare, own, wiki} { // two with the same name
		_, _, err := h.IssueToken(context.Background(), provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID, Scopes: app.Scopes})
		require.NoError(t, err)
	}

	consent := func(app provider.Application, more ...string) func(*page) {
		return func(p *page) { p.goes(h.authorizeURL(app, app.RedirectURIs[0], more...)) }
	}
	connections := func(p *page) { p.goes(h.url + "/oauth/connections") }
	tv, _ := h.application(provider.ApplicationSettings{Name: name, Public: true, RedirectURIs: []string{}, Scopes: scopes.New("profile", "email", "notes:read", "notes:list"), LogoURL: logoURL})
	unknown, _ := h.application(provider.ApplicationSettings{Name: client, Public: true, RedirectURIs: []string{}})
	h.change(unknown, func(a *store.Application) {
		a.Origin, a.Reviewed, a.Registration = store.OriginRegistration, false, &store.RegistrationRecord{GrantTypes: []string{"urn:ietf:params:oauth:grant-type:device_code"}}
	})
	device := func(app provider.Application) func(*page) {
		return func(p *page) {
			p.goes(h.device(app, "").codes.VerificationURIComplete)
			p.clicksOn("main button")
			p.arrives(h.url + "/oauth/device?entered=")
			require.True(t, p.is("button[value=allow]"))
		}
	}
	deviceAnswered := func(decision string) func(*page) {
		return func(p *page) {
			device(tv)(p)
			p.clicksOn("button[value=" + decision + "]")
			p.arrives(h.url + "/oauth/device?result=")
		}
	}
	logout := func(app provider.Application) func(*page) {
		return func(p *page) {
			p.goes(h.url + "/oauth/logout?" + url.Values{"client_id": {app.ClientID}, "post_logout_redirect_uri": app.PostLogoutRedirectURIs}.Encode())
		}
	}
	return h, []state{
		{"consent", true, consent(wiki)},
		{"consent with warnings", false, func(p *page) {
			consent(registered)(p)
			require.Equal(t, 1, eval[int](p, `() => document.querySelectorAll(".note").length`), "one note, with any number of warnings")
		}},
		{"consent without scopes", false, consent(bare)},
		{"consent for a resource to a published client", false, consent(provider.Application{ClientID: documentURL, ApplicationSettings: provider.ApplicationSettings{RedirectURIs: []string{callback}}},
			"resource", h.url+"/mcp")},
		{"workspaces", true, consent(inTeams)},
		{"workspaces to choose or not", true, consent(perhaps)},
		{"workspaces, none chosen", true, func(p *page) {
			consent(inTeams)(p)
			eval[bool](p, `() => (document.querySelectorAll("[required]").forEach(e => e.required = false), true)`)
			p.clicksOn("button[value=allow]")
			p.arrives(h.url + "/oauth/authorize")
			require.True(t, p.is("[role=alert]"))
		}},
		{"workspaces, many", true, func(p *page) {
			teams.many.Store(true)
			defer teams.many.Store(false)
			consent(perhaps)(p)
			require.True(t, p.is("select"))
		}},
		{"workspace that is named", true, func(p *page) {
			consent(inTeams, "workspace", "team_1")(p)
			require.False(t, p.is("input[type=radio]"))
		}},
		{"no workspace", true, func(p *page) {
			p.expects("status 403")
			p.expects("status of 403")
			consent(inTeams, "workspace", "team_nobody")(p)
			require.True(t, p.is(".actions a.primary"))
		}},
		{"error", false, func(p *page) {
			p.expects("status 400")
			p.expects("status of 400")
			p.goes(h.url + "/oauth/authorize?client_id=nobody")
		}},
		{"error with details", false, func(p *page) {
			p.expects("status 400")
			p.expects("status of 400")
			p.goes(h.url + "/oauth/authorize?client_id=nobody")
			p.clicksOn("summary")
		}},
		{"error with retry", true, func(p *page) {
			p.isSignedIn(h, "")
			defer p.isSignedIn(h, "user_ada")
			consent(wiki)(p)
			back, err := url.Parse(p.address())
			require.NoError(t, err)
			p.expects("status 403")
			p.expects("status of 403")
			p.goes(h.url + back.Query().Get("next"))
			require.True(t, p.is(".actions a.primary"))
		}},
		{"connections", false, connections},
		{"connections open", false, func(p *page) {
			connections(p)
			p.clicksOn("summary")
		}},
		{"connections afterwards", false, func(p *page) {
			_, _, err := h.IssueToken(context.Background(), provider.TokenSettings{UserID: "user_ada", ApplicationID: own.ID, Scopes: own.Scopes})
			require.NoError(t, err)
			connections(p) // the most recently used is first
			p.clicksOn("summary")
			p.clicksOn("details[open] button.danger")
			p.arrives(h.url + "/oauth/connections")
			require.True(t, p.is(".notice"))
		}},
		{"connections empty", false, func(p *page) {
			p.isSignedIn(h, "user_grace")
			defer p.isSignedIn(h, "user_ada")
			connections(p)
			require.False(t, p.is("details"))
		}},
		{"device", true, func(p *page) { p.goes(h.url + "/oauth/device") }},
		{"device with a wrong code", false, func(p *page) {
			p.expects("status 400")
			p.expects("status of 400")
			p.goes(h.url + "/oauth/device?user_code=BBBB")
			p.clicksOn("main button")
			p.arrives(h.url + "/oauth/device?entered=")
			require.True(t, p.is("[aria-invalid]"))
		}},
		{"device to confirm", true, device(tv)},
		{"device to confirm with warnings", false, func(p *page) {
			device(unknown)(p)
			require.Equal(t, 1, eval[int](p, `() => document.querySelectorAll(".note").length`), "one note, with any number of warnings")
		}},
		{"device allowed", false, deviceAnswered("allow")},
		{"device denied", false, deviceAnswered("deny")},
		{"form_post", true, func(p *page) {
			call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
			consent(own, "response_mode", "form_post")(p)
			call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false})
			require.True(t, p.is("main button"))
		}},
		{"sign out", true, func(p *page) { p.goes(h.url + "/oauth/logout") }},
		{"sign out for an application", true, func(p *page) {
			logout(wiki)(p)
			require.True(t, p.is("button[value=allow]"))
		}},
		{"sign out with a warning", true, func(p *page) {
			logout(registered)(p)
			require.True(t, p.is(".note"))
		}},
		{"sign out declined", false, func(p *page) {
			logout(wiki)(p)
			p.clicksOn("button[value=deny]")
			p.arrives(h.url + "/oauth/logout")
			require.False(t, p.is("button"))
		}},
		{"signed out", false, func(p *page) {
			p.isSignedIn(h, "")
			defer p.isSignedIn(h, "user_ada")
			p.goes(h.url + "/oauth/logout")
		}},
		{"signed out with a link", true, func(p *page) {
			p.isSignedIn(h, "")
			defer p.isSignedIn(h, "user_ada")
			logout(registered)(p)
			require.True(t, p.is(".note"))
		}},
	}
}
