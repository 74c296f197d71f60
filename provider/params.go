package provider

import (
	"errors"
	"maps"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxBody   = 1 << 20 // bytes of a request body
	maxParam  = 8 << 10 // bytes of one parameter, decoded
	maxParams = 100
)

// Fields of a form that asks the user to decide, for which parseParams has other
// limits.
const (
	requestField = "request" // what the form was shown for, encoded
	grantedField = "granted" // the name of a scope; as often as there are scopes
)

// parseParams reads a query or form and returns those parameters that mean
// something to the endpoint: the known ones. They are read strictly: each has to
// be valid UTF-8 without NUL and at most 8 KiB long. Package net/url would skip
// what it cannot read, and then two readers of one request could differ on what
// it says. All others are ignored, whatever they hold: extensions and web
// analytics add them (RFC 6749 section 3.1). A parameter without a value counts
// as left out; what comes twice is for the caller to refuse with [repeated].
func parseParams(raw string, known []string) (url.Values, *Error) {
	params := url.Values{}
	values := make([]string, 0, 8) // of one allocation, for most requests
	seen, empty := 0, false
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(key)
		if err != nil || !slices.Contains(known, key) {
			continue
		}
		value, err = url.QueryUnescape(value)
		switch {
		case err != nil:
			return nil, refuse(codeInvalidRequest, "The parameter %s has a broken percent-encoding.", key)
		case !cleanText(value):
			return nil, refuse(codeInvalidRequest, "The parameter %s has invalid UTF-8 or a NUL character.", key)
		case len(value) > maxParam && key != requestField:
			return nil, refuse(codeInvalidRequest, "The parameter %s is longer than 8 KiB.", key)
		}
		if key != grantedField { // There is one for each scope.
			seen++
		}
		if seen > maxParams {
			return nil, refuse(codeInvalidRequest, "The request has more than 100 parameters.")
		}
		empty = empty || value == ""
		if earlier := params[key]; earlier != nil {
			params[key] = append(earlier, value)
			continue
		}
		values = append(values, value)
		params[key] = values[len(values)-1 : len(values) : len(values)]
	}
	if empty {
		maps.DeleteFunc(params, func(_ string, given []string) bool { return len(given) == 1 && given[0] == "" })
	}
	return params, nil
}

// repeated refuses a request that has one of the named parameters more than
// once (RFC 6749 sections 3.1 and 3.2).
func repeated(params url.Values, names ...string) *Error {
	twice := false
	for _, given := range params {
		twice = twice || len(given) > 1
	}
	if !twice {
		return nil // as nearly always; to look for each name takes longer
	}
	for _, name := range names {
		if len(params[name]) > 1 {
			return refuse(codeInvalidRequest, "The request has the parameter %s more than once.", name)
		}
	}
	return nil
}

// readForm reads the known parameters from the body of a POST, and never from
// the query. Each may come once.
func readForm(w http.ResponseWriter, r *http.Request, known []string) (url.Values, *Error) {
	form, e := readParams(w, r, known)
	if e == nil {
		e = repeated(form, known...)
	}
	return form, e
}

// readParams is readForm without a look at what comes twice.
func readParams(w http.ResponseWriter, r *http.Request, known []string) (url.Values, *Error) {
	if !hasForm(r) {
		return nil, refuse(codeInvalidRequest, "Send the parameters in the body as application/x-www-form-urlencoded.").with("content_type", mediaType(r))
	}
	if r.PostForm != nil {
		// The host's middleware has read the body before us, and reading it
		// again would give nothing.
		return parseParams(r.PostForm.Encode(), known)
	}
	body := takeBuffer()
	defer body.release()
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	if e := bodyRefusal(r, body.Len(), "1 MiB", err); e != nil {
		return nil, e
	}
	return parseParams(body.String(), known)
}

// bodyRefusal says why a body that was read to its end is of no use: it is larger
// than it may be, or was not there. If nil, it is usable.
func bodyRefusal(r *http.Request, read int, most string, err error) *Error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		e := refuse(codeInvalidRequest, "The request body is larger than %s.", most)
		e.Status = http.StatusRequestEntityTooLarge
		return e
	case err != nil:
		return refuse(codeInvalidRequest, "The request body could not be read.").because(err)
	}
	return drained(r, read)
}

// drained returns the failure of a host whose middleware has read the body
// before us and kept nothing of it.
func drained(r *http.Request, read int) *Error {
	if read > 0 || r.ContentLength <= 0 {
		return nil
	}
	return asError(errors.New("the request came with a body, and nothing of it is left: a middleware of the host has read it before Latchkey. " +
		"Leave Latchkey's endpoints out of it, call r.ParseForm there, or put the body back into r.Body"))
}

// mediaType is what the body says that it is, for the log. Nothing else of the
// header goes there.
func mediaType(r *http.Request) string {
	contentType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && contentType == "" {
		return "none"
	}
	return contentType
}

// hasForm reports whether the body says that it is a form, and only that.
func hasForm(r *http.Request) bool {
	const form = "application/x-www-form-urlencoded"
	given := r.Header["Content-Type"]
	if len(given) != 1 {
		return false
	}
	if given[0] == form {
		return true // as almost every client writes it
	}
	contentType, _, err := mime.ParseMediaType(given[0])
	return err == nil && contentType == form
}

func cleanText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// describable returns s if error_description may hold it (RFC 6749 section
// 5.2) and it is short, and otherwise a word in its place.
func describable(s string) string {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c > 0x7e {
			return "(unprintable)"
		}
	}
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// basicCredentials returns what follows the scheme in the Authorization header,
// if that is Basic.
func basicCredentials(h http.Header) (encoded string, present bool) {
	if len(h["Authorization"]) == 0 {
		return "", false
	}
	scheme, encoded, _ := strings.Cut(h["Authorization"][0], " ")
	return encoded, strings.EqualFold(scheme, "Basic")
}

// remoteAddr is the address of the connection, or the zero Addr where there is
// none.
func remoteAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
