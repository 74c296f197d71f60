package walk

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// No line contains a whole secret.
func TestTracerShortensSecrets(t *testing.T) {
	const secret = "S3CRETsecretS3CRETsecret"
	var all url.Values = map[string][]string{"harmless": {"plain text"}, "unheard_of": {secret}}
	for _, name := range []string{
		"access_token", "client_secret", "code", "code_challenge", "code_verifier", "password", "refresh_token", "seal", "state",
	} {
		all.Set(name, "short?secret")
	}
	all.Set("next", "/authorize?state="+secret)
	answer, err := json.Marshal(map[string]any{"access_token": secret, "refresh_token": secret, "id_token": secret, "expires_in": 7200})
	require.NoError(t, err)
	var out bytes.Buffer
	tracer := &tracer{who: "test", out: &out, next: roundTripper(func(*http.Request) *http.Response {
		return &http.Response{
			StatusCode: http.StatusSeeOther,
			Header: http.Header{
				"Content-Type": {"application/json"}, "Location": {"http://127.0.0.1/?" + all.Encode()}, "Set-Cookie": {"session=" + secret},
			},
			Body: io.NopCloser(bytes.NewReader(answer)),
		}
	})}
	request, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/?"+all.Encode(), strings.NewReader(all.Encode()))
	require.NoError(t, err)
	request.SetBasicAuth("client", secret)
	response, err := tracer.RoundTrip(request)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, answer, body, "the caller gets the whole response")

	require.NotContains(t, out.String(), secret)
	require.NotContains(t, out.String(), "short?")
	require.NotContains(t, out.String(), base64.StdEncoding.EncodeToString([]byte("client:"+secret)))
	require.Contains(t, out.String(), `harmless="plain text"`)
	require.Contains(t, out.String(), "refresh_token=S3CRET…")
	require.Contains(t, out.String(), "next=/authorize?…")
	require.Equal(t, 2, strings.Count(out.String(), "\n"), "a line for the request and one for the response")
}

type roundTripper func(*http.Request) *http.Response

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }
