package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// applicationParams are the parameters of create and update. Nil is left out;
// null counts as left out too.
type applicationParams struct {
	name, callbackURL, scopes                    *string
	redirectURIs                                 *[]string
	consentScreenEnabled, pkceRequired, isPublic *bool
}

// readApplicationParams reads the body of create and update. Every parameter
// that has the wrong type is named; unknown ones are refused by update, and
// ignored by create, as Clerk does.
func (b backend) readApplicationParams(w http.ResponseWriter, r *http.Request, update bool) (applicationParams, error) {
	var p applicationParams
	object, err := readObject(w, r)
	if err != nil {
		return p, err
	}
	var problems []backendProblem
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
	// The Go SDK always sends these, empty where they were not set.
	if p.callbackURL != nil && *p.callbackURL == "" {
		p.callbackURL = nil
	}
	if p.scopes != nil && *p.scopes == "" {
		p.scopes = nil
	}
	// What follows takes time with the square of these.
	if longest := b.p.longestScopes(); p.scopes != nil && len(*p.scopes) > longest {
		problems = append(problems, clerkProblem(FieldError{Field: "scopes", Kind: FieldTooLong, Limit: longest}))
	}
	if p.redirectURIs != nil && len(*p.redirectURIs) > maxRedirectURIs {
		problems = append(problems, clerkProblem(FieldError{Field: "redirect_uris", Kind: FieldTooMany,
			Message: fmt.Sprintf("redirect_uris should not have more than %d entries.", maxRedirectURIs)}))
		return p, unprocessable(problems)
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

func errPublicNeedsPKCE(param string) backendProblem {
	return paramError("form_public_client_requires_pkce", param, "is invalid", "PKCE is required for OAuth clients without a secret")
}

// readObject reads a JSON object from the body. The Go SDK sends null where it
// has nothing to say.
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

// decodeParam takes one parameter out of the object, if it is there and not
// null.
func decodeParam[T any](object map[string]json.RawMessage, name, wantType string, into **T) []backendProblem {
	raw, ok := object[name]
	delete(object, name)
	if !ok || string(raw) == "null" {
		return nil
	}
	value := new(T)
	if err := json.Unmarshal(raw, value); err != nil || hasNullEntry(raw) {
		return []backendProblem{paramError("form_param_value_invalid", name, "is invalid",
			fmt.Sprintf("%s is invalid. Received %s, must be of type %s.", name, jsonType(raw), wantType))}
	}
	*into = value
	return nil
}

// hasNullEntry reports whether raw is an array with a null in it, which package
// json would read as an empty string.
func hasNullEntry(raw json.RawMessage) bool {
	var entries []any
	return json.Unmarshal(raw, &entries) == nil && slices.Contains(entries, nil)
}

// jsonType is what a JSON value is called in an error.
func jsonType(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

// unknownParams refuses every parameter that is left in the object.
func unknownParams(object map[string]json.RawMessage) []backendProblem {
	var problems []backendProblem
	for name := range object {
		name = excerpt(name)
		problems = append(problems, paramError("form_param_unknown", name, "is unknown", name+" is not a valid parameter for this request."))
	}
	slices.SortFunc(problems, func(a, b backendProblem) int { return strings.Compare(a.Meta.ParamName, b.Meta.ParamName) })
	return problems
}

// scopeSet returns the scopes that were sent, or nil if none were. A text that
// is not a list of scopes becomes the one scope that it is not, for the rules to
// name.
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

// uris are the redirect URIs that result. The old callback_url stands for the
// first of them, which is also how it is shown.
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

// viaCallback reports whether a bad redirect URI is to be called callback_url.
func (p applicationParams) viaCallback() bool { return p.redirectURIs == nil && p.callbackURL != nil }

// applicationQuery reads the query of a list.
func applicationQuery(r *http.Request) (store.ApplicationQuery, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		// Leaving out what cannot be read would answer another question.
		return store.ApplicationQuery{}, unprocessable([]backendProblem{paramError("form_param_format_invalid", "query", "is invalid", "The query is malformed.")})
	}
	q := store.ApplicationQuery{Name: values.Get("name_query"), Limit: store.DefaultLimit}
	var problems []backendProblem
	number := func(name string, least, most int, into *int) {
		text := values.Get(name)
		if text == "" {
			return
		}
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || int(n) < least || int(n) > most {
			problems = append(problems, paramError("form_param_value_invalid", name, "is invalid",
				fmt.Sprintf("%s does not match one of the allowed values for parameter %s: it is a number from %d to %d", excerpt(text), name, least, most)))
			return
		}
		*into = int(n)
	}
	number("limit", 1, 500, &q.Limit)
	number("offset", 0, 1<<31-1, &q.Offset)
	if !cleanText(q.Name) || len(q.Name) > maxName*4 {
		problems = append(problems, paramError("form_param_value_invalid", "name_query", "is invalid", "name_query is not a part of a name"))
	}
	orders := map[string]store.ApplicationOrder{
		"": store.NewestFirst, "-created_at": store.NewestFirst, "+created_at": store.OldestFirst, "created_at": store.OldestFirst,
		"+name": store.NameAscending, "name": store.NameAscending, "-name": store.NameDescending,
	}
	// Of several the first counts; a plus that was not escaped is a space.
	by, _, _ := strings.Cut(values.Get("order_by"), ",")
	if rest, ok := strings.CutPrefix(by, " "); ok {
		by = "+" + rest
	}
	order, ok := orders[by]
	if !ok {
		problems = append(problems, paramError("form_param_value_invalid", "order_by", "is invalid",
			excerpt(by)+" does not match one of the allowed values for parameter order_by: name and created_at, with + or - in front"))
	}
	q.Order = order
	return q, unprocessable(problems)
}
