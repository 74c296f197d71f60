package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// details are the fields of an application that are kept as JSON, because no
// query searches or sorts by them. A new field needs no migration.
type details struct {
	RedirectURIs []string                   `json:"redirect_uris,omitempty"`
	Scopes       scopes.Set                 `json:"scopes,omitempty"`
	Machine      scopes.Set                 `json:"machine_scopes,omitempty"`
	Lifetimes    store.ApplicationLifetimes `json:"lifetimes,omitzero"`
	Workspace    store.WorkspaceUse         `json:"workspace,omitempty"`
	Secrets      []store.ClientSecret       `json:"secrets,omitempty"`
	Public       bool                       `json:"public,omitempty"`
	PKCERequired bool                       `json:"pkce_required,omitempty"`
	SkipConsent  bool                       `json:"skip_consent,omitempty"`
	Reviewed     bool                       `json:"reviewed,omitempty"`
	Disabled     bool                       `json:"disabled,omitempty"`
	Registration *store.RegistrationRecord  `json:"registration,omitempty"`
	Applied      []store.AppliedSettings    `json:"applied,omitempty"`
	Keys         store.ClientKeys           `json:"keys,omitzero"`
	AfterLogout  []string                   `json:"post_logout_redirect_uris,omitempty"`
	IDTokenAlg   string                     `json:"id_token_alg,omitempty"`
	ClientURI    string                     `json:"client_uri,omitempty"`
	LogoURL      string                     `json:"logo_url,omitempty"`
	TermsURI     string                     `json:"tos_uri,omitempty"`
	PolicyURI    string                     `json:"policy_uri,omitempty"`
	Metadata     map[string]string          `json:"metadata,omitempty"`
}

// The columns of an application a, in the order of [applicationRow.into].
const applicationColumns = `a.id, a.client_id, a.name, a.origin, a.owner_id, a.created_at, a.updated_at, a.version, a.details`

// An applicationRow is one row of a query of applications. Its columns are NULL
// on an empty page.
type applicationRow struct {
	id, clientID, name, origin, owner sql.NullString
	created, updated, version         sql.NullInt64
	details                           []byte
}

func (r *applicationRow) into() []any {
	return []any{&r.id, &r.clientID, &r.name, &r.origin, &r.owner, &r.created, &r.updated, &r.version, &r.details}
}

func (r *applicationRow) application() (store.Application, error) {
	var d details
	if err := json.Unmarshal(r.details, &d); err != nil {
		return store.Application{}, fmt.Errorf("the details of the application %s: %w", r.id.String, err)
	}
	return store.Application{
		ID: r.id.String, ClientID: r.clientID.String, Name: r.name.String,
		RedirectURIs: d.RedirectURIs, Scopes: d.Scopes, Secrets: d.Secrets,
		MachineScopes: d.Machine, Lifetimes: d.Lifetimes, Workspace: d.Workspace,
		Public: d.Public, PKCERequired: d.PKCERequired, SkipConsent: d.SkipConsent, Reviewed: d.Reviewed, Disabled: d.Disabled,
		Origin: store.Origin(r.origin.String), Registration: d.Registration, Applied: d.Applied,
		Keys: d.Keys, PostLogoutRedirectURIs: d.AfterLogout, IDTokenAlg: d.IDTokenAlg,
		OwnerID: r.owner.String, ClientURI: d.ClientURI, LogoURL: d.LogoURL, TermsURI: d.TermsURI, PolicyURI: d.PolicyURI, Metadata: d.Metadata,
		CreatedAt: timeOf(r.created), UpdatedAt: timeOf(r.updated), Version: r.version.Int64,
	}, nil
}

// applicationArgs returns what updateApplicationSQL takes, except the last
// argument.
func applicationArgs(app store.Application) ([]any, error) {
	if err := checkApplication(app); err != nil {
		return nil, err
	}
	app = app.Micro().Revealed()
	text, err := json.Marshal(details{
		RedirectURIs: app.RedirectURIs, Scopes: app.Scopes, Secrets: app.Secrets,
		Machine: app.MachineScopes, Lifetimes: app.Lifetimes, Workspace: app.Workspace,
		Public: app.Public, PKCERequired: app.PKCERequired, SkipConsent: app.SkipConsent, Reviewed: app.Reviewed, Disabled: app.Disabled,
		Registration: app.Registration, Applied: app.Applied,
		Keys: app.Keys, AfterLogout: app.PostLogoutRedirectURIs, IDTokenAlg: app.IDTokenAlg, ClientURI: app.ClientURI, LogoURL: app.LogoURL,
		TermsURI: app.TermsURI, PolicyURI: app.PolicyURI, Metadata: app.Metadata,
	})
	if err != nil {
		return nil, fmt.Errorf("sqlstore: the details of the application: %w", err)
	}
	return []any{app.ID, app.Name, strings.ToLower(app.Name), string(app.Origin), app.OwnerID, app.UpdatedAt.UnixMicro(), string(text)}, nil
}

