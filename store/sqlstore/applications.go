package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/latchkey-go/latchkey/store"
)

// The columns of an application, of the table or query a, in the order in
// which intoApplication takes them.
const applicationColumns = `a.id, a.client_id, a.name, a.redirect_uris, a.scopes, a.secrets,
  a.public, a.pkce_required, a.skip_consent, a.origin, a.owner_id, a.client_uri, a.logo_url,
  a.metadata, a.registration, a.created_at, a.updated_at, a.version`

// intoApplication returns what to scan the columns of an application into.
func intoApplication(app *store.Application) []any {
	return []any{
		&app.ID, &app.ClientID, &app.Name, jsonInto{&app.RedirectURIs}, jsonInto{&app.Scopes}, jsonInto{&app.Secrets},
		&app.Public, &app.PKCERequired, &app.SkipConsent, originInto{&app.Origin}, &app.OwnerID, &app.ClientURI, &app.LogoURL,
		jsonInto{&app.Metadata}, orAbsent{jsonInto{&app.Registration}}, timeInto{&app.CreatedAt}, timeInto{&app.UpdatedAt}, &app.Version,
	}
}

// A jsonInto scans JSON.
type jsonInto struct{ value any }

func (into jsonInto) Scan(v any) error {
	switch v := v.(type) {
	case string:
		return json.Unmarshal([]byte(v), into.value)
	case []byte:
		return json.Unmarshal(v, into.value)
	}
	return fmt.Errorf("JSON cannot be read from %T", v)
}

type originInto struct{ origin *store.Origin }

func (into originInto) Scan(v any) error { return scanInto((*string)(into.origin), v) }

// applicationRow returns an application as the arguments of insertApplicationSQL.
func (s *Store) applicationRow(app store.Application) ([]any, error) {
	if err := checkApplication(app); err != nil {
		return nil, err
	}
	app = app.Clone()
	for i, secret := range app.Secrets {
		app.Secrets[i].CreatedAt, app.Secrets[i].ExpiresAt = cut(secret.CreatedAt), cut(secret.ExpiresAt)
	}
	row := []any{app.ID, app.Version, app.Name, strings.ToLower(app.Name)}
	for _, list := range []any{app.RedirectURIs, app.Scopes, app.Secrets, app.Metadata} {
		text, err := json.Marshal(list)
		if err != nil {
			return nil, fmt.Errorf("sqlstore: a list of the application: %w", err)
		}
		row = append(row, string(text))
	}
	var registration any // NULL, if it is nil
	if app.Registration != nil {
		text, err := json.Marshal(app.Registration)
		if err != nil {
			return nil, fmt.Errorf("sqlstore: the registration of the application: %w", err)
		}
		registration = string(text)
	}
	return append(row, app.Public, app.PKCERequired, app.SkipConsent, string(app.Origin), app.OwnerID,
		app.ClientURI, app.LogoURL, s.dialect.time(app.UpdatedAt), registration, app.ClientID, s.dialect.time(app.CreatedAt)), nil
}

const insertApplicationSQL = `
insert into oauth_applications (id, version, name, folded_name, redirect_uris, scopes, secrets, metadata,
  public, pkce_required, skip_consent, origin, owner_id, client_uri, logo_url, updated_at, registration, client_id, created_at)
values ($1::text, $2::bigint, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text,
  $9::boolean, $10::boolean, $11::boolean, $12::text, $13::text, $14::text, $15::text, $16::timestamptz, $17::text, $18::text, $19::timestamptz)`

// CreateApplication implements [store.Applications].
func (s *Store) CreateApplication(ctx context.Context, app store.Application) error {
	app.Version = 1
	row, err := s.applicationRow(app)
	if err != nil {
		return err
	}
	return s.create(ctx, "create application", insertApplicationSQL, row)
}

// updateApplicationSQL takes the same arguments, but for those of columns that
// never change.
const updateApplicationSQL = `
update oauth_applications set version = version + 1, name = $3::text, folded_name = $4::text,
  redirect_uris = $5::text, scopes = $6::text, secrets = $7::text, metadata = $8::text,
  public = $9::boolean, pkce_required = $10::boolean, skip_consent = $11::boolean,
  origin = $12::text, owner_id = $13::text, client_uri = $14::text, logo_url = $15::text, updated_at = $16::timestamptz,
  registration = $17::text
where id = $1::text and version = $2::bigint`

const updateApplicationArgs = 17

