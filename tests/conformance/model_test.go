package conformance

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// pair is one answer of the token endpoint, and what the model knows about it.
type pair struct {
	access, refresh       string
	accessEnds, rotatedBy time.Time // when the access token and the refresh token expire
	asked                 string    // the scope parameter of the request
	scope                 scopes.Set
	replaced              time.Time // when it was rotated away
}

// signIn is a model of one grant: which tokens may be alive.
type signIn struct {
	h       *host
	app     *client
	foreign *client
	code    string

	codeEnds time.Time
	granted  scopes.Set
	revoked  bool
	pairs    []pair // the last pair is the current one
}

const (
	grace     = 30 * time.Second
	ringSteps = 16 // the number of rotations that a grant remembers
)

// TestRandomHistoriesOfASignIn redeems, refreshes, replays, revokes, and moves
// the clock at random. It predicts each answer, and checks after every step
// that at most one chain is alive, that no token outlives its grant or its own
// lifetime, and that no scope ever widens.
func TestRandomHistoriesOfASignIn(t *testing.T) {
	h := newHost(t)
	app := h.client(provider.ApplicationSettings{Scopes: scopes.New("profile", "email", "notes:read")})
	foreign := h.client(provider.ApplicationSettings{Scopes: scopes.New("profile", "email", "notes:read")})
	rapid.Check(t, func(t *rapid.T) {
		s := &signIn{h: h, app: app, foreign: foreign, granted: scopes.New("profile", "email")}
		s.code = app.code(t, "scope", "profile email")
		s.codeEnds = h.clock.Now().Add(10 * time.Minute)
		t.Repeat(map[string]func(*rapid.T){
			"redeem":  s.redeem,
			"refresh": s.refresh,
			"replay":  s.replay,
			"foreign": s.present,
			"revoke":  s.revoke,
			"wait":    s.wait,
			"":        s.check,
		})
		err := h.RevokeGrants(context.Background(), provider.GrantFilter{UserID: "user_ada"})
		require.NoError(t, err)
	})
}

func (s *signIn) redeem(t *rapid.T) {
	status, answer := s.app.post(t, "/oauth/token", "grant_type", "authorization_code", "code", s.code, "redirect_uri", callback)
	switch {
	case s.revoked:
		require.Equal(t, 400, status)
	case len(s.pairs) > 0:
		require.Equal(t, 400, status)
		// The code is remembered at least until it expires.
		if s.before(s.codeEnds) {
			s.revoked = true
		}
		s.learn(t)
	case !s.before(s.codeEnds):
		require.Equal(t, 400, status)
	default:
		require.Equal(t, 200, status, answer)
		s.push(t, answer, "")
	}
}

func (s *signIn) refresh(t *rapid.T) {
	if len(s.pairs) > 0 {
		s.use(t, len(s.pairs)-1)
	}
}

func (s *signIn) replay(t *rapid.T) {
	if len(s.pairs) > 1 {
		s.use(t, rapid.IntRange(0, len(s.pairs)-2).Draw(t, "which"))
	}
}

// use presents the refresh token of the given pair.
func (s *signIn) use(t *rapid.T, i int) {
	asked := rapid.SampledFrom([]string{"", "", "", "email", "profile email", "email notes:read", "notes:read"}).Draw(t, "scope")
	status, answer := s.app.post(t, "/oauth/token", "grant_type", "refresh_token", "refresh_token", s.pairs[i].refresh, "scope", asked)
	want := s.granted
	if asked != "" {
		want = s.granted.Intersect(splitScope(asked))
	}
	head := len(s.pairs) - 1
	within := func(i int) bool { return s.h.clock.Now().Sub(s.pairs[i].replaced) <= grace }
	switch {
	case s.revoked:
		require.Equal(t, 400, status)
	case i < head-ringSteps && within(head-ringSteps):
		require.Equal(t, 400, status, "it may have been within the grace, but the grant no longer remembers")
	case i < head && i >= head-ringSteps && within(i) && s.before(s.pairs[head].accessEnds):
		if !want.Equal(s.pairs[head].scope) {
			require.Equal(t, 400, status)
			return
		}
		require.Equal(t, 200, status, answer)
		require.Equal(t, s.pairs[head].access, answer["access_token"])
		require.Equal(t, s.pairs[head].refresh, answer["refresh_token"])
	case i == head && !s.before(s.pairs[i].rotatedBy):
		require.Equal(t, 400, status)
	case i == head && len(want) == 0:
		require.Equal(t, 400, status)
		require.Equal(t, "invalid_scope", answer["error"])
	case i == head:
		require.Equal(t, 200, status, answer)
		s.pairs[head].replaced = s.h.clock.Now()
		s.push(t, answer, asked)
	default:
		require.Equal(t, 400, status)
		if s.before(s.pairs[i].rotatedBy) {
			s.revoked = true
		}
		s.learn(t)
	}
}

