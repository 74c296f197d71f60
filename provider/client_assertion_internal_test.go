package provider

import (
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Any assertion is either read or refused. An accepted one has the right value
// in each of the important claims, even for another JSON parser.
func FuzzAssertionClaims(f *testing.F) {
	const client, issuer = "wiki", "https://app.example.com"
	now := time.Unix(1_800_000_000, 0)
	for _, claims := range []string{
		`{"iss":"wiki","sub":"wiki","aud":"https://app.example.com","exp":1800000060,"jti":"1"}`,
		`{"iss":"wiki","sub":"wiki","aud":["https://app.example.com"],"exp":1.80000006e9,"iat":1800000000,"nbf":1799999999.5,"jti":"1"}`,
		`{"iss":"wiki","ISS":"x","sub":"wiki","aud":["https://app.example.com","x"],"exp":1e300,"jti":null}`,
		`{"aud":{},"exp":"1"}`, `[]`, `null`, `{`, ``,
	} {
		f.Add([]byte(claims))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		assertion := "e30." + base64.RawURLEncoding.EncodeToString(content) + ".x"
		claimed, err := claimedClient(assertion)
		claims, readable := readAssertion(content)
		if err == nil {
			require.NoError(t, readable)
			require.NotEmpty(t, claimed)
		}
		if readable != nil || claims.check(client, []string{issuer}, now) != nil {
			return
		}
		require.Equal(t, client, claimed)
		var members map[string]any
		require.NoError(t, json.Unmarshal(content, &members))
		require.Equal(t, client, members["iss"])
		require.Equal(t, client, members["sub"])
		require.NotEmpty(t, members["jti"])
		require.Contains(t, []any{issuer, []any{issuer}}, members["aud"])
		exp, _ := members["exp"].(float64)
		require.InDelta(t, now.Unix()+1800, exp, 1860.1)
		for _, name := range []string{"iat", "nbf"} {
			if at, there := members[name].(float64); there {
				require.LessOrEqual(t, at, float64(now.Unix()+61), name)
			}
		}
	})
}