const insertApplicationSQL = `
insert into latchkey_applications (id, name, folded_name, origin, owner_id, updated_at, details, client_id, created_at, version)
values ($1::text, $2::text, $3::text, $4::text, $5::text, $6::bigint, $7::text, $8::text, $9::bigint, 1)`

// CreateApplication implements [store.Applications].
func (c *core) CreateApplication(ctx context.Context, app store.Application) error {
	args, err := applicationArgs(app)
	if err != nil {
		return err
	}
	return c.insert(ctx, "create application", insertApplicationSQL, append(args, app.ClientID, app.CreatedAt.UnixMicro())...)
}

const updateApplicationSQL = `
update latchkey_applications set name = $2::text, folded_name = $3::text, origin = $4::text, owner_id = $5::text,
  updated_at = $6::bigint, details = $7::text, version = version + 1
where id = $1::text and version = $8::bigint`

// UpdateApplication implements [store.Applications].
func (c *core) UpdateApplication(ctx context.Context, app store.Application) error {
	args, err := applicationArgs(app)
	if err != nil {
		return err
	}
	n, err := c.exec(ctx, "update application", updateApplicationSQL, append(args, app.Version)...)
	if err != nil || n > 0 {
		return err
	}
	if _, err := c.FindApplication(ctx, app.ID); err != nil {
		return err
	}
	return store.ErrConflict
}

// FindApplication implements [store.Applications].
func (c *core) FindApplication(ctx context.Context, id string) (store.Application, error) {
	return c.findApplication(ctx, `select `+applicationColumns+` from latchkey_applications a where a.id = $1::text`, id)
}

// FindClient implements [store.Applications].
func (c *core) FindClient(ctx context.Context, clientID string) (store.Application, error) {
	return c.findApplication(ctx, `select `+applicationColumns+` from latchkey_applications a where a.client_id = $1::text`, clientID)
}

func (c *core) findApplication(ctx context.Context, text, id string) (app store.Application, err error) {
	err = c.try(ctx, "find application", func(ctx context.Context) error {
		var r applicationRow
		err := c.row(ctx, text, []any{presented(id)}, r.into()...)
		if err == nil {
			app, err = r.application()
		}
		return err
	})
	return app, err
}

// ListApplications implements [store.Applications]. It reads the total and the
// page in one statement, even if the page is empty.
func (c *core) ListApplications(ctx context.Context, q store.ApplicationQuery) (page []store.Application, total int, err error) {
	limit, err := store.CheckPage(q.Limit, q.Offset)
	if err != nil {
		return nil, 0, err
	}
	w := c.selects(q)
	order := applicationOrder(q.Order)
	text := fmt.Sprintf(`
select c.total, %[1]s
from (select count(*) as total from latchkey_applications a where %[2]s) c
left join (select * from latchkey_applications a where %[2]s order by %[3]s limit $%[4]d::bigint offset $%[5]d::bigint) a on 1 = 1
order by %[3]s`, applicationColumns, w.orAll(), order, len(w.args)+1, len(w.args)+2)
	args := append(w.args, limit, q.Offset)

	err = c.try(ctx, "list applications", func(ctx context.Context) error {
		page = nil
		return c.rows(ctx, text, args, func(scan func(into ...any) error) error {
			var r applicationRow
			if err := scan(append([]any{&total}, r.into()...)...); err != nil || !r.version.Valid {
				return err
			}
			app, err := r.application()
			page = append(page, app)
			return err
		})
	})
	if err != nil {
		return nil, 0, err
	}
	return page, total, nil
}

// selects returns the condition for the applications a that q selects.
func (c *core) selects(q store.ApplicationQuery) *where {
	w := &where{}
	if q.OwnerID != "" {
		w.and("a.owner_id = ?::text", presented(q.OwnerID))
	}
	if q.Name != "" {
		position := "instr"
		if c.dialect == Postgres {
			position = "strpos"
		}
		w.and("(a.client_id = ?::text or "+position+"(a.folded_name, ?::text) > 0)", presented(q.Name), presented(strings.ToLower(q.Name)))
	}
	if q.Origin != "" {
		w.and("a.origin = ?::text", presented(string(q.Origin)))
	}
	if !q.UpdatedBefore.IsZero() {
		w.and("a.updated_at < ?::bigint", store.Micro(q.UpdatedBefore).UnixMicro())
	}
	return w
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
func (c *core) DeleteApplication(ctx context.Context, id string) error {
	_, err := c.exec(ctx, "delete application", `delete from latchkey_applications where id = $1::text`, presented(id))
	return err
}
