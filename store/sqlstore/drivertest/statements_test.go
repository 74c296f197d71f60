package drivertest_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
	"github.com/latchkey-go/latchkey/userinfo"
)

// A wire counts round trips: what is sent, however much of it, until something
// is read again.
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

// A log notes the statements that are sent.
type log struct {
	mu   sync.Mutex
	sent []pgx.TraceQueryStartData
}

func (l *log) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, data)
	return ctx
}

func (l *log) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (l *log) take() []pgx.TraceQueryStartData {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := l.sent
	l.sent = nil
	return sent
}

// observed opens PostgreSQL on one connection that is observed.
func observed(t testing.TB) (*sql.DB, *log, *atomic.Int64) {
	t.Helper()
	connect(t, "pgx", postgresURL())
	config, err := pgx.ParseConfig(postgresURL())
	require.NoError(t, err)
	sent, trips := &log{}, &atomic.Int64{}
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &wire{Conn: conn, trips: trips}, err
	}
	config.Tracer = sent
	db := stdlib.OpenDB(*config)
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db, sent, trips
}

// A step is one operation of the contract, ready to be done once.
type step struct {
	name string
	run  func() error
}

// steps returns every operation of the contract, with all that they need made
// beforehand. The numbers of two filled grants are theirs.
func steps(t testing.TB, s *sqlstore.Store, at time.Time, first int) []step {
	t.Helper()
	ctx := t.Context()
	n := newGrant("user_"+fmt.Sprint(first), filledApplication(first), at)
	token := newGrant(n.Grant.UserID, n.Grant.ApplicationID, at)
	token.Code, token.Access = nil, &store.NewToken{Hash: randomHash(), ExpiresAt: at.Add(time.Hour)}
	redeem := redemption(n, at)
	rotate := rotation(store.Key{GrantID: n.Grant.ID, Hash: redeem.Refresh.Hash}, n.Grant.ApplicationID, at)
	app := store.Application{ID: fmt.Sprint("app_", first), ClientID: fmt.Sprint("client_", first), Name: "Wiki", CreatedAt: at, Version: 1}
	user := n.Grant.UserID
	revoke := func(f store.GrantFilter) func() error {
		return func() error { _, err := s.RevokeGrants(ctx, f, at); return err }
	}
	list := func(f store.GrantFilter) func() error {
		return func() error { _, _, err := s.ListGrants(ctx, store.GrantQuery{GrantFilter: f}); return err }
	}
	device, late, denied := newDevice(at), newDevice(at.Add(-time.Hour)), newDevice(at)
	decision := store.DeviceDecision{ID: device.ID, GrantID: n.Grant.ID, At: at}
	decide := func(d store.DeviceDecision, want error) func() error {
		return func() error { return as(want, s.DecideDevice(ctx, d)) }
	}
	poll := func(d store.Device, applicationID string, want error) func() error {
		return func() error {
			p := devicePoll(d, at)
			p.ApplicationID = applicationID
			_, err := s.PollDevice(ctx, p)
			return as(want, err)
		}
	}
	return []step{
		{"CreateApplication", func() error { return s.CreateApplication(ctx, app) }},
		{"FindApplication", func() error { _, err := s.FindApplication(ctx, app.ID); return err }},
		{"FindClient", func() error { _, err := s.FindClient(ctx, app.ClientID); return err }},
		{"ListApplications", func() error { _, _, err := s.ListApplications(ctx, store.ApplicationQuery{}); return err }},
		{"ListApplications, searching", func() error {
			_, _, err := s.ListApplications(ctx, store.ApplicationQuery{OwnerID: "x", Name: "wiki", Order: store.NameAscending, Offset: 100})
			return err
		}},
		{"ListApplications, for a cleanup", func() error {
			_, _, err := s.ListApplications(ctx, store.ApplicationQuery{
				Origin: store.OriginRegistration, UpdatedBefore: at.Add(-999 * time.Hour), Order: store.OldestFirst, Limit: 100,
			})
			return err
		}},
		{"UpdateApplication", func() error { return s.UpdateApplication(ctx, app) }},
		{"DeleteApplication", func() error { return s.DeleteApplication(ctx, app.ID) }},
		{"CreateGrant, with a code", func() error { return s.CreateGrant(ctx, n) }},
		{"CreateGrant, with a token", func() error { return s.CreateGrant(ctx, token) }},
		{"RedeemCode", func() error { _, err := s.RedeemCode(ctx, redeem); return err }},
		{"FindToken", func() error {
			_, _, err := s.FindToken(ctx, store.Key{GrantID: n.Grant.ID, Hash: redeem.Access.Hash})
			return err
		}},
		{"RotateRefresh", func() error { _, err := s.RotateRefresh(ctx, rotate); return err }},
		{"RotateRefresh, a retry", func() error { _, err := s.RotateRefresh(ctx, rotate); return err }},
		{"FindConsent", func() error { _, err := s.FindConsent(ctx, user, n.Grant.ApplicationID); return err }},
		{"ListConsents", func() error { _, err := s.ListConsents(ctx, user); return err }},
		{"ListGrants, by id", list(store.GrantFilter{ID: n.Grant.ID})},
		{"ListGrants, by user", list(store.GrantFilter{UserID: user})},
		{"ListGrants, by application", list(store.GrantFilter{ApplicationID: n.Grant.ApplicationID})},
		{"ListGrants, by user and application", list(store.GrantFilter{UserID: user, ApplicationID: n.Grant.ApplicationID})},
		{"ListGrants, beyond the end", func() error {
			_, _, err := s.ListGrants(ctx, store.GrantQuery{GrantFilter: store.GrantFilter{UserID: user}, Offset: 1000})
			return err
		}},
		{"RevokeToken, of an access token", func() error {
			return s.RevokeToken(ctx, store.TokenRevocation{
				Key: store.Key{GrantID: n.Grant.ID, Hash: rotate.Access.Hash}, ApplicationID: n.Grant.ApplicationID, At: at,
			})
		}},
		{"RevokeToken, of a refresh token", func() error {
			return s.RevokeToken(ctx, store.TokenRevocation{Key: rotate.Key, ApplicationID: n.Grant.ApplicationID, At: at})
		}},
		{"RevokeGrants, by id", revoke(store.GrantFilter{ID: token.Grant.ID})},
		{"RevokeGrants, by user", revoke(store.GrantFilter{UserID: user})},
		{"RevokeGrants, by application", revoke(store.GrantFilter{ApplicationID: n.Grant.ApplicationID})},
		{"RevokeGrants, by user and application", revoke(store.GrantFilter{UserID: user, ApplicationID: n.Grant.ApplicationID})},
		{"DeleteExpired", func() error {
			_, err := s.DeleteExpired(ctx, store.Expiry{Before: at.Add(time.Hour), RotatedBefore: at.Add(time.Hour), Limit: 1000})
			return err
		}},
		{"CreateDevice", func() error { return s.CreateDevice(ctx, device) }},
		{"CreateDevice, of the past", func() error { return s.CreateDevice(ctx, late) }},
		{"CreateDevice, once more", func() error { return as(store.ErrExists, s.CreateDevice(ctx, device)) }},
		{"FindDevice", func() error { _, err := s.FindDevice(ctx, device.UserCode); return err }},
		{"PollDevice", poll(device, device.ApplicationID, nil)},
		{"PollDevice, too soon", poll(device, device.ApplicationID, nil)},
		{"PollDevice, by another application", poll(device, "app_2", store.ErrMismatch)},
		{"PollDevice, of none", poll(denied, denied.ApplicationID, store.ErrNotFound)},
		{"DecideDevice", decide(decision, nil)},
		{"DecideDevice, once more", decide(decision, nil)},
		{"DecideDevice, otherwise", decide(store.DeviceDecision{ID: device.ID, At: at}, store.ErrConflict)},
		{"DecideDevice, too late", decide(store.DeviceDecision{ID: late.ID, At: at}, store.ErrExpired)},
		{"DecideDevice, of none", decide(store.DeviceDecision{ID: denied.ID, At: at}, store.ErrNotFound)},
		{"DeleteDevices", func() error { _, err := s.DeleteDevices(ctx, at, 100); return err }},
	}
}

