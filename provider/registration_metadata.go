package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/latchkey-go/latchkey/provider/internal/jsonvalue"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

const maxRegistration = 64 << 10 // bytes of a request

// clientMetadata is what an application says of itself (RFC 7591 section 2).
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
}

// registrationRequest is the body of a request to register or to change a
// registration.
type registrationRequest struct {
	clientMetadata
	clientID, clientSecret string

	// foreign is the first member that is the provider's to say and not the
	// application's (RFC 7592 section 2.2); empty: there is none.
	foreign string
}

// readRegistration reads the body. What is null or empty counts as left out;
// members that mean nothing here are ignored (RFC 7591 section 2).
func readRegistration(w http.ResponseWriter, r *http.Request) (*registrationRequest, *Error) {
	contentType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || contentType != "application/json" || len(r.Header["Content-Type"]) != 1 {
		return nil, refuse(codeInvalidRequest, "Send the metadata in the body as application/json.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRegistration))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		e := refuse(codeInvalidRequest, "The request body is larger than 64 KiB.")
		e.Status = http.StatusRequestEntityTooLarge
		return nil, e
	case err != nil:
		return nil, refuse(codeInvalidRequest, "The request body could not be read.").because(err)
	}
	return parseRegistration(body)
}

func parseRegistration(body []byte) (*registrationRequest, *Error) {
	members, e := parseMembers(body)
	if e != nil {
		return nil, e
	}
	var request registrationRequest
	for _, m := range []struct {
		name string
		into any
	}{
		{"redirect_uris", &request.RedirectURIs},
		{"token_endpoint_auth_method", &request.AuthMethod},
		{"grant_types", &request.GrantTypes},
		{"response_types", &request.ResponseTypes},
		{"application_type", &request.ApplicationType},
		{"client_name", &request.Name},
		{"scope", &request.Scope},
		{"client_uri", &request.ClientURI},
		{"logo_uri", &request.LogoURI},
		{"tos_uri", &request.TermsURI},
		{"policy_uri", &request.PolicyURI},
		{"contacts", &request.Contacts},
		{"software_id", &request.SoftwareID},
		{"software_version", &request.SoftwareVersion},
		{"client_id", &request.clientID},
		{"client_secret", &request.clientSecret},
	} {
		raw, there := members[m.name]
		if !there {
			continue
		}
		want := "a string"
		if _, list := m.into.(*[]string); list {
			want = "an array of strings"
		}
		if err := json.Unmarshal(raw, m.into); err != nil || jsonvalue.HasNull(raw) {
			return nil, refuseMetadata(m.name, "%s is of type %s: give %s.", m.name, jsonvalue.TypeOf(raw), want)
		}
	}
	for _, name := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		if raw, there := members[name]; there && string(raw) != "null" {
			request.foreign = name
			break
		}
	}
	return &request, nil
}

