// Package clerkapi serves Clerk's Backend API for OAuth applications. Point a
// Clerk SDK, or a tool made for that API, at your base URL to manage the
// applications of a [provider.Provider]:
//
//	api := clerkapi.Handler(p, provider.BearerKey(key), clerkapi.Options{})
//	for _, method := range []string{"GET", "POST", "PATCH", "PUT", "DELETE"} {
//		mux.Handle(method+" /v1/", api)
//	}
//	mux.Handle("POST /oauth_applications/access_tokens/verify", api)
//
// Mount it by method and path, so that it doesn't conflict with a "GET /" of
// the host. The last line is for Clerk's JavaScript SDK, which leaves out the
// prefix when it verifies a token.
package clerkapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// Options configures [Handler]. The zero value works.
type Options struct {
	// StoreLogo stores an image that was uploaded as an application's logo, and
	// returns its https URL. The image is a JPEG, PNG, GIF, or WebP, max 10 MB;
	// its type is detected from the content. If nil, uploading logos is off.
	StoreLogo func(ctx context.Context, app provider.Application, contentType string, image []byte) (url string, err error)
}

// Handler serves the API for the applications of p. Its paths are Clerk's, with
// and without the prefix /v1.
//
// allow authorizes each request; return an error to reject it.
// [provider.BearerKey] makes the usual check, which fits what the SDKs send.
// allow may check the host's session or a client certificate instead: requests
// that browsers send from other sites are refused before it is called.
//
// Handler panics if allow is nil, because then anyone could manage every
// application.
func Handler(p *provider.Provider, allow func(r *http.Request) error, o Options) http.Handler {
	if allow == nil {
		panic("clerkapi: Handler: allow is nil: use provider.BearerKey")
	}
	a := &api{p: p, allow: allow, options: o, csrf: http.NewCrossOriginProtection()}
	// A proxy may rewrite Host, so trust the issuer's origin by name.
	if err := a.csrf.AddTrustedOrigin(origin(p.Endpoints().Issuer)); err != nil {
		panic("clerkapi: Handler: " + err.Error()) // provider.New has accepted it as an issuer.
	}
	mux := http.NewServeMux()
	for _, prefix := range []string{"", "/v1"} {
		for pattern, serve := range map[string]serveFunc{
			"GET /oauth_applications":                       a.list,
			"POST /oauth_applications":                      a.create,
			"GET /oauth_applications/{id}":                  a.read,
			"PATCH /oauth_applications/{id}":                a.update,
			"DELETE /oauth_applications/{id}":               a.delete,
			"POST /oauth_applications/{id}/rotate_secret":   a.rotateSecret,
			"POST /oauth_applications/{id}/revoke_token":    a.revokeToken,
			"PUT /oauth_applications/{id}/logo":             a.putLogo,
			"POST /oauth_applications/access_tokens/verify": a.verifyToken,
			"GET /instance/oauth_application_settings":      a.readSettings,
			"PATCH /instance/oauth_application_settings":    a.updateSettings,
		} {
			method, path, _ := strings.Cut(pattern, " ")
			mux.Handle(method+" "+prefix+path, a.handler(serve))
		}
	}
	mux.Handle("/", a.handler(func(http.ResponseWriter, *http.Request) (any, error) {
		return nil, errResourceNotFound("There is nothing here for this method and path.")
	}))
	return mux
}

// origin returns the origin of the issuer, which may have a path.
func origin(issuer string) string {
	scheme, rest, _ := strings.Cut(issuer, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// api serves the API.
type api struct {
	p       *provider.Provider
	allow   func(r *http.Request) error
	options Options
	csrf    *http.CrossOriginProtection
}

// serveFunc returns the answer's body, or nil for an answer without one.
type serveFunc func(w http.ResponseWriter, r *http.Request) (any, error)

func (a *api) handler(serve serveFunc) http.Handler {
	return a.p.Endpoint("backend", func(w http.ResponseWriter, r *http.Request) error {
		answer, err := any(nil), a.admit(r)
		if err == nil {
			answer, err = serve(w, r)
		}
		switch {
		case err != nil:
			return asError(err)
		case answer == nil:
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(http.StatusNoContent)
		default:
			writeJSON(w, http.StatusOK, answer)
		}
		return nil
	}, a.writeError)
}

// admit refuses a request that may not use the API.
func (a *api) admit(r *http.Request) error {
	if err := a.csrf.Check(r); err != nil {
		return apiError{status: http.StatusForbidden, cause: err, problems: []problem{{
			Code: "authorization_invalid", Message: "Unauthorized request", LongMessage: "You are not authorized to perform this request",
		}}}
	}
	err := a.allow(r)
	if err == nil {
		return nil
	}
	refusal := problem{
		Code:        "clerk_key_invalid",
		Message:     "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.",
		LongMessage: "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.",
	}
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(key) == "" {
		refusal = problem{
			Code: "authorization_header_format_invalid", Message: "Invalid Authorization header format",
			LongMessage: "Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'",
		}
	}
	return apiError{status: http.StatusUnauthorized, cause: err, problems: []problem{refusal}}
}

// writeJSON answers with JSON that caches must not store. Clerk's JavaScript
// SDK doesn't parse JSON whose Content-Type has a parameter.
func writeJSON(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic("clerkapi: " + err.Error()) // The types of this package always encode.
	}
	h := w.Header()
	for _, header := range [][2]string{
		{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}, {"Pragma", "no-cache"}, {"X-Content-Type-Options", "nosniff"},
	} {
		h.Set(header[0], header[1])
	}
	w.WriteHeader(status)
	w.Write(append(encoded, '\n'))
}

// readBody reads a JSON body of at most 1 MiB. It refuses invalid UTF-8, which
// package json would replace.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	contentType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || contentType != "application/json" {
		return nil, oneProblem(http.StatusUnsupportedMediaType, "unsupported_content_type", "Content-Type is unsupported",
			"Content-Type "+excerpt(r.Header.Get("Content-Type"))+" is unsupported. You should use application/json instead.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, oneProblem(http.StatusRequestEntityTooLarge, "request_body_too_large", "Request body too large", "The request body must not exceed 1 MiB.")
	} else if err != nil || !utf8.Valid(body) {
		return nil, errBodyInvalid()
	}
	return body, nil
}

// The limits of a request.
const (
	maxBody  = 1 << 20 // bytes
	maxID    = 256     // bytes of the ID of an application
	maxQuery = 1024    // bytes of the part of a name
)

// isText reports whether every store can search for s.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

func isID(id string) bool { return isText(id) && len(id) <= maxID }

// application finds the application in the path.
func (a *api) application(r *http.Request) (provider.Application, error) {
	id := r.PathValue("id")
	if !isID(id) {
		return provider.Application{}, errNoApplication(id) // Malformed IDs don't reach the store.
	}
	app, err := a.p.FindApplication(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return app, errNoApplication(id)
	}
	return app, err
}