// present has another client try each credential; nothing may change.
func (s *signIn) present(t *rapid.T) {
	status, _ := s.foreign.post(t, "/oauth/token", "grant_type", "authorization_code", "code", s.code, "redirect_uri", callback)
	require.Equal(t, 400, status)
	if len(s.pairs) == 0 {
		return
	}
	p := s.pairs[rapid.IntRange(0, len(s.pairs)-1).Draw(t, "which")]
	status, _ = s.foreign.post(t, "/oauth/token", "grant_type", "refresh_token", "refresh_token", p.refresh)
	require.Equal(t, 400, status)
	status, _ = s.foreign.post(t, "/oauth/token/revoke", "token", p.refresh)
	require.Equal(t, 200, status)
	status, answer := s.foreign.post(t, "/oauth/token_info", "token", p.access)
	require.Equal(t, 200, status)
	require.Equal(t, map[string]any{"active": false}, answer)
}

func (s *signIn) revoke(t *rapid.T) {
	// Rarely, because little happens afterwards.
	if len(s.pairs) == 0 || rapid.IntRange(0, 4).Draw(t, "one in five") > 0 {
		return
	}
	p := s.pairs[len(s.pairs)-1]
	status, _ := s.app.post(t, "/oauth/token/revoke", "token", p.refresh)
	require.Equal(t, 200, status)
	s.revoked = s.revoked || s.before(p.rotatedBy)
	s.learn(t)
}

func (s *signIn) wait(t *rapid.T) {
	s.h.clock.Add(rapid.SampledFrom([]time.Duration{
		time.Microsecond, time.Second, grace / 2, grace, grace + time.Microsecond, 10 * time.Minute, time.Hour, 2 * time.Hour, 71 * time.Hour, 72 * time.Hour,
	}).Draw(t, "time"))
}

// check runs after every step.
func (s *signIn) check(t *rapid.T) {
	chains := 0
	for i, p := range s.pairs {
		_, access := s.app.post(t, "/oauth/token_info", "token", p.access)
		require.Equal(t, !s.revoked && s.before(p.accessEnds), access["active"], "access token %d of %d", i, len(s.pairs))
		if scope, ok := access["scope"].(string); ok {
			got := scopes.New(splitScope(scope)...)
			require.True(t, got.Equal(p.scope), "the scope of a token changed")
			require.True(t, s.granted.Contains(got), "the scope widened")
		}
		_, refresh := s.app.post(t, "/oauth/token_info", "token", p.refresh)
		if refresh["active"] == true {
			chains++
			require.Equal(t, len(s.pairs)-1, i, "a rotated token is alive")
		}
	}
	require.LessOrEqual(t, chains, 1)
	if n := len(s.pairs); n > 0 && !s.revoked && s.before(s.pairs[n-1].rotatedBy) {
		require.Equal(t, 1, chains)
	} else {
		require.Zero(t, chains)
	}
}

func (s *signIn) push(t *rapid.T, answer map[string]any, asked string) {
	encoded, err := json.Marshal(answer)
	require.NoError(t, err)
	var got struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		Scope        string `json:"scope"`
	}
	require.NoError(t, json.Unmarshal(encoded, &got))
	now := s.h.clock.Now()
	s.pairs = append(s.pairs, pair{
		access: got.AccessToken, refresh: got.RefreshToken, asked: asked,
		accessEnds: now.Add(2 * time.Hour), rotatedBy: now.Add(72 * time.Hour), scope: scopes.New(splitScope(got.Scope)...),
	})
}

// learn finds out whether the grant is revoked, if the contract leaves it open:
// an expired token may be remembered or forgotten. A grant that must be revoked
// is never alive.
func (s *signIn) learn(t *rapid.T) {
	head := s.pairs[len(s.pairs)-1]
	_, answer := s.app.post(t, "/oauth/token_info", "token", head.refresh)
	alive := answer["active"] == true
	require.False(t, alive && s.revoked, "the grant should be revoked")
	if s.before(head.rotatedBy) {
		s.revoked = !alive
	}
}

func (s *signIn) before(end time.Time) bool { return s.h.clock.Now().Before(end) }