// UpdateApplication implements [store.Applications].
func (s *Store) UpdateApplication(ctx context.Context, app store.Application) error {
	row, err := s.applicationRow(app)
	if err != nil {
		return err
	}
	return s.try(ctx, "update application", func(ctx context.Context) error {
		return s.steps.updateApplication(ctx, row[:updateApplicationArgs])
	})
}

// updateOutcome returns what becomes of an update, given whether there was an
// application with the id and the version, and one with the id.
func updateOutcome(updated, there bool, err error) error {
	switch {
	case err != nil || updated:
		return err
	case there:
		return store.ErrConflict
	default:
		return store.ErrNotFound
	}
}

// FindApplication implements [store.Applications].
func (s *Store) FindApplication(ctx context.Context, id string) (store.Application, error) {
	return s.findApplication(ctx, `select `+applicationColumns+` from oauth_applications a where a.id = $1::text`, id)
}

// FindClient implements [store.Applications].
func (s *Store) FindClient(ctx context.Context, clientID string) (store.Application, error) {
	return s.findApplication(ctx, `select `+applicationColumns+` from oauth_applications a where a.client_id = $1::text`, clientID)
}

func (s *Store) findApplication(ctx context.Context, text, id string) (app store.Application, err error) {
	err = s.try(ctx, "find application", func(ctx context.Context) error {
		return s.row(ctx, s.db, text, []any{presented(id)}, intoApplication(&app))
	})
	if err != nil {
		return store.Application{}, err
	}
	return app, nil
}

// ListApplications implements [store.Applications].
func (s *Store) ListApplications(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
	limit, err := store.CheckPage(q.Limit, q.Offset)
	if err != nil {
		return nil, 0, err
	}
	args := []any{limit, q.Offset}
	where := "1 = 1"
	if q.OwnerID != "" {
		args = append(args, presented(q.OwnerID))
		where += fmt.Sprintf(" and a.owner_id = $%d::text", len(args))
	}
	if q.Name != "" {
		args = append(args, presented(q.Name), presented(strings.ToLower(q.Name)))
		where += fmt.Sprintf(" and (a.client_id = $%d::text or %s(a.folded_name, $%d::text) > 0)", len(args)-1, s.dialect.position(), len(args))
	}
	if q.Origin != "" {
		args = append(args, presented(string(q.Origin)))
		where += fmt.Sprintf(" and a.origin = $%d::text", len(args))
	}
	if !q.UpdatedBefore.IsZero() {
		args = append(args, s.dialect.time(q.UpdatedBefore))
		where += fmt.Sprintf(" and a.updated_at < $%d::timestamptz", len(args))
	}
	order := applicationOrder(q.Order)
	text := fmt.Sprintf(`
select c.total, %[1]s
from (select count(*) as total from oauth_applications a where %[2]s) c
left join (select * from oauth_applications a where %[2]s order by %[3]s limit $1::bigint offset $2::bigint) a on 1 = 1
order by %[3]s`, applicationColumns, where, order)

	var page []store.Application
	total := 0
	err = s.try(ctx, "list applications", func(ctx context.Context) error {
		page = nil
		return s.rows(ctx, s.db, text, args, func(scan func(into ...any) error) error {
			var app store.Application
			into := []any{&total}
			for _, column := range intoApplication(&app) {
				into = append(into, orAbsent{column})
			}
			if err := scan(into...); err != nil {
				return err
			}
			if app.Version != 0 { // else there is no application on the page
				page = append(page, app)
			}
			return nil
		})
	})
	if err != nil {
		return nil, 0, err
	}
	return page, total, nil
}

// position returns the name of the function that finds one text in another.
func (d Dialect) position() string {
	if d == Postgres {
		return "strpos"
	}
	return "instr"
}

func applicationOrder(o store.ApplicationOrder) string {
	switch o {
	case store.OldestFirst:
		return "a.created_at, a.id"
	case store.NameAscending:
		return "a.name, a.id"
	case store.NameDescending:
		return "a.name desc, a.id desc"
	default:
		return "a.created_at desc, a.id desc"
	}
}

// DeleteApplication implements [store.Applications].
func (s *Store) DeleteApplication(ctx context.Context, id string) error {
	return s.try(ctx, "delete application", func(ctx context.Context) error {
		_, err := s.exec(ctx, s.db, `delete from oauth_applications where id = $1::text`, presented(id))
		return err
	})
}
