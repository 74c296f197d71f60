package redisstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// An application is kept as the attempt that wrote it last, its version, its
// client id, when it was created, and the rest as JSON. The four in front are
// what the scripts need.
const applicationParts = 5

// body is the rest of an application. Its names never change, so that what
// one release of this package has kept another can read.
type body struct {
	Name         string            `json:"name,omitempty"`
	RedirectURIs []string          `json:"redirect_uris,omitempty"`
	Scopes       scopes.Set        `json:"scopes,omitempty"`
	Secrets      []secret          `json:"secrets,omitempty"`
	Public       bool              `json:"public,omitempty"`
	PKCERequired bool              `json:"pkce_required,omitempty"`
	SkipConsent  bool              `json:"skip_consent,omitempty"`
	Origin       store.Origin      `json:"origin,omitempty"`
	Registration *registration     `json:"registration,omitempty"`
	OwnerID      string            `json:"owner_id,omitempty"`
	ClientURI    string            `json:"client_uri,omitempty"`
	LogoURL      string            `json:"logo_url,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	UpdatedAt    string            `json:"updated_at,omitempty"`
}

type secret struct {
	ID        string           `json:"id"`
	Hash      store.SecretHash `json:"hash"`
	CreatedAt string           `json:"created_at,omitempty"`
	ExpiresAt string           `json:"expires_at,omitempty"`
}

// registration is a [store.Registration] under the names that it is kept by.
type registration struct {
	Token           store.SecretHash `json:"token,omitzero"`
	Type            string           `json:"type,omitempty"`
	AuthMethod      string           `json:"auth_method,omitempty"`
	GrantTypes      []string         `json:"grant_types,omitempty"`
	Contacts        []string         `json:"contacts,omitempty"`
	TermsURI        string           `json:"terms_uri,omitempty"`
	PolicyURI       string           `json:"policy_uri,omitempty"`
	SoftwareID      string           `json:"software_id,omitempty"`
	SoftwareVersion string           `json:"software_version,omitempty"`
}

// bodyOf returns the rest of an application as it is kept.
func bodyOf(app store.Application) (string, error) {
	if err := app.Check(); err != nil {
		return "", err
	}
	b := body{
		Name: app.Name, RedirectURIs: app.RedirectURIs, Scopes: app.Scopes, Public: app.Public, PKCERequired: app.PKCERequired,
		SkipConsent: app.SkipConsent, Origin: app.Origin, Registration: (*registration)(app.Registration), OwnerID: app.OwnerID,
		ClientURI: app.ClientURI, LogoURL: app.LogoURL, Metadata: app.Metadata, UpdatedAt: timeText(app.UpdatedAt),
	}
	for _, s := range app.Secrets {
		b.Secrets = append(b.Secrets, secret{s.ID, s.Hash, timeText(s.CreatedAt), timeText(s.ExpiresAt)})
	}
	text, err := json.Marshal(b)
	return string(text), err
}

func (r *reader) application(id, kept string) store.Application {
	text := r.split(kept, applicationParts)
	if r.err != nil {
		return store.Application{}
	}
	version, err := strconv.ParseInt(text[1], 10, 64)
	var b body
	if err = cmp.Or(err, json.Unmarshal([]byte(text[4]), &b)); err != nil {
		r.err = fmt.Errorf("%w: %w", errCorrupt, err)
	}
	app := store.Application{
		ID: id, ClientID: text[2], Name: b.Name, RedirectURIs: b.RedirectURIs, Scopes: b.Scopes, Public: b.Public,
		PKCERequired: b.PKCERequired, SkipConsent: b.SkipConsent, Origin: b.Origin, Registration: (*store.Registration)(b.Registration),
		OwnerID: b.OwnerID, ClientURI: b.ClientURI, LogoURL: b.LogoURL, Metadata: b.Metadata, CreatedAt: r.time(text[3]), UpdatedAt: r.time(b.UpdatedAt), Version: version,
	}
	for _, s := range b.Secrets {
		app.Secrets = append(app.Secrets, store.Secret{ID: s.ID, Hash: s.Hash, CreatedAt: r.time(s.CreatedAt), ExpiresAt: r.time(s.ExpiresAt)})
	}
	return app
}

// CreateApplication implements [store.Applications].
func (s *Store) CreateApplication(ctx context.Context, app store.Application) error {
	body, err := bodyOf(app)
	if err != nil {
		return err
	}
	attempt := newAttempt()
	record := strings.Join([]string{attempt, "1", app.ClientID, timeText(app.CreatedAt), body}, separator)
	answer, err := s.run(ctx, createApplication, []string{s.keys.records(), s.keys.clients()}, app.ID, app.ClientID, attempt, record)
	if err != nil {
		return err
	}
	return outcome(answer)
}

// FindApplication implements [store.Applications].
func (s *Store) FindApplication(ctx context.Context, id string) (store.Application, error) {
	kept, err := await(ctx, func() (string, error) { return s.client.HGet(ctx, s.keys.records(), id).Result() })
	if errors.Is(err, redis.Nil) {
		return store.Application{}, store.ErrNotFound
	}
	if err != nil {
		return store.Application{}, fmt.Errorf("redisstore: %w", err)
	}
	var r reader
	app := r.application(id, kept)
	return app, r.err
}

// FindClient implements [store.Applications].
func (s *Store) FindClient(ctx context.Context, clientID string) (store.Application, error) {
	answer, err := s.run(ctx, findClient, []string{s.keys.records(), s.keys.clients()}, clientID)
	if err != nil {
		return store.Application{}, err
	}
	found, ok := answer.([]any)
	if !ok || len(found) != 2 {
		return store.Application{}, store.ErrNotFound
	}
	var r reader
	text := texts(found, 2)
	app := r.application(text[0], text[1])
	return app, r.err
}

// ListApplications implements [store.Applications]. It reads all applications,
// whatever it is asked: thousands take some milliseconds.
func (s *Store) ListApplications(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
	limit, err := store.CheckPage(q.Limit, q.Offset)
	if err != nil {
		return nil, 0, err
	}
	kept, err := await(ctx, func() (map[string]string, error) { return s.client.HGetAll(ctx, s.keys.records()).Result() })
	if err != nil {
		return nil, 0, fmt.Errorf("redisstore: %w", err)
	}
	var r reader
	var matched []store.Application
	part := strings.ToLower(q.Name)
	for id, text := range kept {
		app := r.application(id, text)
		if q.OwnerID != "" && app.OwnerID != q.OwnerID {
			continue
		}
		if q.Name != "" && app.ClientID != q.Name && !strings.Contains(strings.ToLower(app.Name), part) {
			continue
		}
		if q.Origin != "" && app.Origin != q.Origin || !q.UpdatedBefore.IsZero() && !app.UpdatedAt.Before(q.UpdatedBefore) {
			continue
		}
		matched = append(matched, app)
	}
	slices.SortFunc(matched, comparison(q.Order))
	return slices.Clone(page(matched, limit, q.Offset)), len(matched), r.err
}

// comparison returns the order as a function for sorting. It never finds two
// applications equal, as no two have the same ID.
func comparison(order store.ApplicationOrder) func(a, b store.Application) int {
	byTime := func(a, b store.Application) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	}
	byName := func(a, b store.Application) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	}
	switch order {
	case store.OldestFirst:
		return byTime
	case store.NameAscending:
		return byName
	case store.NameDescending:
		return func(a, b store.Application) int { return byName(b, a) }
	default:
		return func(a, b store.Application) int { return byTime(b, a) }
	}
}

// UpdateApplication implements [store.Applications].
func (s *Store) UpdateApplication(ctx context.Context, app store.Application) error {
	body, err := bodyOf(app)
	if err != nil {
		return err
	}
	version, following := strconv.FormatInt(app.Version, 10), strconv.FormatInt(app.Version+1, 10)
	answer, err := s.run(ctx, updateApplication, []string{s.keys.records()}, app.ID, newAttempt(), version, following, body)
	if err != nil {
		return err
	}
	return outcome(answer)
}

// DeleteApplication implements [store.Applications].
func (s *Store) DeleteApplication(ctx context.Context, id string) error {
	answer, err := s.run(ctx, deleteApplication, []string{s.keys.records(), s.keys.clients()}, id)
	if err != nil {
		return err
	}
	return outcome(answer)
}
