package oauth2client

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// styles are the ways in which package oauth2 sends a client's credentials.
var styles = []struct {
	name  string
	style oauth2.AuthStyle
}{
	{"in the header", oauth2.AuthStyleInHeader},
	{"in the body", oauth2.AuthStyleInParams},
	{"found by itself", oauth2.AuthStyleAutoDetect},
}

func TestConfidentialClient(t *testing.T) {
	for _, test := range styles {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			config := h.application(t, false, test.style)
			token, err := config.Exchange(t.Context(), h.signIn(t, config))
			require.NoError(t, err)
			requireToken(t, token)
			require.EqualValues(t, 1, h.tokenRequests.Load(), "the first attempt works")
			h.requireUser(t, config.Client(t.Context(), token))
		})
	}
}

func TestConfidentialClientWithPKCE(t *testing.T) {
	h := newHost(t)
	config := h.application(t, false, oauth2.AuthStyleInHeader)
	verifier := oauth2.GenerateVerifier()
	code := h.signIn(t, config, oauth2.S256ChallengeOption(verifier))
	token, err := config.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	requireToken(t, token)
}

func TestPublicClient(t *testing.T) {
	for _, test := range styles {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			config := h.application(t, true, test.style)
			require.Empty(t, config.ClientSecret)
			verifier := oauth2.GenerateVerifier()
			code := h.signIn(t, config, oauth2.S256ChallengeOption(verifier))
			token, err := config.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
			require.NoError(t, err)
			requireToken(t, token)
			require.EqualValues(t, 1, h.tokenRequests.Load(), "the first attempt works")
			h.requireUser(t, config.Client(t.Context(), token))

			token.Expiry = time.Now().Add(-time.Second)
			refreshed, err := config.TokenSource(t.Context(), token).Token()
			require.NoError(t, err)
			requireToken(t, refreshed)
			h.requireUser(t, config.Client(t.Context(), refreshed))
		})
	}
}

func TestRefresh(t *testing.T) {
	for _, test := range styles {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			config := h.application(t, false, test.style)
			token, err := config.Exchange(t.Context(), h.signIn(t, config))
			require.NoError(t, err)
			seen := map[string]bool{token.AccessToken: true, token.RefreshToken: true}
			for round := range 3 {
				token.Expiry = time.Now().Add(-time.Second)
				source := config.TokenSource(t.Context(), token)
				refreshed, err := source.Token()
				require.NoError(t, err)
				requireToken(t, refreshed)
				again, err := source.Token()
				require.NoError(t, err)
				require.Same(t, refreshed, again, "one request gets it")
				require.EqualValues(t, 2+round, h.tokenRequests.Load())
				require.False(t, seen[refreshed.AccessToken] || seen[refreshed.RefreshToken], "both are new")
				seen[refreshed.AccessToken], seen[refreshed.RefreshToken] = true, true
				h.requireUser(t, config.Client(t.Context(), refreshed))
				token = refreshed
			}
		})
	}
}

// A client refreshes an expired token by itself, in the middle of a request.
func TestClientRefreshesByItself(t *testing.T) {
	h := newHost(t)
	config := h.application(t, false, oauth2.AuthStyleInHeader)
	token, err := config.Exchange(t.Context(), h.signIn(t, config))
	require.NoError(t, err)
	token.AccessToken, token.Expiry = "gone", time.Now().Add(-time.Second)
	h.requireUser(t, config.Client(t.Context(), token))
	require.EqualValues(t, 2, h.tokenRequests.Load())
}

// Several processes share a token and refresh it at the same time. All of them get
// the same new pair, and the user stays signed in.
func TestParallelRefresh(t *testing.T) {
	h := newHost(t)
	config := h.application(t, false, oauth2.AuthStyleInHeader)
	token, err := config.Exchange(t.Context(), h.signIn(t, config))
	require.NoError(t, err)
	token.Expiry = time.Now().Add(-time.Second)
	pairs, errs := make([]*oauth2.Token, 16), make([]error, 16)
	var wg sync.WaitGroup
	for i := range pairs {
		wg.Go(func() { pairs[i], errs[i] = config.TokenSource(t.Context(), token).Token() })
	}
	wg.Wait()
	for i, pair := range pairs {
		require.NoError(t, errs[i])
		require.Equal(t, pairs[0].AccessToken, pair.AccessToken)
		require.Equal(t, pairs[0].RefreshToken, pair.RefreshToken)
	}
	h.requireUser(t, config.Client(t.Context(), pairs[0]))
}

func TestWrongSecret(t *testing.T) {
	for _, test := range styles {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			config := h.application(t, false, test.style)
			code := h.signIn(t, config)
			wrong := *config
			wrong.ClientSecret = "wrong"
			_, err := wrong.Exchange(t.Context(), code)
			requireRefused(t, err, http.StatusUnauthorized, "invalid_client")

			token, err := config.Exchange(t.Context(), code)
			require.NoError(t, err, "the code is still unused")
			requireToken(t, token)
			wrong.ClientSecret = ""
			token.Expiry = time.Now().Add(-time.Second)
			_, err = wrong.TokenSource(t.Context(), token).Token()
			requireRefused(t, err, http.StatusUnauthorized, "invalid_client")
			_, err = config.TokenSource(t.Context(), token).Token()
			require.NoError(t, err)
		})
	}
}

func TestWrongVerifier(t *testing.T) {
	for _, public := range []bool{true, false} {
		h := newHost(t)
		config := h.application(t, public, oauth2.AuthStyleInParams)
		verifier := oauth2.GenerateVerifier()
		code := h.signIn(t, config, oauth2.S256ChallengeOption(verifier))
		_, err := config.Exchange(t.Context(), code, oauth2.VerifierOption(oauth2.GenerateVerifier()))
		requireRefused(t, err, http.StatusBadRequest, "invalid_grant")
		_, err = config.Exchange(t.Context(), code)
		requireRefused(t, err, http.StatusBadRequest, "invalid_grant")
		token, err := config.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
		require.NoError(t, err, "the code is still unused")
		requireToken(t, token)
	}
}

// A code works once. The second exchange fails and revokes the tokens of the first,
// because one of the two clients has stolen the code.
func TestCodeTwice(t *testing.T) {
	h := newHost(t)
	config := h.application(t, false, oauth2.AuthStyleInHeader)
	code := h.signIn(t, config)
	token, err := config.Exchange(t.Context(), code)
	require.NoError(t, err)
	_, err = config.Exchange(t.Context(), code)
	requireRefused(t, err, http.StatusBadRequest, "invalid_grant")
	token.Expiry = time.Now().Add(-time.Second)
	_, err = config.TokenSource(t.Context(), token).Token()
	requireRefused(t, err, http.StatusBadRequest, "invalid_grant")
}
