package drivers_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// A step is one call of the contract, to be made once.
type step struct {
	name       string
	statements int
	run        func() error
}

// steps returns the calls of the contract, each with its cost. The number
// distinguishes the records of two rounds.
func steps(ctx context.Context, s *sqlstore.Store, at time.Time, n int) []step {
	grant := newGrant(filledUser(n), filledApplication(n), at)
	grant.WorkspaceID = fmt.Sprint("space_", n)
	consent, second := newConsent(filledUser(n), filledApplication(n), at), next(grant)
	app := store.Application{ID: fmt.Sprint("app_", n), ClientID: fmt.Sprint("client_", n), Name: "Wiki", CreatedAt: at, Version: 1}
	list := func(name string, q store.Query) step {
		q.Kind, q.Limit = store.KindGrant, 10
		return step{"List by " + name, 1, func() error { _, _, err := s.List(ctx, q); return err }}
	}
	cut := func(name string, key store.CutKey) step {
		return step{"CutOff of " + name, 1, func() error { return s.CutOff(ctx, key, store.CutNumber(at)) }}
	}
	applications := func(name string, q store.ApplicationQuery) step {
		return step{"ListApplications " + name, 1, func() error { _, _, err := s.ListApplications(ctx, q); return err }}
	}
	return []step{
		{"CreateApplication", 1, func() error { return s.CreateApplication(ctx, app) }},
		{"CreateApplication again", 1, func() error { return as(store.ErrExists, s.CreateApplication(ctx, app)) }},
		{"FindApplication", 1, func() error { _, err := s.FindApplication(ctx, app.ID); return err }},
		{"FindClient", 1, func() error { _, err := s.FindClient(ctx, app.ClientID); return err }},
		applications("of all", store.ApplicationQuery{}),
		applications("by name", store.ApplicationQuery{OwnerID: "x", Name: "wiki", Order: store.NameAscending, Offset: 100}),
		applications("for a cleanup", store.ApplicationQuery{
			Origin: store.OriginRegistration, UpdatedBefore: at.Add(-999 * time.Hour), Order: store.OldestFirst, Limit: 100,
		}),
		{"UpdateApplication", 1, func() error { return s.UpdateApplication(ctx, app) }},
		{"UpdateApplication too late", 2, func() error { return as(store.ErrConflict, s.UpdateApplication(ctx, app)) }},
		{"DeleteApplication", 1, func() error { return s.DeleteApplication(ctx, app.ID) }},
		{"Create", 1, func() error { return s.Create(ctx, grant) }},
		{"Create again", 1, func() error { return as(store.ErrExists, s.Create(ctx, grant)) }},
		{"Find", 1, func() error { _, _, err := s.Find(ctx, grant.ID); return err }},
		{"Find of a missing document", 1, func() error { _, _, err := s.Find(ctx, store.NewID(at, "")); return as(store.ErrNotFound, err) }},
		{"FindConsent of a missing document", 1, func() error { _, _, err := s.FindConsent(ctx, consent.UserID, consent.ApplicationID, ""); return err }},
		{"Create of a consent", 1, func() error { return s.Create(ctx, consent) }},
		{"FindConsent", 1, func() error { _, _, err := s.FindConsent(ctx, consent.UserID, consent.ApplicationID, ""); return err }},
		{"Replace", 1, func() error { return s.Replace(ctx, second, grant.Mark) }},
		{"Replace too late", 1, func() error { return as(store.ErrConflict, s.Replace(ctx, next(grant), grant.Mark)) }},
		list("user", store.Query{UserID: grant.UserID}),
		list("application", store.Query{ApplicationID: grant.ApplicationID}),
		list("workspace", store.Query{WorkspaceID: grant.WorkspaceID}),
		list("user and application", store.Query{UserID: grant.UserID, ApplicationID: grant.ApplicationID}),
		list("application from the middle", store.Query{ApplicationID: grant.ApplicationID, After: store.Cursor{CreatedAt: at.Add(-50 * time.Millisecond), ID: grant.ID}}),
		{"End", 1, func() error { return s.End(ctx, grant.ID, at, at.Add(time.Hour)) }},
		cut("a user", store.CutKey{UserID: grant.UserID}),
		cut("a user again", store.CutKey{UserID: grant.UserID}),
		cut("an application", store.CutKey{ApplicationID: grant.ApplicationID}),
		cut("all", store.CutKey{}),
	}
}

// as returns nil if the error is the wanted one.
func as(want, err error) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("got error %w, want %w", err, want)
	}
	return nil
}

