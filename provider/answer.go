package provider

import (
	"encoding/json"
	"net/http"
)

// errorResponse is the error body of RFC 6749 section 5.2.
type errorResponse struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// writeJSON answers with JSON that no cache keeps (RFC 6749 section 5.1). The body
// is one of ours, which always encodes.
func writeJSON(w http.ResponseWriter, status int, body any) {
	if err := encodeJSON(w, status, body); err != nil {
		panic("provider: answer: " + err.Error())
	}
}

// encodeJSON is writeJSON for a body with values of the host's. It has written
// nothing if it fails.
func encodeJSON(w http.ResponseWriter, status int, body any) error {
	buffer := takeBuffer()
	defer buffer.release()
	if err := json.NewEncoder(buffer).Encode(body); err != nil {
		return err
	}
	jsonHeaders.set(w.Header())
	w.WriteHeader(status)
	w.Write(buffer.Bytes())
	return nil
}

// A headerSet is a list of headers that never change. Their values are shared by
// all answers, and have no room for another one: Header.Add copies them.
type headerSet []struct {
	name  string
	value []string
}

func newHeaderSet(pairs ...string) (set headerSet) {
	for i := 1; i < len(pairs); i += 2 {
		set = append(set, struct {
			name  string
			value []string
		}{pairs[i-1], []string{pairs[i]}})
	}
	return set
}

func (s headerSet) set(h http.Header) {
	for _, header := range s {
		h[header.name] = header.value
	}
}

var (
	jsonHeaders = newHeaderSet("Content-Type", "application/json", "Cache-Control", "no-store", "Pragma", "no-cache", "X-Content-Type-Options", "nosniff")
	openHeaders = newHeaderSet("Access-Control-Allow-Origin", "*", "Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
)

// setHeaders sets headers, given as name, value in canonical form. Its one
// allocation is what it is for: Header.Set makes one for each.
func setHeaders(h http.Header, pairs ...string) {
	values := make([]string, 0, len(pairs)/2)
	for i := 1; i < len(pairs); i += 2 {
		values = append(values, pairs[i])
		h[pairs[i-1]] = values[len(values)-1 : len(values) : len(values)]
	}
}

// seeOther sends the browser on: to a path of this origin, or where an application
// may send it.
func seeOther(w http.ResponseWriter, target string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}
