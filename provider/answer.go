package provider

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// beginAPI does what every endpoint for programs starts with: it allows other
// origins without credentials, answers their preflight and refuses other
// methods. It reports whether the request is to be served.
func beginAPI(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	h := w.Header()
	setHeaders(h, "Access-Control-Allow-Origin", "*", "Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
	if slices.Contains(methods, r.Method) {
		return true
	}
	allow := strings.Join(append(methods, "OPTIONS"), ", ")
	if r.Method != http.MethodOptions {
		methodNotAllowed(w, r, allow)
		return false
	}
	h.Set("Allow", allow)
	h.Set("Access-Control-Allow-Methods", allow)
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, MCP-Protocol-Version")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
	return false
}

func methodNotAllowed(w http.ResponseWriter, r *http.Request, allow string) {
	noteOutcome(r.Context(), codeInvalidRequest)
	w.Header().Set("Allow", allow)
	writeJSON(w, http.StatusMethodNotAllowed, errorResponse{codeInvalidRequest, "The method is not served here. These are: " + allow + "."})
}

// errorResponse is the error body of RFC 6749 section 5.2.
type errorResponse struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// writeError refuses a request of a program. A failed client authentication
// names the scheme to use (RFC 6749 section 5.2).
func (p *Provider) writeError(w http.ResponseWriter, r *http.Request, endpoint string, e *Error) {
	p.refused(r.Context(), endpoint, e)
	if e.Code == codeInvalidClient {
		w.Header().Set("WWW-Authenticate", `Basic realm="`+p.cfg.Issuer+`"`)
	}
	e.setRetryAfter(w.Header())
	writeJSON(w, e.Status, errorResponse{e.Code, e.Description})
}

// writeJSON answers with JSON that no cache keeps (RFC 6749 section 5.1).
func writeJSON(w http.ResponseWriter, status int, body any) {
	buffer := takeBuffer()
	defer buffer.release()
	if err := json.NewEncoder(buffer).Encode(body); err != nil {
		// Only a host's metadata can do this: a channel, a function, a cycle.
		status = http.StatusInternalServerError
		buffer.Reset()
		buffer.WriteString(`{"error":"server_error","error_description":"Something went wrong here."}` + "\n")
	}
	setHeaders(w.Header(), "Content-Type", "application/json", "Cache-Control", "no-store", "Pragma", "no-cache", "X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(buffer.Bytes())
}

// setHeaders sets headers, given as name, value in canonical form. Its one
// allocation is what it is for: Header.Set makes one for each.
func setHeaders(h http.Header, pairs ...string) {
	values := make([]string, 0, len(pairs)/2)
	for i := 1; i < len(pairs); i += 2 {
		values = append(values, pairs[i])
		h[pairs[i-1]] = values[len(values)-1 : len(values) : len(values)]
	}
}

// seeOther sends the browser on to a path of this origin.
func seeOther(w http.ResponseWriter, path string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Location", path)
	w.WriteHeader(http.StatusSeeOther)
}
