package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// EraseUser ends everything that a user has, for good, and has it deleted. Call
// it when the host deletes a user. When it returns nil, no code or token of the
// user works, and none can be issued. [Provider.Cleanup] deletes the records,
// which identify the user only by ID, about a day later. Applications that the
// user owns remain, without an owner, because other people use them; delete
// them first if they should go.
//
// After an error, call it again until it succeeds. Erasing a user without
// records is not an error. Don't give the ID to another user for two days.
//
// If your users are in the same SQL database, you can cut the user off in the
// transaction that deletes them: see In of package sqlstore. Call EraseUser
// afterwards.
func (p *Provider) EraseUser(ctx context.Context, userID string) error {
	if userID == "" {
		return nil
	}
	if err := p.records.cutOff(ctx, store.CutKey{UserID: userID}, store.CutForever); err != nil {
		return fmt.Errorf("provider: erase user: %w", err)
	}
	p.emit(ctx, Event{Kind: EventGrantRevoked, UserID: userID})
	for {
		owned, _, err := p.records.listApplications(ctx, store.ApplicationQuery{OwnerID: userID, Limit: listBatch})
		if err != nil {
			return fmt.Errorf("provider: erase user: %w", err)
		}
		if len(owned) == 0 {
			return nil
		}
		for _, app := range owned {
			_, err := p.records.updateApplication(ctx, app.ID, func(app *store.Application) error {
				app.OwnerID = ""
				return nil
			})
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("provider: erase user: %w", err)
			}
		}
	}
}

// ExportUser writes what is kept about a user to w as one JSON object: live
// sign-ins, consents, and the applications that the user owns. Entries for a
// workspace name it. The object contains no token, secret, or hash, and no
// profile, which the host has. Times are in RFC 3339; empty values are left
// out:
//
//	{
//	  "user_id": "user_1",
//	  "exported_at": "2026-01-02T15:04:05Z",
//	  "sign_ins": [{"id": "...", "application_id": "oa_1", "scopes": ["email"], "created_at": "...", ...}],
//	  "consents": [{"application_id": "oa_1", "scopes": ["email", "profile"], "agreed_at": "...", ...}],
//	  "chosen_workspaces": [{"application_id": "oa_2", "workspace_id": "org_1"}],
//	  "applications": [{"id": "oa_1", "client_id": "...", "name": "Wiki", ...}]
//	}
//
// If it can't read everything, it writes nothing and returns an error.
func (p *Provider) ExportUser(ctx context.Context, userID string, w io.Writer) error {
	export, err := p.exportUser(ctx, userID)
	if err == nil {
		err = json.NewEncoder(w).Encode(export)
	}
	if err != nil {
		return fmt.Errorf("provider: export user: %w", err)
	}
	return nil
}

type userExport struct {
	UserID       string                `json:"user_id"`
	ExportedAt   time.Time             `json:"exported_at"`
	SignIns      []exportedDocument    `json:"sign_ins"`
	Consents     []exportedDocument    `json:"consents"`
	Workspaces   []exportedChoice      `json:"chosen_workspaces,omitempty"`
	Applications []exportedApplication `json:"applications"`
}

// An exportedDocument is a sign-in or a consent.
type exportedDocument struct {
	ID            store.ID   `json:"id"`
	ApplicationID string     `json:"application_id"`
	WorkspaceID   string     `json:"workspace_id,omitempty"`
	Scopes        scopes.Set `json:"scopes"`
	Declined      scopes.Set `json:"declined,omitempty"` // requested, and unchecked
	Resource      string     `json:"resource,omitempty"`
	Label         string     `json:"label,omitempty"`
	CreatedAt     time.Time  `json:"created_at"`
	LastUsedAt    time.Time  `json:"last_used_at"`
	AgreedAt      time.Time  `json:"agreed_at,omitzero"`
	ExpiresAt     time.Time  `json:"expires_at,omitzero"`

	// How the user signed in, stored only for ID tokens.
	SignedInAt time.Time `json:"signed_in_at,omitzero"`
	ACR        string    `json:"acr,omitempty"`
	AMR        []string  `json:"amr,omitempty"`
	SessionID  string    `json:"session_id,omitempty"`
}

