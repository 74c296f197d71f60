package provider

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// assertionType is the client_assertion_type of a JWT (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertionAlgs lists the algorithms that [Keys.VerifyClient] must support.
var assertionAlgs = []string{"ES256", "EdDSA", "Ed25519", "RS256", "PS256", "ES384", "RS384", "PS384", "ES512", "RS512", "PS512"}

const (
	// assertionSkew is how far a client's clock may differ from this one.
	assertionSkew = time.Minute

	// maxAssertionLife is how far ahead exp may be, and how long ago iat. Used
	// assertions are remembered as long.
	maxAssertionLife = time.Hour

	// clockMargin is how much longer they are remembered, because the clocks of
	// instances differ.
	clockMargin = 5 * time.Minute

	maxJTI = 256 // bytes
)

// assertionClaims are the claims that are checked (RFC 7523 section 3).
type assertionClaims struct {
	issuer, subject, id string
	audience            []string

	expires, issued, notBefore time.Time // zero if missing
}

// readAssertion reads the claims of an assertion, a JSON object. It compares
// names byte for byte, which package json doesn't do for a struct.
func readAssertion(content []byte) (claims assertionClaims, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(content, &members); err != nil || members == nil {
		return claims, errors.New("its payload is not a JSON object")
	}
	for name, into := range map[string]*string{"iss": &claims.issuer, "sub": &claims.subject, "jti": &claims.id} {
		if raw, there := members[name]; there && json.Unmarshal(raw, into) != nil {
			return claims, fmt.Errorf("its %s is not a string", name)
		}
	}
	for name, into := range map[string]*time.Time{"exp": &claims.expires, "iat": &claims.issued, "nbf": &claims.notBefore} {
		raw, there := members[name]
		if !there {
			continue
		}
		// Reject numbers so large that they would overflow into another time.
		var seconds float64
		if err := json.Unmarshal(raw, &seconds); err != nil || seconds < 0 || seconds > 1<<40 {
			return claims, fmt.Errorf("its %s is not a time in seconds since 1970", name)
		}
		*into = time.UnixMicro(int64(seconds * 1e6))
	}
	var one string
	if raw := members["aud"]; json.Unmarshal(raw, &one) == nil {
		claims.audience = []string{one}
	} else if json.Unmarshal(raw, &claims.audience) != nil {
		return claims, errors.New("its aud is neither a string nor a list of strings")
	}
	return claims, nil
}

// claimedClient returns the client that an unverified assertion names.
func claimedClient(assertion string) (clientID string, err error) {
	_, rest, _ := strings.Cut(assertion, ".")
	payload, _, _ := strings.Cut(rest, ".")
	content, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return "", errors.New("the client_assertion is not a JWT in compact form")
	}
	claims, err := readAssertion(content)
	switch {
	case err != nil:
		return "", fmt.Errorf("the client_assertion is refused: %w", err)
	case claims.subject == "" || claims.issuer != claims.subject:
		return "", fmt.Errorf("the client_assertion is refused: iss is %.200q and sub is %.200q: both must be the client_id", claims.issuer, claims.subject)
	}
	return claims.subject, nil
}

// readClientAssertion finds the client in a request that is signed with its
// key. The request must not authenticate in another way too (RFC 6749 section
// 2.3).
func readClientAssertion(form url.Values, basic bool) (clientID, assertion string, e *Error) {
	clientID, assertion = form.Get("client_id"), form.Get("client_assertion")
	kind := form.Get("client_assertion_type")
	switch {
	case assertion == "" || kind == "":
		return clientID, "", refuse(codeInvalidRequest, "The request has only one of client_assertion and client_assertion_type: send both.")
	case basic || form.Has("client_secret"):
		return clientID, "", refuse(codeInvalidRequest, "The request has a client_assertion and a client secret: use one of them.")
	case kind != assertionType:
		return clientID, "", invalidClient("The client_assertion_type is not offered: use "+assertionType+".").with("client_assertion_type", kind)
	}
	claimed, err := claimedClient(assertion)
	if err == nil && clientID != "" && clientID != claimed {
		err = fmt.Errorf("the client_assertion is refused: its sub is %.200q, but the client_id in the body is another", claimed)
	}
	if err != nil {
		return clientID, "", errAssertion(err)
	}
	return claimed, assertion, nil
}

// check refuses claims that are not for this server, or not valid now.
func (claims *assertionClaims) check(clientID string, audiences []string, now time.Time) error {
	switch {
	case claims.issuer != clientID || claims.subject != clientID:
		return fmt.Errorf("iss is %.200q and sub is %.200q: both must be the client_id", claims.issuer, claims.subject)
	case len(claims.audience) != 1:
		// If two servers accepted an assertion, one could use it at the other.
		return fmt.Errorf("aud has %d values: it must have one", len(claims.audience))
	case !slices.Contains(audiences, claims.audience[0]):
		return fmt.Errorf("aud is %.200q: it must be one of %q", claims.audience[0], audiences)
	case claims.expires.IsZero():
		return errors.New("it has no exp")
	case !now.Before(claims.expires.Add(assertionSkew)):
		return fmt.Errorf("it expired at %s", stamp(claims.expires))
	case claims.expires.After(now.Add(maxAssertionLife + assertionSkew)):
		return fmt.Errorf("its exp is %s: it must be at most an hour ahead", stamp(claims.expires))
	case claims.issued.After(now.Add(assertionSkew)):
		return fmt.Errorf("its iat is %s, which is in the future: check the clocks", stamp(claims.issued))
	case !claims.issued.IsZero() && claims.issued.Before(now.Add(-maxAssertionLife-assertionSkew)):
		return fmt.Errorf("its iat is %s: it must be at most an hour ago", stamp(claims.issued))
	case claims.notBefore.After(now.Add(assertionSkew)):
		return fmt.Errorf("its nbf is %s, which is in the future: check the clocks", stamp(claims.notBefore))
	case claims.id == "" || len(claims.id) > maxJTI:
		return fmt.Errorf("its jti has %d bytes: it must have 1 to %d", len(claims.id), maxJTI)
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// audiences returns what an assertion for this endpoint may have as aud: the
// issuer, the token endpoint, because many clients use it everywhere (RFC 7523
// section 3), or the endpoint itself.
func (c *call) audiences() []string {
	all := c.Endpoints()
	own := map[string]string{endpointRevoke: all.Revoke, endpointIntrospect: all.Introspect, endpointDeviceAuthorization: all.DeviceAuthorization}
	return slices.DeleteFunc([]string{all.Issuer, all.Token, own[c.endpoint]}, func(url string) bool { return url == "" })
}

// authenticateByKey checks the assertion of an application (RFC 7523 section
// 3).
func (c *call) authenticateByKey(app *store.Application, assertion string) *Error {
	if app.Keys.IsZero() {
		return errAssertion(errors.New("the application has no keys, and authenticates in another way"))
	}
	content, e := c.verifyByKeys(app, assertion)
	if e != nil {
		return e
	}
	claims, err := readAssertion(content)
	if err == nil {
		err = claims.check(app.ClientID, c.audiences(), c.now())
	}
	if err != nil {
		return errAssertion(fmt.Errorf("the client_assertion is refused: %w", err))
	}
	// This check is last, so that only the client itself makes Latchkey store
	// something.
	first, err := c.records.once(c.context(), store.OnceID(app.ID, claims.id), claims.expires.Add(assertionSkew+clockMargin))
	switch {
	case err != nil:
		return unavailable("store", err)
	case !first:
		return errAssertion(errors.New("the client_assertion was used before: send a new one with each request, even with a retry"))
	}
	return nil
}
