package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/scopes"
)

// An openIDRequest is what an authorization request asks for with OpenID
// Connect (Core section 3.1.2.1). Its zero value asks for nothing.
type openIDRequest struct {
	nonce string

	// maxAge is how long ago the user may have signed in, or negative for no
	// limit.
	maxAge time.Duration

	// subject is the user whom the ID token must be about, or empty for any
	// user.
	subject string

	// unusable is why the id_token_hint can't be used. It is nil if the hint is
	// usable, or missing.
	unusable error

	// acr lists the requested authentication context class references. If
	// acrNeeded is set, a session without one of them is refused.
	acr       []string
	acrNeeded bool

	// scopes has those that reveal the requested claims about the user. A claim
	// is then in both the ID token and the userinfo document.
	scopes scopes.Set
}

const (
	maxNonce       = 1024 // bytes
	maxAskedClaims = 100  // claims in a request
)

// notSupported lists parameters that a provider may refuse (Core section
// 3.1.2.6).
var notSupported = []struct{ param, code string }{
	{"request", "request_not_supported"}, {"request_uri", "request_uri_not_supported"}, {"registration", "registration_not_supported"},
}

// refuseObjects refuses a request that has its parameters in a request object.
// Call it before the check for missing parameters, which may be in the object.
func (v *visit) refuseObjects() *Error {
	if v.cfg.OpenID == nil {
		return nil
	}
	for _, p := range notSupported {
		if v.params.Has(p.param) {
			return refuse(p.code, "The parameter %s is not supported: send the parameters themselves.", p.param)
		}
	}
	return nil
}

// readOpenID reads the parameters that OpenID Connect adds to a request. It
// ignores display, ui_locales, and claims_locales, which are optional.
func (v *visit) readOpenID() (q openIDRequest, e *Error) {
	q.maxAge = -1
	if v.cfg.OpenID == nil {
		return q, nil
	}
	if q.nonce = v.params.Get("nonce"); len(q.nonce) > maxNonce {
		return q, refuse(codeInvalidRequest, "The nonce is longer than %d bytes.", maxNonce)
	}
	if text := v.params.Get("max_age"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return q, refuse(codeInvalidRequest, "The max_age is not a number of seconds: send a whole number, 0 or more.").with("max_age", text)
		}
		q.maxAge = time.Duration(seconds) * time.Second
	}
	q.acr = strings.Fields(v.params.Get("acr_values"))
	if e := q.readClaims(v.params.Get("claims")); e != nil {
		return q, e
	}
	hint := v.params.Get("id_token_hint")
	if hint == "" {
		return q, nil
	}
	token, err := v.ownIDToken(hint)
	switch {
	case err != nil:
		// Clients keep ID tokens longer than this server keeps the keys, and
		// check the signed-in user themselves.
		q.unusable = fmt.Errorf("the id_token_hint can't be used: %w", err)
		return q, nil
	case q.subject != "" && q.subject != token.Subject:
		return q, refuse(codeInvalidRequest, "The id_token_hint and the claims ask for different users: send one of them.")
	}
	q.subject = token.Subject
	return q, nil
}

// askedClaim is what a request says about a claim (Core section 5.5.1). Null
// requests the claim without a condition.
type askedClaim struct {
	Essential bool              `json:"essential"`
	Value     json.RawMessage   `json:"value"`
	Values    []json.RawMessage `json:"values"`
}

// claimsParameter is the parameter claims.
type claimsParameter struct {
	UserInfo map[string]*askedClaim `json:"userinfo"`
	IDToken  map[string]*askedClaim `json:"id_token"`
}

// texts returns the strings among the values that a claim should have.
func (c *askedClaim) texts() (texts []string) {
	for _, raw := range append(c.Values, c.Value) {
		var text string
		if raw != nil && json.Unmarshal(raw, &text) == nil && text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// readClaims reads the parameter claims (Core section 5.5). It ignores unknown
// claims.
func (q *openIDRequest) readClaims(text string) *Error {
	if text == "" {
		return nil
	}
	var asked claimsParameter
	if err := json.Unmarshal([]byte(text), &asked); err != nil {
		return refuse(codeInvalidRequest, "The parameter claims is not the JSON object of OpenID Connect Core section 5.5.").because(err)
	}
	if len(asked.UserInfo)+len(asked.IDToken) > maxAskedClaims {
		return refuse(codeInvalidRequest, "The parameter claims asks for more than %d claims.", maxAskedClaims)
	}
	for _, name := range slices.Sorted(maps.Keys(asked.UserInfo)) {
		q.scopes = q.scopes.Union(scopesOfClaim(name))
	}
	for _, name := range slices.Sorted(maps.Keys(asked.IDToken)) {
		claim := asked.IDToken[name]
		q.scopes = q.scopes.Union(scopesOfClaim(name))
		if claim == nil {
			continue
		}
		values := claim.texts()
		switch name {
		case "sub":
			if len(values) > 1 {
				return refuse(codeInvalidRequest, "The parameter claims asks for more than one sub: send one value.")
			}
			q.subject = strings.Join(values, "")
		case "acr":
			q.acr, q.acrNeeded = append(values, q.acr...), claim.Essential && len(values) > 0
		}
	}
	return nil
}

// missing returns why the session of a visitor doesn't satisfy the request, or
// nil. A visitor who was sent to sign in has done all they could about the age.
func (q *openIDRequest) missing(v *visit) *Error {
	s := &v.session
	fresh := v.wasSent(freshFor) && !s.SignedInAt.Before(v.sentAt.Add(-signInSkew))
	switch {
	case q.subject != "" && s.UserID != q.subject:
		return errMissing(codeLoginRequired, errOtherUser)
	case q.acrNeeded && !slices.Contains(q.acr, s.ACR):
		return errMissing(codeUnmetAuthentication, fmt.Errorf("the application needs one of the acr values %q, and Session.ACR is %q", q.acr, s.ACR))
	case q.maxAge < 0 || fresh && !s.SignedInAt.IsZero():
		return nil
	case s.SignedInAt.IsZero():
		return errMissing(codeLoginRequired, errNoSignInTime)
	case v.now().Sub(s.SignedInAt) > q.maxAge:
		return errMissing(codeLoginRequired, fmt.Errorf("the application accepts a sign-in of the last %v, and Config.CurrentUser says that the user signed in at %s",
			q.maxAge, s.SignedInAt.UTC().Format(time.RFC3339)))
	}
	return nil
}

func errMissing(code string, cause error) *Error {
	return refuse(code, "The user must sign in again, or in another way, and did not.").because(cause)
}

var (
	errOtherUser    = errors.New("the application asks for another user than the signed-in one")
	errNoSignInTime = errors.New("the application asks when the user signed in, but Session.SignedInAt is zero: set it in Config.CurrentUser")
)

// signedIn returns what ID tokens say about how the user signed in.
func (v *visit) signedIn(q openIDRequest) rules.SignIn {
	s := rules.SignIn{Nonce: q.nonce, ACR: v.session.ACR, Session: v.session.ID}
	s.AMR = strings.Join(slices.DeleteFunc(slices.Clone(v.session.AMR), func(name string) bool { return !scopes.Valid(name) }), " ")
	if !v.session.SignedInAt.IsZero() {
		s.At = rules.At(v.session.SignedInAt)
	}
	return s
}
