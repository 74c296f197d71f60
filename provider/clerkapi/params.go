package clerkapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/internal/jsonvalue"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// applicationParams are the parameters of create and update. Nil means that the
// parameter is missing or null.
type applicationParams struct {
	name, callbackURL, scopes                    *string
	redirectURIs                                 *[]string
	consentScreenEnabled, pkceRequired, isPublic *bool
}

// readApplicationParams reads the body of create and update. It reports every
// parameter of the wrong type. Like Clerk, update refuses unknown parameters
// and create ignores them.
func (a *api) readApplicationParams(w http.ResponseWriter, r *http.Request, update bool) (applicationParams, error) {
	var p applicationParams
	object, err := readObject(w, r)
	if err != nil {
		return p, err
	}
	var problems []problem
	problems = append(problems, decodeParam(object, "name", "string", &p.name)...)
	problems = append(problems, decodeParam(object, "callback_url", "string", &p.callbackURL)...)
	problems = append(problems, decodeParam(object, "scopes", "string", &p.scopes)...)
	problems = append(problems, decodeParam(object, "redirect_uris", "array of strings", &p.redirectURIs)...)
	problems = append(problems, decodeParam(object, "consent_screen_enabled", "boolean", &p.consentScreenEnabled)...)
	problems = append(problems, decodeParam(object, "pkce_required", "boolean", &p.pkceRequired)...)
	problems = append(problems, decodeParam(object, "public", "boolean", &p.isPublic)...)
	if update {
		problems = append(problems, unknownParams(object)...)
	}
	// The Go SDK always sends these, and leaves them empty if they are not set.
	if p.callbackURL != nil && *p.callbackURL == "" {
		p.callbackURL = nil
	}
	if p.scopes != nil && *p.scopes == "" {
		p.scopes = nil
	}
	if longest := a.longestScopes(); p.scopes != nil && len(*p.scopes) > longest {
		problems = append(problems, problemOf(provider.FieldError{Field: "scopes", Kind: provider.FieldTooLong, Limit: longest}))
	}
	if p.callbackURL != nil && p.redirectURIs != nil && !slices.Contains(*p.redirectURIs, *p.callbackURL) {
		problems = append(problems, paramError("form_param_value_conflict", "callback_url", "conflicts with another parameter",
			"callback_url and redirect_uris refer to the same value, so they must match when both are sent."))
	}
	if p.isPublic != nil && *p.isPublic && p.pkceRequired != nil && !*p.pkceRequired {
		problems = append(problems, errPublicNeedsPKCE("pkce_required"))
	}
	return p, unprocessable(problems)
}

// longestScopes returns how long a list of scopes may be: Clerk's 1,024 bytes,
// or enough for all scopes that the provider offers and the two that it drops.
// The limit applies before the names are parsed.
func (a *api) longestScopes() int {
	offered := a.p.Offers().Scopes[store.OriginManual]
	return max(1024, len(offered.Union(scopes.New("openid", "offline_access")).String()))
}

func errPublicNeedsPKCE(param string) problem {
	return paramError("form_public_client_requires_pkce", param, "is invalid", "PKCE is required for OAuth clients without a secret")
}

// readObject reads a JSON object from the body. The Go SDK sends null for
// parameters that are not set.
func readObject(w http.ResponseWriter, r *http.Request) (map[string]json.RawMessage, error) {
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	object := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &object); err != nil {
		refusal := errBodyInvalid()
		refusal.cause = err
		return nil, refusal
	}
	return object, nil
}

// decodeParam removes one parameter from the object and decodes it, unless it
// is missing or null.
func decodeParam[T any](object map[string]json.RawMessage, name, wantType string, into **T) []problem {
	raw, ok := object[name]
	delete(object, name)
	if !ok || string(raw) == "null" {
		return nil
	}
	value := new(T)
	if err := json.Unmarshal(raw, value); err != nil || jsonvalue.HasNull(raw) {
		return []problem{paramError("form_param_value_invalid", name, "is invalid",
			fmt.Sprintf("%s is invalid. Received %s, must be of type %s.", name, jsonvalue.TypeOf(raw), wantType))}
	}
	*into = value
	return nil
}

// unknownParams refuses every parameter that is left in the object.
func unknownParams(object map[string]json.RawMessage) []problem {
	var problems []problem
	for name := range object {
		name = excerpt(name)
		problems = append(problems, paramError("form_param_unknown", name, "is unknown", name+" is not a valid parameter for this request."))
	}
	slices.SortFunc(problems, func(a, b problem) int { return strings.Compare(a.Meta.ParamName, b.Meta.ParamName) })
	return problems
}

// scopeSet returns the scopes that were sent, or nil if none were. A malformed
// list becomes one invalid scope, so that validation reports it.
func (p applicationParams) scopeSet() scopes.Set {
	if p.scopes == nil {
		return nil
	}
	asked, err := scopes.Parse(*p.scopes)
	if err != nil {
		return scopes.Set{*p.scopes}
	}
	return append(scopes.Set{}, asked...)
}

// uris returns the resulting redirect URIs. The old callback_url stands for the
// first of them, as in answers.
func (p applicationParams) uris(old []string) []string {
	switch {
	case p.redirectURIs != nil:
		return *p.redirectURIs
	case p.callbackURL == nil:
		return old
	}
	uris := []string{*p.callbackURL}
	for i, uri := range old {
		if i > 0 && uri != *p.callbackURL {
			uris = append(uris, uri)
		}
	}
	return uris
}

// viaCallback reports whether errors of a redirect URI should name
// callback_url.
func (p applicationParams) viaCallback() bool { return p.redirectURIs == nil && p.callbackURL != nil }

// applicationQuery reads the query of a list.
func applicationQuery(r *http.Request) (store.ApplicationQuery, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		// Ignoring an invalid part would answer another question.
		return store.ApplicationQuery{}, unprocessable([]problem{paramError("form_param_format_invalid", "query", "is invalid", "The query is malformed.")})
	}
	q := store.ApplicationQuery{Name: values.Get("name_query"), Limit: store.DefaultLimit}
	var problems []problem
	number := func(name string, least, most int, into *int) {
		text := values.Get(name)
		if text == "" {
			return
		}
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || int(n) < least || int(n) > most {
			problems = append(problems, paramError("form_param_value_invalid", name, "is invalid",
				fmt.Sprintf("%s does not match one of the allowed values for parameter %s: it must be a number from %d to %d", excerpt(text), name, least, most)))
			return
		}
		*into = int(n)
	}
	number("limit", 1, 500, &q.Limit)
	number("offset", 0, 1<<31-1, &q.Offset)
	if !isText(q.Name) || len(q.Name) > maxQuery {
		problems = append(problems, paramError("form_param_value_invalid", "name_query", "is invalid", "name_query is not a part of a name"))
	}
	orders := map[string]store.ApplicationOrder{
		"": store.NewestFirst, "-created_at": store.NewestFirst, "+created_at": store.OldestFirst, "created_at": store.OldestFirst,
		"+name": store.NameAscending, "name": store.NameAscending, "-name": store.NameDescending,
	}
	// Only the first counts; an unescaped plus is a space.
	by, _, _ := strings.Cut(values.Get("order_by"), ",")
	if rest, ok := strings.CutPrefix(by, " "); ok {
		by = "+" + rest
	}
	order, ok := orders[by]
	if !ok {
		problems = append(problems, paramError("form_param_value_invalid", "order_by", "is invalid",
			excerpt(by)+" does not match one of the allowed values for parameter order_by: use name or created_at, with + or - in front"))
	}
	q.Order = order
	return q, unprocessable(problems)
}
