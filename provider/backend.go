package provider

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/latchkey-go/latchkey/store"
)

// BackendAPIHandler serves the Backend API, by which administrators and their
// tools manage applications: Clerk's own, so that Clerk's SDKs work unchanged
// when their base URL is set. Its paths are Clerk's, with and without the
// prefix /v1.
//
// Allow says whether a request may use it: an error means no. [BearerKey] makes
// the usual one, which is what the SDKs send. A host may look at its own session
// or at a client certificate instead: requests that browsers send from elsewhere
// are refused before it is asked.
//
// Mount it by method and path, so that it sits beside a host's own "GET /":
//
//	api := p.BackendAPIHandler(provider.BearerKey(key))
//	for _, method := range []string{"GET", "POST", "PATCH", "PUT", "DELETE"} {
//		mux.Handle(method+" /v1/", api)
//	}
//	mux.Handle("POST /oauth_applications/access_tokens/verify", api)
//
// The last line is for Clerk's JavaScript SDK, which leaves the prefix out where
// it verifies a token.
//
// BackendAPIHandler panics if allow is nil, as everybody could then manage
// everything.
func (p *Provider) BackendAPIHandler(allow func(r *http.Request) error) http.Handler {
	if allow == nil {
		panic("provider: BackendAPIHandler: allow is nil: use provider.BearerKey")
	}
	b := backend{p}
	mux := http.NewServeMux()
	for _, prefix := range []string{"", "/v1"} {
		for pattern, serve := range map[string]backendFunc{
			"GET /oauth_applications":                       b.list,
			"POST /oauth_applications":                      b.create,
			"GET /oauth_applications/{id}":                  b.read,
			"PATCH /oauth_applications/{id}":                b.update,
			"DELETE /oauth_applications/{id}":               b.delete,
			"POST /oauth_applications/{id}/rotate_secret":   b.rotateSecret,
			"POST /oauth_applications/{id}/revoke_token":    b.revokeToken,
			"PUT /oauth_applications/{id}/logo":             b.putLogo,
			"POST /oauth_applications/access_tokens/verify": b.verifyToken,
			"GET /instance/oauth_application_settings":      b.readSettings,
			"PATCH /instance/oauth_application_settings":    b.updateSettings,
		} {
			method, path, _ := strings.Cut(pattern, " ")
			mux.Handle(method+" "+prefix+path, b.handler(allow, serve))
		}
	}
	mux.Handle("/", b.handler(allow, func(http.ResponseWriter, *http.Request) (any, error) {
		return nil, errResourceNotFound("There is nothing here for this method and path.")
	}))
	return mux
}

// backend serves the Backend API.
type backend struct{ p *Provider }

// backendFunc returns the answer's body, or nil for an answer without one.
type backendFunc func(w http.ResponseWriter, r *http.Request) (any, error)

func (b backend) handler(allow func(r *http.Request) error, serve backendFunc) http.Handler {
	return b.p.handler(endpoint{name: "backend", refuse: (*call).writeBackendError, serve: func(c *call) *Error {
		answer, err := any(nil), b.admit(c.r, allow)
		if err == nil {
			answer, err = serve(c.w, c.r)
		}
		switch {
		case err != nil:
			return backendRefusal(err)
		case answer == nil:
			c.w.Header().Set("Cache-Control", "no-store")
			c.w.WriteHeader(http.StatusNoContent)
		default:
			writeJSON(c.w, http.StatusOK, answer)
		}
		return nil
	}})
}

// admit refuses a request that may not use the API.
func (b backend) admit(r *http.Request, allow func(r *http.Request) error) error {
	if err := b.p.csrf.Check(r); err != nil {
		return backendError{status: http.StatusForbidden, cause: err, problems: []backendProblem{{
			Code: "authorization_invalid", Message: "Unauthorized request", LongMessage: "You are not authorized to perform this request",
		}}}
	}
	err := allow(r)
	if err == nil {
		return nil
	}
	refusal := backendProblem{
		Code:        "clerk_key_invalid",
		Message:     "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.",
		LongMessage: "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.",
	}
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(key) == "" {
		refusal = backendProblem{
			Code: "authorization_header_format_invalid", Message: "Invalid Authorization header format",
			LongMessage: "Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'",
		}
	}
	return backendError{status: http.StatusUnauthorized, cause: err, problems: []backendProblem{refusal}}
}

// backendError is a refusal in Clerk's form.
type backendError struct {
	status   int
	problems []backendProblem
	cause    error // for the log only
}

type backendProblem struct {
	Code        string       `json:"code"`
	Message     string       `json:"message"`
	LongMessage string       `json:"long_message"`
	Meta        *backendMeta `json:"meta,omitempty"`
}

type backendMeta struct {
	ParamName string `json:"param_name"`
}

func (e backendError) Error() string {
	if e.cause != nil {
		return e.cause.Error()
	}
	codes := make([]string, 0, len(e.problems))
	for _, problem := range e.problems {
		codes = append(codes, problem.Code)
	}
	return "provider: backend API: " + strings.Join(codes, ", ")
}

func (e backendError) Unwrap() error { return e.cause }