// Each call is one statement.
func TestStatements(t *testing.T) {
	for _, server := range servers() {
		t.Run(server.name, func(t *testing.T) {
			dsn := server.dsn(t)
			db := connect(t, server.driver, dsn)
			_, prefix := fresh(t, db, server.dialect)
			spy, log := spied(t, db, dsn)
			s := open(t, spy, server.dialect, prefix)
			at := now()
			for _, step := range steps(t.Context(), s, at, 1) {
				log.take()
				require.NoError(t, step.run(), step.name)
				require.Len(t, log.take(), step.statements, "the statements of %s", step.name)
			}

			// A sweep with nothing to do asks for documents and cut-offs, and sometimes
			// for cut-offs that it examined before.
			log.take()
			_, err := s.Sweep(t.Context(), at, 1000)
			require.NoError(t, err)
			require.LessOrEqual(t, len(log.take()), 3, "the statements of a sweep with nothing to do")

			// Cut-off documents are deleted in batches.
			for range 250 {
				require.NoError(t, s.Create(t.Context(), newGrant("user_dead", "app_dead", at)))
			}
			require.NoError(t, s.CutOff(t.Context(), store.CutKey{UserID: "user_dead"}, store.CutNumber(at)))
			log.take()
			removed, err := s.Sweep(t.Context(), at.Add(25*time.Hour), 1000)
			require.NoError(t, err)
			require.Greater(t, removed, 250)
			require.Less(t, len(log.take()), 70, "the statements of a sweep of 250 documents that were cut off, with their cut-off and some others")
		})
	}
}

// The store doesn't depend on what a driver knows about the types of
// parameters, nor on how it sends them.
func TestWaysToSend(t *testing.T) {
	for _, tt := range []struct{ driver, option string }{
		{"pgx", "default_query_exec_mode=simple_protocol"},
		{"pgx", "default_query_exec_mode=exec"},
		{"pgx", "default_query_exec_mode=describe_exec"},
		{"pgx", "default_query_exec_mode=cache_describe"},
		{"postgres", "binary_parameters=yes"},
		{"mysql", "interpolateParams=true&charset=latin1"},
	} {
		t.Run(tt.driver+" with "+tt.option, func(t *testing.T) {
			dialect, dsn := sqlstore.Postgres, postgresURL(tt.option)
			if tt.driver == "mysql" {
				dialect, dsn = sqlstore.MySQL, mysqlDSN(tt.option)
			}
			s, _ := fresh(t, connect(t, tt.driver, dsn), dialect)
			at := now()
			for _, step := range steps(t.Context(), s, at, 1) {
				require.NoError(t, step.run(), step.name)
			}
			d := newGrant("ünï", " ", at)
			d.Seen, d.State = store.Cuts{1: 7}, "\x00\xff\\'"
			require.NoError(t, s.Create(t.Context(), d))
			require.NoError(t, s.CutOff(t.Context(), store.CutKey{UserID: "ünï"}, 8))
			page, _, err := s.List(t.Context(), store.Query{Kind: d.Kind, UserID: d.UserID, Limit: 10})
			require.NoError(t, err)
			require.Empty(t, page)
			kept, cuts, err := s.Find(t.Context(), d.ID)
			require.NoError(t, err)
			require.Equal(t, d, kept)
			require.EqualValues(t, 8, cuts[1])
			n, err := s.Sweep(t.Context(), at.Add(25*time.Hour), 100)
			require.NoError(t, err)
			require.Greater(t, n, 3)
			_, _, err = s.Find(t.Context(), d.ID)
			require.ErrorIs(t, err, store.ErrNotFound)
		})
	}
}

// A wire counts round trips: any amount of writing, followed by a read.
type wire struct {
	net.Conn
	trips   *atomic.Int64
	sending atomic.Bool
}

func (w *wire) Write(b []byte) (int, error) {
	if !w.sending.Swap(true) {
		w.trips.Add(1)
	}
	return w.Conn.Write(b)
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.sending.Store(false)
	return n, err
}

// Each statement is one round trip once the connection has prepared it.
func TestRoundTrips(t *testing.T) {
	_, prefix := fresh(t, connect(t, "pgx", postgresURL()), sqlstore.Postgres)
	config, err := pgx.ParseConfig(postgresURL())
	require.NoError(t, err)
	trips := &atomic.Int64{}
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &wire{Conn: conn, trips: trips}, err
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	db.SetMaxOpenConns(1)
	s := open(t, db, sqlstore.Postgres, prefix)
	for _, step := range steps(t.Context(), s, now(), 1) {
		require.NoError(t, step.run(), "preparing %s", step.name)
	}
	for _, step := range steps(t.Context(), s, now(), 2) {
		before := trips.Load()
		require.NoError(t, step.run(), step.name)
		require.EqualValues(t, step.statements, trips.Load()-before, "the round trips of %s", step.name)
	}
}
