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

// Fields of a form that asks the user to decide. parseParams has other limits
// for them.
const (
	requestField = "request" // the encoded request of the form
	grantedField = "granted" // the name of a scope; one for each scope
)

// parseParams reads a query or form and returns the parameters that the
// endpoint knows. It is strict: each must be valid UTF-8 without NUL and at
// most 8 KiB long. Package net/url would skip what it can't read, and then two
// readers of one request could disagree on it. All other parameters are
// ignored, because extensions and web analytics add them (RFC 6749 section
// 3.1). A parameter without a value counts as missing. The caller must refuse
// repeated parameters with [repeated].
func parseParams(raw string, known []string) (url.Values, *Error) {
	params := url.Values{}
	values := make([]string, 0, 8) // enough for most requests
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
		return nil // The usual case; the lookups take longer.
	}
	for _, name := range names {
		if len(params[name]) > 1 {
			return refuse(codeInvalidRequest, "The request has the parameter %s more than once.", name)
		}
	}
	return nil
}

// readForm reads the known parameters from the body of a POST, and never from
// the query. Each may occur once.
func readForm(w http.ResponseWriter, r *http.Request, known []string) (url.Values, *Error) {
	form, e := readParams(w, r, known)
	if e == nil {
		e = repeated(form, known...)
	}
	return form, e
}

// readParams is readForm without the check for repeated parameters.
func readParams(w http.ResponseWriter, r *http.Request, known []string) (url.Values, *Error) {
	if !hasForm(r) {
		return nil, refuse(codeInvalidRequest, "Send the parameters in the body as application/x-www-form-urlencoded.").with("content_type", mediaType(r))
	}
	if r.PostForm != nil {
		// The host's middleware has parsed the body already; reading it again
		// would return nothing.
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

// bodyRefusal says why a body that was read completely is unusable: it is too
// large or was missing. It returns nil if the body is usable.
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

// drained reports a host whose middleware has read the body before Latchkey and
// discarded it.
func drained(r *http.Request, read int) *Error {
	if read > 0 || r.ContentLength <= 0 {
		return nil
	}
	return asError(errors.New("the request came with a body, but nothing is left of it: middleware of the host has read it before Latchkey. " +
		"Exclude Latchkey's endpoints from that middleware, call r.ParseForm in it, or restore r.Body"))
}

// mediaType returns the media type of the body for the log, without parameters.
func mediaType(r *http.Request) string {
	contentType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && contentType == "" {
		return "none"
	}
	return contentType
}

// hasForm reports whether the Content-Type is that of a form.
func hasForm(r *http.Request) bool {
	const form = "application/x-www-form-urlencoded"
	given := r.Header["Content-Type"]
	if len(given) != 1 {
		return false
	}
	if given[0] == form {
		return true // almost every client's spelling
	}
	contentType, _, err := mime.ParseMediaType(given[0])
	return err == nil && contentType == form
}

func cleanText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// describable returns s if error_description may contain it (RFC 6749 section
// 5.2) and it is short, and a placeholder otherwise.
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

// basicCredentials returns the credentials in the Authorization header if its
// scheme is Basic.
func basicCredentials(h http.Header) (encoded string, present bool) {
	if len(h["Authorization"]) == 0 {
		return "", false
	}
	scheme, encoded, _ := strings.Cut(h["Authorization"][0], " ")
	return encoded, strings.EqualFold(scheme, "Basic")
}

// remoteAddr returns the address of the connection, or the zero Addr if there
// is none.
func remoteAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
