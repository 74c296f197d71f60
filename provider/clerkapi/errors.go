package clerkapi

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-go/latchkey/provider"
)

// apiError is an error in Clerk's format.
type apiError struct {
	status   int
	problems []problem
	cause    error // for the log only
}

type problem struct {
	Code        string `json:"code"`
	Message     string `json:"message"`
	LongMessage string `json:"long_message"`
	Meta        *meta  `json:"meta,omitempty"`
}

type meta struct {
	ParamName string `json:"param_name"`
}

func (e apiError) Error() string {
	if e.cause != nil {
		return e.cause.Error()
	}
	codes := make([]string, 0, len(e.problems))
	for _, p := range e.problems {
		codes = append(codes, p.Code)
	}
	return "clerkapi: " + strings.Join(codes, ", ")
}

func (e apiError) Unwrap() error { return e.cause }

// paramError returns a problem with one parameter.
func paramError(code, param, message, long string) problem {
	return problem{Code: code, Message: message, LongMessage: long, Meta: &meta{param}}
}

func oneProblem(status int, code, message, long string) apiError {
	return apiError{status: status, problems: []problem{{Code: code, Message: message, LongMessage: long}}}
}

func errResourceNotFound(long string) apiError {
	return oneProblem(http.StatusNotFound, "resource_not_found", "not found", long)
}

func errNoApplication(id string) apiError {
	return errResourceNotFound("No OAuth application was found with id " + excerpt(id))
}

// maxProblems is how many problems an answer contains. It keeps the answer
// small; the caller sees the rest after fixing these.
const maxProblems = 20

// unprocessable refuses parameters, or returns nil if there are no problems.
func unprocessable(problems []problem) error {
	if len(problems) == 0 {
		return nil
	}
	status := http.StatusUnprocessableEntity
	if !slices.ContainsFunc(problems, func(p problem) bool { return p.Code != "duplicate_record" }) {
		status = http.StatusBadRequest
	}
	return apiError{status: status, problems: problems[:min(len(problems), maxProblems)]}
}

// asError converts an error into one that is answered in Clerk's format.
func asError(err error) *provider.Error {
	var refusal apiError
	if !errors.As(err, &refusal) {
		refusal = oneProblem(http.StatusServiceUnavailable, "service_unavailable", "Service unavailable", "The service cannot answer right now. Try again in a few seconds.")
		refusal.cause = err
	}
	first := refusal.problems[0]
	return &provider.Error{Code: first.Code, Description: first.LongMessage, Status: refusal.status, Err: refusal}
}

// writeError answers with an error in Clerk's format. Its trace ID is the
// reference in the log line.
func (a *api) writeError(w http.ResponseWriter, _ *http.Request, e *provider.Error, reference string) {
	var refusal apiError
	errors.As(e, &refusal)
	h := w.Header()
	h.Set("Clerk-Trace-Id", reference)
	switch e.Status {
	case http.StatusUnauthorized: // RFC 9110 section 15.5.2
		h.Set("WWW-Authenticate", `Bearer realm="`+a.p.Endpoints().Issuer+`"`)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	}
	writeJSON(w, e.Status, struct {
		Errors []problem `json:"errors"`
		Trace  string    `json:"clerk_trace_id"`
	}{refusal.problems, reference})
}

func errBodyInvalid() apiError {
	return oneProblem(http.StatusBadRequest, "request_body_invalid", "Request body invalid",
		"The request body is invalid. Please consult the API documentation for the correct format.")
}

// problemOf converts a problem with a field to Clerk's format.
func problemOf(f provider.FieldError) problem {
	switch f.Kind {
	case provider.FieldMissing:
		return paramError("form_param_missing", f.Field, "is missing", f.Field+" must be included.")
	case provider.FieldTooLong:
		return paramError("form_param_max_length_exceeded", f.Field, "exceeds maximum length",
			f.Field+" should not exceed "+strconv.Itoa(f.Limit)+" characters.")
	case provider.FieldTooMany:
		return paramError("form_param_array_size_exceeded", f.Field, "has too many entries",
			f.Field+" should not have more than "+strconv.Itoa(f.Limit)+" entries.")
	case provider.FieldTwice:
		return paramError("duplicate_record", f.Field, "duplicate redirect URI", "the redirect URI already exists")
	case provider.FieldValue:
		return paramError("form_param_value_invalid", f.Field, "is invalid", excerpt(f.Value)+" does not match one of the allowed values for parameter "+f.Field)
	}
	return paramError("form_param_format_invalid", f.Field, "is invalid", f.Message)
}

// problemsOf converts errors of [provider.Provider.CreateApplication] and
// similar functions to Clerk's format. If the caller sent callback_url, the
// error names that.
func problemsOf(err error, viaCallback bool) error {
	var wrong provider.FieldErrors
	if !errors.As(err, &wrong) {
		return err
	}
	var problems []problem
	for _, f := range wrong {
		if f.Field == "redirect_uris" && viaCallback {
			f.Field = "callback_url"
		}
		next := problemOf(f)
		if !slices.ContainsFunc(problems, func(known problem) bool {
			return known.Code == next.Code && known.LongMessage == next.LongMessage
		}) {
			problems = append(problems, next)
		}
	}
	return unprocessable(problems)
}

// excerpt shortens a value from a request for an error message.
func excerpt(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		s = string(runes[:60]) + "..."
	}
	return s
}
