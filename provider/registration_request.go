package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/latchkey-go/latchkey/provider/internal/jsonvalue"
)

const maxRegistration = 64 << 10 // bytes of a request

// clientMetadata is what an application says about itself (RFC 7591 section 2).
type clientMetadata struct {
	RedirectURIs    []string `json:"redirect_uris"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	ApplicationType string   `json:"application_type"` // OpenID Connect Dynamic Client Registration section 2
	Name            string   `json:"client_name"`
	Scope           string   `json:"scope"`
	ClientURI       string   `json:"client_uri,omitempty"`
	LogoURI         string   `json:"logo_uri,omitempty"`
	TermsURI        string   `json:"tos_uri,omitempty"`
	PolicyURI       string   `json:"policy_uri,omitempty"`
	Contacts        []string `json:"contacts,omitempty"`
	SoftwareID      string   `json:"software_id,omitempty"`
	SoftwareVersion string   `json:"software_version,omitempty"`

	JWKS       json.RawMessage `json:"jwks,omitempty"`
	JWKSURI    string          `json:"jwks_uri,omitempty"`
	IDTokenAlg string          `json:"id_token_signed_response_alg,omitempty"` // OpenID Connect Dynamic Client Registration section 2

	// OpenID Connect RP-Initiated Logout section 3.1.
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`

	// AuthMethods lists all methods that the application supports. AuthMethod
	// is then only its preference (OpenID Connect Relying Party Metadata
	// Choices section 2).
	AuthMethods []string `json:"-"`
}

// registrationRequest is the body of a request to register or to change a
// registration, or a client's document.
type registrationRequest struct {
	clientMetadata
	members map[string]json.RawMessage

	// wrongRedirects refuses redirect_uris that are not a list of strings, and
	// is nil otherwise.
	wrongRedirects *Error
}

// readRegistration reads the body.
func readRegistration(w http.ResponseWriter, r *http.Request) (*registrationRequest, *Error) {
	contentType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || contentType != "application/json" || len(r.Header["Content-Type"]) != 1 {
		return nil, refuse(codeInvalidRequest, "Send the metadata in the body as application/json.").with("content_type", mediaType(r))
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRegistration))
	if e := bodyRefusal(r, len(body), "64 KiB", err); e != nil {
		return nil, e
	}
	request, e := parseRegistration(body)
	if e == nil {
		e = request.wrongRedirects
	}
	return request, e
}

// parseRegistration reads metadata that an application wrote for all servers.
// Null, empty, and unknown members, and members of the wrong type, count as
// missing (RFC 7591 section 2).
func parseRegistration(body []byte) (*registrationRequest, *Error) {
	members, e := parseMembers(body)
	if e != nil {
		return nil, e
	}
	request := &registrationRequest{members: members}
	for name, into := range map[string]*string{
		"application_type": &request.ApplicationType,
		"client_name":      &request.Name,
		"scope":            &request.Scope,
		"client_uri":       &request.ClientURI,
		"logo_uri":         &request.LogoURI,
		"tos_uri":          &request.TermsURI,
		"policy_uri":       &request.PolicyURI,
		"software_id":      &request.SoftwareID,
		"software_version": &request.SoftwareVersion,
		"jwks_uri":         &request.JWKSURI,

		"id_token_signed_response_alg": &request.IDTokenAlg,
	} {
		_ = json.Unmarshal(members[name], into) // A member of another type counts as missing.
	}
	request.GrantTypes, _ = textsOf(members["grant_types"])
	request.Contacts, _ = textsOf(members["contacts"])
	if raw := members["jwks"]; len(raw) > 0 && raw[0] == '{' {
		request.JWKS = raw
	}
	request.PostLogoutRedirectURIs, _ = textsOf(members["post_logout_redirect_uris"])
	request.readAuthMethods()
	request.readRedirectURIs()
	return request, nil
}

// readAuthMethods reads how the application can authenticate. If it named
// methods that can't be parsed, it gets none: the default would give it a
// secret that it may be unable to keep.
func (r *registrationRequest) readAuthMethods() {
	const single, list = "token_endpoint_auth_method", "token_endpoint_auth_methods_supported"
	r.AuthMethods, _ = textsOf(r.members[list])
	if err := json.Unmarshal(r.members[single], &r.AuthMethod); r.has(single) && err != nil {
		r.AuthMethod = authNone
	}
	if r.AuthMethod == "" && len(r.AuthMethods) == 0 && r.has(list) {
		r.AuthMethod = authNone
	}
}

// readRedirectURIs reads the redirect URIs of the application.
func (r *registrationRequest) readRedirectURIs() {
	const name = "redirect_uris"
	var all bool
	r.RedirectURIs, all = textsOf(r.members[name])
	if r.has(name) && !all {
		r.wrongRedirects = wrongType(name, r.members[name], "an array of strings")
	}
}

// textsOf returns the strings in a list, and whether it is a list of only
// strings.
func textsOf(raw json.RawMessage) (texts []string, all bool) {
	var entries []json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, false
	}
	for _, entry := range entries {
		var text *string
		if err := json.Unmarshal(entry, &text); err == nil && text != nil {
			texts = append(texts, *text)
		}
	}
	return texts, len(texts) == len(entries)
}

// has reports whether a member is present and not null.
func (r *registrationRequest) has(name string) bool {
	raw, there := r.members[name]
	return there && string(raw) != "null"
}

// text returns a member that must be a string if it is present.
func (r *registrationRequest) text(name string) (text string, e *Error) {
	if err := json.Unmarshal(r.members[name], &text); err != nil && r.has(name) {
		return "", wrongType(name, r.members[name], "a string")
	}
	return text, nil
}

func wrongType(name string, raw json.RawMessage, want string) *Error {
	return refuseMetadata(name, "%s is of type %s: send %s.", name, jsonvalue.TypeOf(raw), want)
}

// decisive are the members that matter for an application's security.
var decisive = []string{"redirect_uris", "client_id", "client_secret", "client_name"}

// parseMembers parses a single JSON object. If a name occurs twice, parsers
// disagree on which one counts (RFC 8259 section 4): for a decisive member it
// refuses that, and it drops any other. It compares names byte for byte, which
// package json doesn't do for a struct.
func parseMembers(body []byte) (map[string]json.RawMessage, *Error) {
	malformed := refuse(codeInvalidRequest, "The request body is not a JSON object in UTF-8.")
	if !utf8.Valid(body) {
		return nil, malformed
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, malformed.because(err)
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, malformed.because(err)
		}
		name, _ := key.(string) // The decoder accepts only strings as names.
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, malformed.because(err)
		}
		if _, twice := members[name]; twice {
			if slices.Contains(decisive, name) {
				return nil, refuse(codeInvalidClientMetadata, "The member %s occurs twice: keep one.", name)
			}
			value = nil
		}
		members[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed.because(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed // Something follows the object.
	}
	return members, nil
}

// refuseMetadata refuses the value of a field (RFC 7591 section 3.2.2).
func refuseMetadata(field, format string, args ...any) *Error {
	code := codeInvalidClientMetadata
	if field == "redirect_uris" {
		code = codeInvalidRedirectURI
	}
	return refuse(code, "%s", asDescription(fmt.Sprintf(format, args...)))
}

// asDescription returns text in a form and length that error_description may
// have (RFC 6749 section 5.2).
func asDescription(text string) string {
	const longest = 400
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r < ' ' || r == '\\' || r > '~':
			return '?'
		}
		return r
	}, text)
	if len(text) > longest {
		text = text[:longest] + "..."
	}
	return text
}
