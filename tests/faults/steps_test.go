package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// lossy is a host whose connection to the database breaks once during a step: a
// statement is done, but its answer is lost.
type lossy struct {
	*local
	proxy  *proxy
	reuses atomic.Int64
}

// A step is what a caller asks for, and asks for again until it is answered.
type step struct {
	// do asks once. An error means that the caller must ask again.
	do func() error
	// check fails the test unless the step was done exactly once.
	check func()
}

var errAgain = errors.New("503")

// answered returns an error for 503. Any other refusal fails the test.
func answered(t *testing.T, r reply, err error) error {
	t.Helper()
	require.NoError(t, err)
	if r.status == http.StatusServiceUnavailable {
		require.NotEmpty(t, r.header.Get("Retry-After"))
		return errAgain
	}
	require.Less(t, r.status, 400, "%s", r)
	return nil
}

// The answer to any statement of any step may be lost after it was done. The
// driver may send the statement again, as lib/pq and the one for MySQL may, or
// not, as pgx. In either case, after the caller's next try everything is done
// exactly once.
func TestAnswerLostAtEachStatement(t *testing.T) {
	for _, kind := range []string{"postgres", "lib/pq", "mysql"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			at := newTarget(t, kind)
			direct, err := at.open(t.Context())
			require.NoError(t, err)
			t.Cleanup(direct.close)
			h := &lossy{proxy: newProxy(t, at.address())}
			kept, err := at.through(h.proxy.address).open(t.Context())
			require.NoError(t, err)
			t.Cleanup(kept.close)
			kept.db.SetMaxOpenConns(1)
			h.local = serveFor(t, newClient(t, direct), kept, 5*time.Second, func(c *provider.Config) {
				c.Events = func(_ context.Context, e provider.Event) {
					if e.Kind == provider.EventReuseDetected {
						h.reuses.Add(1)
					}
				}
			})
			steps := h.steps(t)
			var total, again int
			for _, name := range slices.Sorted(maps.Keys(steps)) {
				lost, asked := h.lose(t, name, steps[name])
				t.Logf("%s: %d answers lost, and the caller had to ask again after %d", name, lost, asked)
				total, again = total+lost, again+asked
			}
			require.Zero(t, h.reuses.Load(), "false alarms about reuse")
			t.Logf("%d steps: %d answers lost, %d asked again", len(steps), total, again)
		})
	}
}

// lose runs a step repeatedly, each time with another answer lost, until none
// is left to lose.
func (h *lossy) lose(t *testing.T, name string, prepare func() step) (lost, again int) {
	t.Helper()
	for answers := range mostAnswers {
		s := prepare() // This run prepares the connection, which may be new, up to the last statement.
		require.NoError(t, s.do(), name)
		s.check()
		s = prepare()
		h.proxy.set(losingOne, answers)
		err := s.do()
		happened := h.proxy.lost()
		if err != nil {
			require.True(t, happened, "%s: %v", name, err)
			again++
			require.NoError(t, s.do(), "%s, asked again after answer %d was lost", name, answers)
		}
		s.check()
		if !happened {
			require.NotZero(t, lost, "%s lost no answer", name)
			return lost, again
		}
		lost++
	}
	require.Fail(t, "it doesn't end", name)
	return 0, 0
}

// person returns a new user.
func person() string { return fmt.Sprintf("user_step_%06d", users.Add(1)) }

// grantsOf returns how many live grants a user has.
func (h *lossy) grantsOf(t *testing.T, user string) int {
	t.Helper()
	grants, _, err := h.ListGrants(t.Context(), provider.GrantFilter{UserID: user}, "", 0)
	require.NoError(t, err)
	return len(grants)
}

// works checks that an access token works, or that it doesn't.
func (h *lossy) works(t *testing.T, token string, status int) {
	t.Helper()
	r, err := h.notes(h.url, token)
	mustStatus(t, status, r, err)
}