// parseMembers reads a JSON object and nothing else. A name that is there
// twice is refused: which of the two counts would depend on who reads (RFC 8259
// section 4). Names are compared byte for byte, which package json does not do
// for a struct.
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
		name, _ := key.(string) // The decoder lets nothing else be a name.
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, malformed.because(err)
		}
		if _, twice := members[name]; twice {
			return nil, refuse(codeInvalidClientMetadata, "The member %s is there twice: keep one.", describable(name))
		}
		members[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed.because(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed // Something comes after the object.
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

// asDescription returns text as error_description may hold it (RFC 6749 section
// 5.2), and not at any length.
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

// applyMetadata makes app what m says, with defaults for what is left out (RFC
// 7591 section 2), and checks it. Values that are not offered are dropped, as
// section 2 lets a server do, unless nothing useful is left.
func (p *Provider) applyMetadata(m clientMetadata, app *store.Application) *Error {
	kept := store.RegistrationRecord{
		Token:      app.Registration.Token,
		AuthMethod: m.AuthMethod,
		Contacts:   m.Contacts,
		TermsURI:   m.TermsURI, PolicyURI: m.PolicyURI,
		SoftwareID: m.SoftwareID, SoftwareVersion: m.SoftwareVersion,
	}
	if kept.AuthMethod == "" {
		kept.AuthMethod = authBasic
	}
	if !slices.Contains(offeredAuthMethods, kept.AuthMethod) {
		return refuseMetadata("token_endpoint_auth_method", "token_endpoint_auth_method is %s, which is not offered: use one of %s.",
			describable(m.AuthMethod), strings.Join(offeredAuthMethods, ", "))
	}
	var e *Error
	if kept.GrantTypes, e = p.offer.registeredGrants(m); e != nil {
		return e
	}
	asked, e := p.offer.registeredScopes(app.Origin, m.Scope)
	if e != nil {
		return e
	}
	app.Name, app.ClientURI, app.LogoURL = m.Name, m.ClientURI, m.LogoURI
	if app.Name == "" {
		app.Name = nameFor(m.RedirectURIs)
	}
	app.RedirectURIs, app.Scopes, app.Public, app.Registration = m.RedirectURIs, asked, kept.AuthMethod == authNone, &kept
	toCheck := *app
	if toCheck.Public {
		toCheck.Secrets = nil // They are for the caller to take away.
	}
	if wrong := p.offer.checkApplication(toCheck); len(wrong) > 0 {
		return registrationRefusal(wrong)
	}
	for _, u := range []struct{ field, uri string }{{"client_uri", m.ClientURI}, {"logo_uri", m.LogoURI}} {
		if u.uri != "" && !isSecureURL(u.uri) { // One below an issuer on http is for the host's own.
			return refuseMetadata(u.field, "%s %q is not an https URL.", u.field, u.uri)
		}
	}
	kept.Type, e = registeredType(m)
	return e
}

// registeredGrants are the grant types that an application may use: those that
// it names and that are offered.
func (o *offer) registeredGrants(m clientMetadata) ([]string, *Error) {
	kept := []string{grantAuthorizationCode}
	if len(m.GrantTypes) > 0 {
		kept = keepOffered(o.grantTypes, m.GrantTypes)
		if len(keepOffered(kept, []string{grantRefreshToken})) == len(kept) {
			return nil, refuseMetadata("grant_types", "grant_types has none that a user could sign in by: those that are offered are %s.",
				strings.Join(o.grantTypes, ", "))
		}
	}
	byCode := slices.Contains(kept, grantAuthorizationCode)
	switch {
	case byCode && len(m.ResponseTypes) > 0 && !slices.Contains(m.ResponseTypes, "code"):
		return nil, refuseMetadata("response_types", "response_types has none that is offered: use code.")
	case byCode && len(m.RedirectURIs) == 0:
		return nil, refuseMetadata("redirect_uris", "redirect_uris is missing: give at least one.")
	}
	return kept, nil
}

// registeredType is the application_type that fits the redirect URIs.
func registeredType(m clientMetadata) (string, *Error) {
	native := slices.ContainsFunc(m.RedirectURIs, func(uri string) bool { return !strings.HasPrefix(uri, "https://") })
	switch {
	case m.ApplicationType == "" && native:
		return typeNative, nil
	case m.ApplicationType == "":
		return typeWeb, nil
	case m.ApplicationType == typeWeb && native:
		return "", refuseMetadata("redirect_uris", "redirect_uris of the application_type web are https: use https, or register as native.")
	case m.ApplicationType != typeWeb && m.ApplicationType != typeNative:
		return "", refuseMetadata("application_type", "application_type is %s: use web or native.", describable(m.ApplicationType))
	}
	return m.ApplicationType, nil
}

// The values of application_type.
const (
	typeWeb    = "web"
	typeNative = "native"
)

// keepOffered returns those that are offered of what was asked for, each once.
func keepOffered(offered, asked []string) []string {
	return slices.DeleteFunc(slices.Clone(offered), func(s string) bool { return !slices.Contains(asked, s) })
}

// registeredScopes are the scopes that an application may ask for: those that
// it wants and that are offered; where it does not say, all that metadata
// advertises, as it has no other way to know them.
func (o *offer) registeredScopes(origin store.Origin, text string) (asked scopes.Set, e *Error) {
	offered := o.strangers[origin]
	if longest := o.longestScopes(); len(text) > longest {
		return nil, refuseMetadata("scope", "scope is longer than %d characters.", longest)
	}
	asked, _, e = parseAskedScopes(text)
	if e != nil {
		return nil, refuseMetadata("scope", "scope is malformed: it is names with spaces between them.").because(e.Err)
	}
	if len(asked) == 0 {
		return offered, nil
	}
	kept := offered.Intersect(asked)
	if len(kept) == 0 {
		return nil, refuseMetadata("scope", "scope has none that is offered: those are %s.", offered)
	}
	return kept, nil
}

// nameFor is the name of an application that gives none: where its users will
// be sent.
func nameFor(redirectURIs []string) string {
	if len(redirectURIs) > 0 {
		if u, err := url.Parse(redirectURIs[0]); err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
			return u.Hostname()
		} else if err == nil && u.Scheme != "" {
			return u.Scheme
		}
	}
	return "Unnamed application"
}

// registrationRefusal turns what is wrong with an application into the error of
// RFC 7591 section 3.2.2, with the names of its section 2.
func registrationRefusal(wrong FieldErrors) *Error {
	first := wrong[0]
	for _, f := range wrong {
		if f.Field == "redirect_uris" {
			first = f
			break
		}
	}
	field := first.Field
	switch field {
	case "name":
		field = "client_name"
	case "client_image_url":
		field = "logo_uri"
	case "scopes":
		field = "scope"
	}
	return refuseMetadata(field, "%s: %s.", field, first.Message)
}

// metadataOf is what is kept of an application's metadata. The host may have
// changed what it keeps itself, so the way to authenticate follows from that.
func metadataOf(app store.Application) clientMetadata {
	r := app.Registration
	m := clientMetadata{
		RedirectURIs:    append([]string{}, app.RedirectURIs...),
		AuthMethod:      r.AuthMethod,
		GrantTypes:      r.GrantTypes,
		ResponseTypes:   []string{},
		ApplicationType: r.Type,
		Name:            app.Name,
		Scope:           app.Scopes.String(),
		ClientURI:       app.ClientURI,
		LogoURI:         app.LogoURL,
		TermsURI:        r.TermsURI,
		PolicyURI:       r.PolicyURI,
		Contacts:        r.Contacts,
		SoftwareID:      r.SoftwareID,
		SoftwareVersion: r.SoftwareVersion,
	}
	switch {
	case app.Public:
		m.AuthMethod = authNone
	case r.AuthMethod == authNone:
		m.AuthMethod = authBasic
	}
	if slices.Contains(r.GrantTypes, grantAuthorizationCode) {
		m.ResponseTypes = []string{"code"}
	}
	return m
}