// paramError is a refusal of one parameter.
func paramError(code, param, message, long string) backendProblem {
	return backendProblem{Code: code, Message: message, LongMessage: long, Meta: &backendMeta{param}}
}

func oneProblem(status int, code, message, long string) backendError {
	return backendError{status: status, problems: []backendProblem{{Code: code, Message: message, LongMessage: long}}}
}

func errResourceNotFound(long string) backendError {
	return oneProblem(http.StatusNotFound, "resource_not_found", "not found", long)
}

func errNoApplication(id string) backendError {
	return errResourceNotFound("No OAuth application was found with id " + excerpt(id))
}

// maxProblems is how many problems an answer names. Whoever has more sees the
// rest when these are gone, and the answer stays small.
const maxProblems = 20

// unprocessable refuses parameters, or is nil if there is nothing wrong.
func unprocessable(problems []backendProblem) error {
	if len(problems) == 0 {
		return nil
	}
	status := http.StatusUnprocessableEntity
	if !slices.ContainsFunc(problems, func(p backendProblem) bool { return p.Code != "duplicate_record" }) {
		status = http.StatusBadRequest
	}
	return backendError{status: status, problems: problems[:min(len(problems), maxProblems)]}
}

// backendRefusal turns an error into one that is answered in Clerk's form.
func backendRefusal(err error) *Error {
	var refusal backendError
	if !errors.As(err, &refusal) {
		refusal = oneProblem(http.StatusServiceUnavailable, "service_unavailable", "Service unavailable", "The service cannot answer right now. Try again in a few seconds.")
		refusal.cause = err
	}
	first := refusal.problems[0]
	return &Error{Code: first.Code, Description: first.LongMessage, Status: refusal.status, Err: refusal}
}

// writeBackendError answers with an error in Clerk's form. Its trace id is the
// reference in the log line.
func (c *call) writeBackendError(e *Error) {
	var refusal backendError
	errors.As(e, &refusal)
	c.reference = strings.ReplaceAll(uuid.NewString(), "-", "")
	h := c.w.Header()
	h.Set("Clerk-Trace-Id", c.reference)
	switch e.Status {
	case http.StatusUnauthorized: // RFC 9110 section 15.5.2
		h.Set("WWW-Authenticate", `Bearer realm="`+c.cfg.Issuer+`"`)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	}
	writeJSON(c.w, e.Status, struct {
		Errors []backendProblem `json:"errors"`
		Trace  string           `json:"clerk_trace_id"`
	}{refusal.problems, c.reference})
}

// readBody reads a JSON body of at most 1 MiB. Package json would put a
// replacement for what is not UTF-8.
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

func errBodyInvalid() backendError {
	return oneProblem(http.StatusBadRequest, "request_body_invalid", "Request body invalid",
		"The request body is invalid. Please consult the API documentation for the correct format.")
}

// excerpt returns the beginning of what a request said, to be named in an error.
func excerpt(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		s = string(runes[:60]) + "..."
	}
	return s
}

// clerkProblem says how Clerk calls what can be wrong with a field.
func clerkProblem(f FieldError) backendProblem {
	switch f.Kind {
	case FieldMissing:
		return paramError("form_param_missing", f.Field, "is missing", f.Field+" must be included.")
	case FieldTooLong:
		return paramError("form_param_max_length_exceeded", f.Field, "exceeds maximum length",
			f.Field+" should not exceed "+strconv.Itoa(f.Limit)+" characters.")
	case FieldTooMany:
		return paramError("form_param_array_size_exceeded", f.Field, "has too many entries", f.Message)
	case FieldTwice:
		return paramError("duplicate_record", f.Field, "duplicate redirect URI", "the redirect URI already exists")
	case FieldValue:
		return paramError("form_param_value_invalid", f.Field, "is invalid", excerpt(f.Value)+" does not match one of the allowed values for parameter "+f.Field)
	}
	return paramError("form_param_format_invalid", f.Field, "is invalid", f.Message)
}

// clerkProblems turns what [Provider.CreateApplication] and its like return
// into Clerk's form; what a caller sent as callback_url is called so.
func clerkProblems(err error, viaCallback bool) error {
	var wrong FieldErrors
	if !errors.As(err, &wrong) {
		return err
	}
	var problems []backendProblem
	for _, f := range wrong {
		if f.Field == "redirect_uris" && viaCallback {
			f.Field = "callback_url"
		}
		problem := clerkProblem(f)
		if !slices.ContainsFunc(problems, func(known backendProblem) bool {
			return known.Code == problem.Code && known.LongMessage == problem.LongMessage
		}) {
			problems = append(problems, problem)
		}
	}
	return unprocessable(problems)
}

func isID(id string) bool { return cleanText(id) && len(id) <= maxClientID }

// application finds the application that the path names.
func (b backend) application(r *http.Request) (Application, error) {
	id := r.PathValue("id")
	if !isID(id) {
		return Application{}, errNoApplication(id) // Malformed ids are answered here; the store is not asked.
	}
	app, err := b.p.FindApplication(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return app, errNoApplication(id)
	}
	return app, err
}