// An exportedChoice is the workspace that the user last chose for an
// application. It is empty if they chose none.
type exportedChoice struct {
	ApplicationID string `json:"application_id"`
	WorkspaceID   string `json:"workspace_id"`
}

type exportedApplication struct {
	ID           string            `json:"id"`
	ClientID     string            `json:"client_id"`
	Name         string            `json:"name"`
	RedirectURIs []string          `json:"redirect_uris"`
	ClientURI    string            `json:"client_uri,omitempty"`
	LogoURL      string            `json:"logo_url,omitempty"`
	TermsURI     string            `json:"tos_uri,omitempty"`
	PolicyURI    string            `json:"policy_uri,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	CreatedAt    time.Time         `json:"created_at"`
}

func (p *Provider) exportUser(ctx context.Context, userID string) (e userExport, err error) {
	if userID == "" {
		return e, errors.New("the user ID is empty")
	}
	e = userExport{UserID: userID, ExportedAt: p.now().UTC(), SignIns: []exportedDocument{}, Consents: []exportedDocument{}, Applications: []exportedApplication{}}
	err = p.eachOf(ctx, store.KindGrant, userID, func(d *store.Document) error {
		var g rules.Grant
		err := rules.ReadGrant(&g, d, &d.Seen)
		e.SignIns = append(e.SignIns, exportedDocument{
			ID: d.ID, ApplicationID: d.ApplicationID, WorkspaceID: d.WorkspaceID, Scopes: g.ScopeSet(), Resource: g.Resource, Label: g.Label,
			CreatedAt: d.CreatedAt, LastUsedAt: d.LastUsedAt, AgreedAt: g.AgreedAt.Time(), ExpiresAt: g.ExpiresAt.Time(),
			SignedInAt: g.SignIn.At.Time(), ACR: g.SignIn.ACR, AMR: strings.Fields(g.SignIn.AMR), SessionID: g.SignIn.Session,
		})
		return err
	})
	if err != nil {
		return e, err
	}
	err = p.eachOf(ctx, store.KindConsent, userID, func(d *store.Document) error {
		c, err := rules.ReadConsent(d, d.Seen)
		for _, a := range c.Answers() {
			e.Consents = append(e.Consents, exportedDocument{
				ID: d.ID, ApplicationID: d.ApplicationID, WorkspaceID: d.WorkspaceID, Scopes: a.AgreedSet(), Declined: a.DeclinedSet(), Resource: a.Resource,
				CreatedAt: d.CreatedAt, LastUsedAt: d.LastUsedAt, AgreedAt: a.AgreedAt.Time(),
			})
		}
		if chosen := c.Choice(); chosen.Made {
			e.Workspaces = append(e.Workspaces, exportedChoice{d.ApplicationID, chosen.WorkspaceID})
		}
		return err
	})
	if err != nil {
		return e, err
	}
	for {
		page, total, err := p.records.listApplications(ctx, store.ApplicationQuery{
			OwnerID: userID, Order: store.OldestFirst, Limit: listBatch, Offset: len(e.Applications),
		})
		if err != nil {
			return e, err
		}
		for _, app := range page {
			e.Applications = append(e.Applications, exportedApplication{
				app.ID, app.ClientID, app.Name, app.RedirectURIs, app.ClientURI, app.LogoURL, app.TermsURI, app.PolicyURI, app.Metadata, app.CreatedAt,
			})
		}
		if len(page) == 0 || len(e.Applications) >= total {
			return e, nil
		}
	}
}

// eachOf calls read for each document of the kind that belongs to a user.
func (p *Provider) eachOf(ctx context.Context, kind store.Kind, userID string, read func(*store.Document) error) error {
	q := store.Query{Kind: kind, UserID: userID, Limit: listBatch}
	for {
		page, next, err := p.records.list(ctx, q)
		if err != nil {
			return err
		}
		for i := range page {
			if err := read(&page[i]); err != nil {
				return err
			}
		}
		if next.IsZero() {
			return nil
		}
		q.After = next
	}
}