// steps are everything that a host, a client, or a browser may ask for.
func (h *lossy) steps(t *testing.T) map[string]func() step {
	steps := map[string]func() step{
		"authorize":              func() step { return h.authorizeStep(t) },
		"consent answer":         func() step { return h.answerStep(t) },
		"redeem":                 func() step { return h.redeemStep(t) },
		"refresh":                func() step { return h.refreshStep(t) },
		"device approve":         func() step { return h.approveStep(t) },
		"device poll":            func() step { return h.pollStep(t) },
		"revoke an access token": func() step { return h.revokeStep(t, false) },
		"revoke a refresh token": func() step { return h.revokeStep(t, true) },
		"RevokeGrants by user":   func() step { return h.revokeGrantsStep(t, false) },
		"RevokeGrants by ID":     func() step { return h.revokeGrantsStep(t, true) },
		"Cleanup":                func() step { return h.cleanupStep(t) },
	}
	for name, make := range h.applicationSteps(t) {
		steps[name] = make
	}
	return steps
}

// authorizeStep is a request that is answered without a page. Each one creates
// a grant, so one whose answer was lost leaves a grant without a known code.
func (h *lossy) authorizeStep(t *testing.T) step {
	user, code := person(), ""
	h.mustRedeem(t, h.url, h.mustAuthorize(t, h.url, user))
	tries := 0
	return step{
		do: func() error {
			tries++
			got, r, err := h.authorize(h.url, user)
			code = got
			return answered(t, r, err)
		},
		check: func() {
			h.works(t, h.mustRedeem(t, h.url, code).Access, http.StatusOK)
			require.LessOrEqual(t, h.grantsOf(t, user), 1+tries)
		},
	}
}

func (h *lossy) answerStep(t *testing.T) step {
	user, code := person(), ""
	page, err := h.visit(h.url, user)
	mustStatus(t, http.StatusOK, page, err)
	return step{
		do: func() error {
			r, err := h.decide(h.url+"/oauth/authorize", user, page, "allow")
			code = r.code()
			return answered(t, r, err)
		},
		check: func() {
			h.works(t, h.mustRedeem(t, h.url, code).Access, http.StatusOK)
			require.Equal(t, 1, h.grantsOf(t, user))
		},
	}
}

// redeemStep and refreshStep give a pair that works, and one that is live.
func (h *lossy) redeemStep(t *testing.T) step {
	user := person()
	code := h.mustAuthorize(t, h.url, user)
	return h.pairStep(t, user, func() (reply, error) { return h.redeem(h.url, code) })
}

func (h *lossy) refreshStep(t *testing.T) step {
	user := person()
	first := h.mustRedeem(t, h.url, h.mustAuthorize(t, h.url, user))
	return h.pairStep(t, user, func() (reply, error) { return h.refresh(h.url, first.Refresh) })
}

func (h *lossy) pairStep(t *testing.T, user string, send func() (reply, error)) step {
	var got pair
	return step{
		do: func() error {
			r, err := send()
			got, _ = r.pair()
			return answered(t, r, err)
		},
		check: func() {
			h.works(t, got.Access, http.StatusOK)
			h.works(t, h.mustRefresh(t, h.url, got.Refresh).Access, http.StatusOK)
			require.Equal(t, 1, h.grantsOf(t, user))
		},
	}
}

func (h *lossy) approveStep(t *testing.T) step {
	user, d := person(), h.mustAskForDevice(t, h.url)
	page, err := h.page(h.url, user, d)
	mustStatus(t, http.StatusOK, page, err)
	return step{
		do: func() error {
			r, err := h.decide(h.url+"/oauth/device", user, page, "allow")
			return answered(t, r, err)
		},
		check: func() {
			r, err := h.poll(h.url, d)
			h.works(t, mustPair(t, r, err).Access, http.StatusOK)
			require.Equal(t, 1, h.grantsOf(t, user))
		},
	}
}

func (h *lossy) pollStep(t *testing.T) step {
	user, d := person(), h.mustAskForDevice(t, h.url)
	page, err := h.page(h.url, user, d)
	mustStatus(t, http.StatusOK, page, err)
	r, err := h.decide(h.url+"/oauth/device", user, page, "allow")
	mustStatus(t, http.StatusSeeOther, r, err)
	return h.pairStep(t, user, func() (reply, error) { return h.poll(h.url, d) })
}

func (h *lossy) revokeStep(t *testing.T, whole bool) step {
	user := person()
	got := h.mustRedeem(t, h.url, h.mustAuthorize(t, h.url, user))
	token := got.Access
	if whole {
		token = got.Refresh
	}
	return step{
		do: func() error {
			r, err := h.post(h.url, "/oauth/token/revoke", "token", token)
			return answered(t, r, err)
		},
		check: func() {
			h.works(t, got.Access, http.StatusUnauthorized)
			r, err := h.refresh(h.url, got.Refresh)
			if whole {
				mustRefuse(t, r, err)
			} else {
				mustPair(t, r, err)
			}
		},
	}
}

