package acme

import (
	"embed"
	"html/template"
	"net/http"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/examples/internal/ui"
	"github.com/latchkey-go/latchkey/provider"
)

var (
	//go:embed pages.html
	pagesHTML string
	pages     = template.Must(template.New("").Parse(pagesHTML))

	//go:embed avatars
	avatars embed.FS
)

// homeView is what the home page shows.
type homeView struct {
	Name  string // who is signed in; empty: no one
	Notes []Note
}

func (a *App) home(w http.ResponseWriter, r *http.Request) {
	user := a.users[a.userID(r)]
	ui.WritePage(w, http.StatusOK, pages, "home", homeView{Name: user.Name, Notes: a.Notes(user.ID)})
}

// signInView is what the sign-in page shows.
type signInView struct {
	Next       string // where to go afterwards
	Login      string
	Failed     bool
	ContinueAs string // who is signed in and can stay signed in; empty: no one
	Password   string // real apps don't
}

func (a *App) showSignIn(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	next := provider.LocalPath(query.Get("next"), "/")
	view := signInView{Next: next, Login: query.Get("login_hint"), Password: Password}
	if user, ok := a.users[a.userID(r)]; ok {
		// Latchkey sends a user who is signed in here only if the client asks for
		// it: with prompt=login to enter the password again, or with
		// prompt=select_account to choose an account.
		switch query.Get("prompt") {
		case "login":
		case "select_account":
			view.ContinueAs = user.Name
		default:
			http.Redirect(w, r, next, http.StatusSeeOther)
			return
		}
	}
	ui.WritePage(w, http.StatusOK, pages, "sign-in", view)
}

func (a *App) signIn(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	login, next := r.PostFormValue("login"), provider.LocalPath(r.PostFormValue("next"), "/")
	user, ok := a.authenticate(login, r.PostFormValue("password"))
	if !ok {
		view := signInView{Next: next, Login: login, Failed: true, Password: Password}
		ui.WritePage(w, http.StatusUnprocessableEntity, pages, "sign-in", view)
		return
	}
	// A new session ID defeats session fixation.
	if err := a.Sessions.RenewToken(ctx); err != nil {
		http.Error(w, "The session could not be started.", http.StatusInternalServerError)
		return
	}
	a.Sessions.Put(ctx, sessionUser, user.ID)
	a.Sessions.Put(ctx, sessionSignedInAt, time.Now().Unix())
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// authenticate finds a user by login and password. An unknown login takes as long
// as a wrong password, so the time doesn't reveal who has an account. A real app
// also limits how often a password can be tried.
func (a *App) authenticate(login, password string) (User, bool) {
	right := bcrypt.CompareHashAndPassword(a.passwordHash, []byte(password)) == nil
	user, known := a.findLogin(login)
	return user, known && right
}

func (a *App) signOut(w http.ResponseWriter, r *http.Request) {
	if err := a.Sessions.Destroy(r.Context()); err != nil {
		http.Error(w, "The session could not be ended.", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
