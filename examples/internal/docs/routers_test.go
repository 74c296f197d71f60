package docs_test

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v5"

	"github.com/latchkey-go/latchkey/provider"
)

// docs/start/add-to-your-app.md shows the body of each of these functions, and
// of onGin. TestRouters sends real requests through all of them.

func onNetHTTP(p *provider.Provider, sessions *scs.SessionManager) http.Handler {
	showLogin, signIn := loginPages(sessions)
	mux := http.NewServeMux()
	p.Mount(mux)
	mux.Handle("GET /api/notes", p.Require("notes:read")(http.HandlerFunc(listNotes)))

	csrf := http.NewCrossOriginProtection()
	mux.HandleFunc("GET /login", showLogin)
	mux.Handle("POST /login", csrf.Handler(http.HandlerFunc(signIn)))

	handler := sessions.LoadAndSave(mux)
	return handler
}

// onNetHTTPByRoute puts the session only where it is needed.
func onNetHTTPByRoute(p *provider.Provider, sessions *scs.SessionManager) http.Handler {
	showLogin, signIn := loginPages(sessions)
	mux, loadSession := http.NewServeMux(), sessions.LoadAndSave
	for _, route := range p.Routes() {
		handler := route.Handler
		if route.Session {
			handler = loadSession(handler)
		}
		mux.Handle(route.Method+" "+route.Path, handler)
	}
	mux.Handle("GET /api/notes", p.Require("notes:read")(http.HandlerFunc(listNotes)))
	mux.HandleFunc("GET /login", showLogin)
	mux.Handle("POST /login", loadSession(http.NewCrossOriginProtection().Handler(http.HandlerFunc(signIn))))
	return mux
}

func onChi(p *provider.Provider, sessions *scs.SessionManager) http.Handler {
	showLogin, signIn := loginPages(sessions)
	r := chi.NewRouter()
	r.Use(sessions.LoadAndSave)
	p.Mount(r)
	r.With(p.Require("notes:read")).Get("/api/notes", listNotes)

	r.Group(func(r chi.Router) { // your pages
		r.Use(http.NewCrossOriginProtection().Handler)
		r.Get("/login", showLogin)
		r.Post("/login", signIn)
	})
	return r
}

func onEcho(p *provider.Provider, sessions *scs.SessionManager) http.Handler {
	loginPage, loginForm := loginPages(sessions)
	listNotes := echo.WrapHandler(http.HandlerFunc(listNotes))
	showLogin, signIn := echo.WrapHandler(http.HandlerFunc(loginPage)), echo.WrapHandler(http.HandlerFunc(loginForm))
	e := echo.New()
	load := echo.WrapMiddleware(sessions.LoadAndSave)
	for _, route := range p.Routes() {
		path := strings.ReplaceAll(route.Path, "{client_id}", ":client_id")
		var middleware []echo.MiddlewareFunc
		if route.Session {
			middleware = append(middleware, load)
		}
		e.Add(route.Method, path, echo.WrapHandler(route.Handler), middleware...)
	}
	e.GET("/api/notes", listNotes, echo.WrapMiddleware(p.Require("notes:read")))

	csrf := echo.WrapMiddleware(http.NewCrossOriginProtection().Handler)
	e.GET("/login", showLogin)
	e.POST("/login", signIn, csrf, load)
	return e
}

var notes = map[string][]string{"user_ada": {"Measure a pigeon."}, "user_grace": {"Order more wire."}}

// listNotes returns the notes of the user whose token it is.
func listNotes(w http.ResponseWriter, r *http.Request) {
	token, _ := provider.TokenFromContext(r.Context())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(map[string]any{"notes": notes[token.UserID]})
}
