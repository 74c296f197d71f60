package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"testing"
	"time"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// hostVariable is the environment variable that turns this test program into a
// host. Its value is a hostConfig as JSON.
const hostVariable = "LATCHKEY_FAULTTEST_HOST"

// issuer is the Issuer of all instances, as behind one proxy. No client
// connects to it.
const issuer = "http://localhost:8080"

// hostConfig is the configuration of a host's process.
type hostConfig struct {
	At           target
	StoreTimeout time.Duration
	Skew         time.Duration // how fast its clock is
}

func TestMain(m *testing.M) {
	text := os.Getenv(hostVariable)
	if text == "" {
		code := m.Run()
		removeTemplates()
		os.Exit(code)
	}
	if err := runHost(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// runHost is the whole host: it creates its tables, listens on a free port,
// writes its URL to standard output, and serves until it is killed.
func runHost(text string) error {
	var c hostConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	// The test holds the other end, so that the host ends with the test.
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	kept, err := c.At.open(ctx)
	if err != nil {
		return err
	}
	p, err := newProvider(kept, c.StoreTimeout, func(own *provider.Config) {
		own.Now = func() time.Time { return time.Now().Add(c.Skew) }
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", listener.Addr())
	return http.Serve(listener, routes(p, kept))
}

// newApplication is the application that every test registers.
var newApplication = provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{callback}, Scopes: scopes.New("profile", "notes:read")}

// newProvider returns a provider with the hosts' Config. The header Test-User
// names the signed-in user. The grace for repeated refreshes is long enough for
// tests on a busy machine.
func newProvider(s store.Store, timeout time.Duration, edit ...func(*provider.Config)) (*provider.Provider, error) {
	config := provider.Config{
		Issuer: issuer,
		Store:  s,
		CurrentUser: func(r *http.Request) (provider.Session, error) {
			return provider.Session{UserID: r.Header.Get("Test-User"), SignedInAt: time.Now()}, nil
		},
		SignIn: provider.RedirectTo("/login", "next"),
		Users: func(_ context.Context, id string) (userinfo.User, error) {
			return userinfo.User{ID: id, Name: "Ada"}, nil
		},
		Scopes:       append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"}),
		Lifetimes:    provider.Lifetimes{Grace: 5 * time.Minute},
		Registration: &provider.Registration{}, DeviceAuthorization: &provider.DeviceAuthorization{},
		StoreTimeout: timeout,
		Logger:       slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	for _, change := range edit {
		change(&config)
	}
	return provider.New(config)
}

// routes are the endpoints of the provider, an API that requires tokens, and
// functions of the host for tests.
func routes(p *provider.Provider, s store.Store) http.Handler {
	mux := http.NewServeMux()
	p.Mount(mux)
	mux.Handle("GET /api/notes", p.Require("notes:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := provider.TokenFromContext(r.Context())
		fmt.Fprintf(w, "%s %s %s", token.GrantID, token.UserID, token.ApplicationID)
	})))
	mux.HandleFunc("GET /test/goroutines", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, runtime.NumGoroutine())
	})
	mux.HandleFunc("GET /test/stacks", func(w http.ResponseWriter, _ *http.Request) {
		pprof.Lookup("goroutine").WriteTo(w, 1)
	})
	mux.HandleFunc("POST /test/cleanup", func(w http.ResponseWriter, r *http.Request) {
		n, err := p.Cleanup(r.Context())
		answerNumber(w, n, err)
	})
	mux.HandleFunc("POST /test/sweep", func(w http.ResponseWriter, r *http.Request) {
		before, _ := strconv.ParseInt(r.FormValue("before"), 10, 64)
		n, err := s.Sweep(r.Context(), time.UnixMicro(before), 1000)
		answerNumber(w, n, err)
	})
	mux.HandleFunc("POST /test/revoke", func(w http.ResponseWriter, r *http.Request) {
		f := provider.GrantFilter{UserID: r.FormValue("user"), ApplicationID: r.FormValue("application")}
		if id := r.FormValue("grant"); id != "" {
			f.ID, _ = store.ParseID(id)
		}
		answerNumber(w, 0, p.RevokeGrants(r.Context(), f))
	})
	mux.HandleFunc("POST /test/revoke-all", func(w http.ResponseWriter, r *http.Request) {
		answerNumber(w, 0, p.RevokeAllGrants(r.Context()))
	})
	mux.HandleFunc("POST /test/applications", func(w http.ResponseWriter, r *http.Request) {
		app, secret, err := p.CreateApplication(r.Context(), newApplication)
		if err != nil {
			answerNumber(w, 0, err)
			return
		}
		fmt.Fprintln(w, app.ID, app.ClientID, secret.Reveal())
	})
	mux.HandleFunc("POST /test/delete", func(w http.ResponseWriter, r *http.Request) {
		answerNumber(w, 0, p.DeleteApplication(r.Context(), r.FormValue("application")))
	})
	mux.HandleFunc("GET /test/grants", func(w http.ResponseWriter, r *http.Request) {
		page, next, err := p.ListGrants(r.Context(), provider.GrantFilter{UserID: r.FormValue("user")}, "", 1000)
		if err != nil || next != "" {
			answerNumber(w, 0, fmt.Errorf("%q %w", next, err))
			return
		}
		for _, g := range page {
			fmt.Fprintln(w, g.ID, g.ApplicationID)
		}
	})
	return mux
}

func answerNumber(w http.ResponseWriter, n int, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprint(w, n)
}
