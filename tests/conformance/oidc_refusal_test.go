package conformance

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/stretchr/testify/require"
)

// The modules whose authorization request is refused.
var refusalModules = map[string]suiteModule{
	"oidcc-response-type-missing": {"Without `response_type`: the client gets `invalid_request`.",
		responseTypeMissing, nil},
	"oidcc-ensure-registered-redirect-uri": {"An unregistered `redirect_uri` gets an error page and no redirect.",
		otherRedirectURI, nil},
	"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported": {"A `request_uri`: `request_uri_not_supported`, and it isn't fetched. The suite skips the rest.",
		requestURI, nil},
	"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported": {"A request object: `request_not_supported`. The suite skips the rest.",
		requestObject, nil},
	"oidcc-ensure-request-object-with-redirect-uri": {"A good `redirect_uri` in a request object and a bad one outside get an error page.",
		requestObjectWithRedirectURI, nil},
}

func responseTypeMissing(r *suiteRun) {
	asked := r.request("response_type", omit)
	r.failed(asked, r.visit(asked), "invalid_request", "unsupported_response_type")
}

// halted checks that the user sees an error page and was not redirected.
func (r *suiteRun) halted(values url.Values) {
	r.Helper()
	before := r.h.relying.arrivals()
	a := r.visit(values)
	require.NotNil(r, a.page)
	onPage(r, *a.page)
	require.Contains(r, a.page.body, "redirect_uri")
	require.Equal(r, before, r.h.relying.arrivals())
}

func otherRedirectURI(r *suiteRun) {
	r.halted(r.request("redirect_uri", r.client.redirectURI+"/"+random(10)))
}

// unsigned returns a request as an unsigned request object, and what remains
// outside it.
func unsigned(r *suiteRun, asked url.Values) (object string, outside url.Values) {
	claims := map[string]string{}
	for name := range asked {
		claims[name] = asked.Get(name)
	}
	content, err := json.Marshal(claims)
	require.NoError(r, err)
	outside = params(asked, "state", omit, "nonce", omit)
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(content) + ".", outside
}

func requestObject(r *suiteRun) {
	object, outside := unsigned(r, r.request())
	outside.Set("request", object)
	r.failed(outside, r.visit(outside), "request_not_supported")
	r.failed(outside, r.browser.open(r, r.h.Endpoints().Authorize, outside), "request_not_supported") // posted
	require.Equal(r, false, r.h.metadata(r)["request_parameter_supported"])
}

func requestObjectWithRedirectURI(r *suiteRun) {
	object, outside := unsigned(r, r.request())
	outside.Set("request", object)
	outside.Set("redirect_uri", r.client.redirectURI+"_invalid")
	r.halted(outside)
}

// The suite tries this with a client that registers itself. Its users get a
// page where the suite expects a redirect with the error, unless the client was
// reviewed.
func requestURI(r *suiteRun) {
	uri := r.h.relying.url + "/requesturi/" + random(64) + "#" + random(43)
	client := r.register("request_uris", []string{uri})
	app, err := r.h.FindClient(context.Background(), client["client_id"].(string))
	require.NoError(r, err)
	_, err = r.h.ReviewApplication(context.Background(), app.ID, true)
	require.NoError(r, err)
	_, outside := unsigned(r, r.request())
	outside.Set("request_uri", uri)
	before := r.h.relying.arrivals()
	r.failed(outside, r.visit(outside), "request_uri_not_supported")
	require.Equal(r, before+1, r.h.relying.arrivals(), "the browser came, but the host didn't fetch the request object")
	require.Equal(r, false, r.h.metadata(r)["request_uri_parameter_supported"])
	require.Equal(r, http.StatusOK, r.h.program(r, "GET", metadataPath, http.Header{}, "").StatusCode)
}