// as returns nil if the error is the wanted one.
func as(want, err error) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("got error %w, want %w", err, want)
	}
	return nil
}

// Each operation is one statement and, once the connection has prepared it,
// one round trip.
func TestPostgresStatements(t *testing.T) {
	db, sent, trips := observed(t)
	s, prefix := fresh(t, db, sqlstore.Postgres)
	at := time.Now().UTC().Truncate(time.Microsecond)
	fill(t, db, sqlstore.Postgres, prefix, 1, 100, at)
	for _, step := range steps(t, s, at, 1) {
		require.NoError(t, step.run(), "warming up: %s", step.name)
	}
	for _, step := range steps(t, s, at, 2) {
		sent.take()
		before := trips.Load()
		require.NoError(t, step.run(), step.name)
		require.Len(t, sent.take(), 1, "the statements of %s", step.name)
		require.EqualValues(t, 1, trips.Load()-before, "the round trips of %s", step.name)
	}
}

// A request at the token endpoint is two statements, one for the application
// and one for the grant, whether or not it names a resource, and be it refused.
func TestPostgresStatementsOfRequests(t *testing.T) {
	const api = "https://api.example.com/notes"
	db, sent, _ := observed(t)
	kept, _ := fresh(t, db, sqlstore.Postgres)
	p, err := provider.New(provider.Config{
		Issuer:      "https://app.example.com",
		Store:       kept,
		CurrentUser: func(*http.Request) (provider.Session, error) { return provider.Session{UserID: "user_1"}, nil },
		SignIn:      provider.RedirectTo("/login", "next"),
		Users:       func(_ context.Context, id string) (userinfo.User, error) { return userinfo.User{ID: id}, nil },
		Resources:   []provider.Resource{{URL: api}},
		Logger:      slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	app, secret, err := p.CreateApplication(t.Context(), provider.NewApplication{
		Name: "Wiki", RedirectURIs: []string{"https://wiki.example.com/callback"}, SkipConsent: true,
	})
	require.NoError(t, err)
	send := func(resource, grantType, param, value string) (refresh, refused string) {
		t.Helper()
		form := url.Values{
			"grant_type": {grantType}, param: {value}, "client_id": {app.ClientID}, "client_secret": {secret.Reveal()},
			"redirect_uri": {app.RedirectURIs[0]},
		}
		if resource != "" {
			form.Set("resource", resource)
		}
		r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		sent.take()
		p.TokenHandler().ServeHTTP(w, r)
		require.Len(t, sent.take(), 2, "the statements of %s for %q: %s", grantType, resource, w.Body)
		var answer struct {
			RefreshToken string `json:"refresh_token"`
			Error        string `json:"error"`
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		return answer.RefreshToken, answer.Error
	}
	for _, tt := range []struct{ agreed, named, refused string }{
		{"", "", ""}, {api, "", ""}, {api, api, ""}, {"", api, "invalid_target"},
	} {
		code := newCode(t, p, app, tt.agreed)
		refresh, refused := send(tt.named, "authorization_code", "code", code)
		require.Equal(t, tt.refused, refused, "a code for %q, naming %q", tt.agreed, tt.named)
		if refused != "" {
			refresh, _ = send("", "authorization_code", "code", code)
		}
		next, refused := send(tt.named, "refresh_token", "refresh_token", refresh)
		require.Equal(t, tt.refused, refused, "a refresh token for %q, naming %q", tt.agreed, tt.named)
		if refused != "" {
			next, _ = send("", "refresh_token", "refresh_token", refresh)
		}
		require.NotEmpty(t, next)
	}
}

// What every page view and every call of an API costs is one statement. A
// sign-in that was agreed to before is three: the application, the consent and
// the new grant.
func TestPostgresStatementsOfOtherRequests(t *testing.T) {
	db, sent, _ := observed(t)
	kept, _ := fresh(t, db, sqlstore.Postgres)
	p, err := provider.New(provider.Config{
		Issuer:      "https://app.example.com",
		Store:       kept,
		CurrentUser: func(*http.Request) (provider.Session, error) { return provider.Session{UserID: "user_1"}, nil },
		SignIn:      provider.RedirectTo("/login", "next"),
		Users:       func(_ context.Context, id string) (userinfo.User, error) { return userinfo.User{ID: id}, nil },
		Logger:      slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	app, secret, err := p.CreateApplication(t.Context(), provider.NewApplication{Name: "Wiki", RedirectURIs: []string{"https://wiki.example.com/callback"}})
	require.NoError(t, err)
	_, token, err := p.IssueToken(t.Context(), provider.NewToken{ApplicationID: app.ID, UserID: "user_1", Scopes: scopes.New("profile")})
	require.NoError(t, err)
	agreed := newGrant("user_1", app.ID, time.Now().UTC())
	require.NoError(t, kept.CreateGrant(t.Context(), agreed))

	bearer := func(method, target string) *http.Request {
		r := httptest.NewRequest(method, target, nil)
		r.Header.Set("Authorization", "Bearer "+token.Reveal())
		return r
	}
	form := url.Values{"token": {token.Reveal()}, "client_id": {app.ClientID}, "client_secret": {secret.Reveal()}}
	introspect := httptest.NewRequest("POST", "/oauth/token_info", strings.NewReader(form.Encode()))
	introspect.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	authorize := httptest.NewRequest("GET", "/oauth/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {app.ClientID}, "scope": {"profile email"}, "state": {"s"},
	}.Encode(), nil)
	guarded := p.Require("profile")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	for _, tt := range []struct {
		name       string
		handler    http.Handler
		request    *http.Request
		status     int
		statements int
	}{
		{"userinfo", p.UserInfoHandler(), bearer("GET", "/oauth/userinfo"), http.StatusOK, 1},
		{"the guard", guarded, bearer("GET", "/api/notes"), http.StatusOK, 1},
		{"introspection", p.IntrospectHandler(), introspect, http.StatusOK, 2},
		{"an authorization", p.AuthorizeHandler(), authorize, http.StatusFound, 3},
	} {
		w := httptest.NewRecorder()
		sent.take()
		tt.handler.ServeHTTP(w, tt.request)
		require.Equal(t, tt.status, w.Code, "%s: %s", tt.name, w.Body)
		require.Len(t, sent.take(), tt.statements, "the statements of %s", tt.name)
	}
}

// Nothing depends on what a driver knows about the types of parameters. That
// it may guess them or ask for them each time is tested behind PgBouncer.
func TestPostgresWithoutTypes(t *testing.T) {
	db := connect(t, "pgx", postgresURL()+"&default_query_exec_mode=simple_protocol")
	s, _ := fresh(t, db, sqlstore.Postgres)
	for _, step := range steps(t, s, now(), 1) {
		require.NoError(t, step.run(), step.name)
	}
}

// Each operation finds its rows by an index, however many others there are.
func TestPostgresPlans(t *testing.T) {
	db, sent, _ := observed(t)
	s, prefix := fresh(t, db, sqlstore.Postgres)
	at := time.Now().UTC().Truncate(time.Microsecond)
	const grants = 50_000
	fill(t, db, sqlstore.Postgres, prefix, 1, grants, at)
	for _, text := range []string{
		"insert into " + prefix + "codes select id, refresh_hash, 'https://wiki.example.com/callback', false, '', created_at + interval '10 minutes' from " + prefix + "grants",
		"insert into " + prefix + "rotations select id, created_at - interval '1 second' from " + prefix + "grants",
		// There is much to clean up, and much that is left alone.
		"update " + prefix + "tokens set expires_at = expires_at - interval '2 hours' where grant_id < lpad(to_hex(10000), 32, '0')::uuid",
		"update " + prefix + "grants set revoked_at = created_at where id between lpad(to_hex(5000), 32, '0')::uuid and lpad(to_hex(15000), 32, '0')::uuid",
		// Applications that registered themselves, some of them long ago.
		"insert into " + prefix + "applications (id, client_id, name, folded_name, redirect_uris, scopes, secrets, public, pkce_required, skip_consent, " +
			"origin, owner_id, client_uri, logo_url, metadata, created_at, updated_at, version) " +
			"select 'a' || i, 'c' || i, 'MCP', 'mcp', '[]', '[]', '[]', true, true, false, case when i % 10 = 0 then 'manual' else 'registration' end, '', '', '', '{}', " +
			"now() - i * interval '1 hour' / 10, now() - i * interval '1 hour' / 10, 1 from generate_series(1, 10000) i",
		"insert into " + prefix + "devices (id, code, user_code, grant_code, application_id, scopes, resource, created_at, expires_at, poll_interval) " +
			"select lpad(to_hex(i), 32, '0')::uuid, sha256(int8send(i)), sha256(int8send(-i)), sha256(int8send(i)), 'app_1', 'email', '', " +
			"now(), now() + (i - 10000) * interval '1 second', 5000000 from generate_series(1::bigint, 50000) i",
		"vacuum analyze " + prefix + "grants, " + prefix + "codes, " + prefix + "tokens, " + prefix + "rotations, " + prefix + "applications, " + prefix + "devices",
	} {
		_, err := db.Exec(text)
		require.NoError(t, err)
	}
	for _, step := range steps(t, s, at, 3) {
		sent.take()
		require.NoError(t, step.run(), step.name)
		for _, statement := range sent.take() {
			plan := explain(t, db, statement)
			for _, table := range tables {
				if searches := strings.HasPrefix(step.name, "ListApplications") && step.name != "ListApplications, for a cleanup"; searches && table == "applications" {
					continue
				}
				if strings.Contains(plan, "Seq Scan on "+prefix+table) {
					t.Errorf("%s reads all of %s:\n%s", step.name, table, plan)
				}
			}
		}
	}
}

func explain(t testing.TB, db *sql.DB, statement pgx.TraceQueryStartData) string {
	t.Helper()
	rows, err := db.Query("explain "+statement.SQL, statement.Args...)
	require.NoError(t, err)
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		plan.WriteString(line + "\n")
	}
	require.NoError(t, rows.Err())
	return plan.String()
}