func (h *lossy) revokeGrantsStep(t *testing.T, one bool) step {
	user := person()
	got := h.mustRedeem(t, h.url, h.mustAuthorize(t, h.url, user))
	filter := provider.GrantFilter{UserID: user}
	if one {
		grants, _, err := h.ListGrants(t.Context(), filter, "", 0)
		require.NoError(t, err)
		require.Len(t, grants, 1)
		filter = provider.GrantFilter{ID: grants[0].ID}
	}
	return step{
		do: func() error { return h.RevokeGrants(t.Context(), filter) },
		check: func() {
			h.works(t, got.Access, http.StatusUnauthorized)
			h.works(t, h.mustRedeem(t, h.url, h.mustAuthorize(t, h.url, user)).Access, http.StatusOK)
		},
	}
}

// cleanupStep sweeps dead documents, and no live ones.
func (h *lossy) cleanupStep(t *testing.T) step {
	user := person()
	got := h.mustRedeem(t, h.url, h.mustAuthorize(t, h.url, user))
	var dead []store.ID
	long := time.Now().Add(-48 * time.Hour)
	for range 3 {
		d := store.Document{ID: store.NewID(long, user), Kind: store.KindGrant, UserID: user, ApplicationID: h.ID, CreatedAt: long, LastUsedAt: long, SweepAt: long, Mark: 1}
		require.NoError(t, h.kept.Create(t.Context(), d))
		dead = append(dead, d.ID)
	}
	return step{
		do: func() error {
			_, err := h.Cleanup(t.Context())
			return err
		},
		check: func() {
			for _, id := range dead {
				_, _, err := h.kept.Find(t.Context(), id)
				require.ErrorIs(t, err, store.ErrNotFound)
			}
			h.works(t, got.Access, http.StatusOK)
		},
	}
}

// applicationSteps are those of an administrator. The check counts what the
// store has afterwards.
func (h *lossy) applicationSteps(t *testing.T) map[string]func() step {
	create := func() provider.Application {
		app, _, err := h.CreateApplication(t.Context(), provider.ApplicationSettings{Name: "Pad", RedirectURIs: []string{callback}})
		require.NoError(t, err)
		return app
	}
	found := func(app provider.Application) provider.Application {
		now, err := h.FindApplication(t.Context(), app.ID)
		require.NoError(t, err)
		return now
	}
	return map[string]func() step{
		"UpdateApplication": func() step {
			app := create()
			return step{
				do: func() error {
					_, err := h.UpdateApplication(t.Context(), app.ID, func(a *provider.ApplicationSettings) error {
						a.Name += "!"
						return nil
					})
					return err
				},
				check: func() { require.Equal(t, "Pad!", found(app).Name) },
			}
		},
		"AddSecret": func() step {
			app := create()
			return step{
				do: func() error {
					_, err := h.AddSecret(t.Context(), app.ID, time.Now().Add(time.Hour))
					return err
				},
				check: func() { require.Len(t, found(app).Secrets, 2) },
			}
		},
		"CreateApplication": func() step {
			owner := person()
			return step{
				do: func() error {
					_, _, err := h.CreateApplication(t.Context(), provider.ApplicationSettings{Name: "Pad", RedirectURIs: []string{callback}, OwnerID: owner})
					return err
				},
				check: func() {
					_, total, err := h.ListApplications(t.Context(), store.ApplicationQuery{OwnerID: owner})
					require.NoError(t, err)
					require.Equal(t, 1, total)
				},
			}
		},
		"DeleteApplication": func() step {
			app := create()
			return step{
				do: func() error { return h.DeleteApplication(t.Context(), app.ID) },
				check: func() {
					_, err := h.FindApplication(t.Context(), app.ID)
					require.ErrorIs(t, err, store.ErrNotFound)
				},
			}
		},
		"register": func() step {
			count := func() int {
				_, total, err := h.ListApplications(t.Context(), store.ApplicationQuery{Origin: store.OriginRegistration})
				require.NoError(t, err)
				return total
			}
			before := count()
			return step{
				do: func() error {
					r, err := h.register(h.url)
					return answered(t, r, err)
				},
				check: func() { require.Equal(t, before+1, count()) },
			}
		},
	}
}
