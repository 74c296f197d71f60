package providertest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/latchkey-go/latchkey/provider/internal/diagnose"
)

// Finding is one problem that [Diagnose] found.
type Finding struct {
	Code     string // identifies the kind; docs/reference/doctor.md lists all
	Problem  string // what is wrong, in one line
	Remedy   string // what to change
	Evidence string // a request and what came back, shortened
}

// String returns all fields as text, the problem first.
func (f Finding) String() string { return diagnose.Finding(f).String() }

// Diagnose makes requests to a host as applications and browsers do, like the
// command provider/doctor, and returns the problems it finds, causes first:
// middleware in the wrong place, answers that don't come from the provider,
// cookies, CORS, and so on. It returns nothing if all is well.
//
// handler is the whole app with its middleware; Diagnose calls it without a
// network. If handler is nil, Diagnose sends requests to the issuer. issuer is
// Config.Issuer. It may be followed by the client_id of an application that
// should be able to sign in.
func Diagnose(t testing.TB, handler http.Handler, issuer string, clientID ...string) []Finding {
	t.Helper()
	o := diagnose.Options{Issuer: issuer}
	if handler != nil {
		at, err := url.Parse(issuer)
		if err != nil {
			t.Fatalf("providertest: Diagnose: the issuer is not a URL: %v", err)
		}
		o.Transport, o.Alone = inProcess{handler, origin(at)}, true
	}
	if len(clientID) > 1 {
		t.Fatalf("providertest: Diagnose: there are %d client_ids: pass at most one", len(clientID))
	}
	for _, id := range clientID {
		o.ClientID = id
	}
	found, err := diagnose.Run(t.Context(), o)
	if err != nil {
		t.Fatalf("providertest: Diagnose: %v", err)
	}
	var all []Finding
	for _, f := range found {
		all = append(all, Finding(f))
	}
	return all
}

// inProcess passes requests to a handler as a server does.
type inProcess struct {
	http.Handler
	origin string // of the handler's server
}

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if origin(r.URL) != h.origin {
		return nil, errors.New("only the handler can be reached")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.RequestURI(), bytes.NewReader(body))
	in.Host, in.Header = r.URL.Host, r.Header.Clone()
	if r.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	w := h.serve(in).Result()
	w.Request = r
	return w, nil
}

// serve calls the handler. It turns a panic into an internal error, as a proxy
// does.
func (h inProcess) serve(r *http.Request) (w *httptest.ResponseRecorder) {
	w = httptest.NewRecorder()
	defer func() {
		if recover() != nil {
			w = httptest.NewRecorder()
			w.WriteHeader(http.StatusInternalServerError)
		}
	}()
	h.ServeHTTP(w, r)
	return w
}
