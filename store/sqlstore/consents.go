package sqlstore

import (
	"context"

	"github.com/latchkey-go/latchkey/store"
)

const consentColumns = `application_id, scopes, agreed, resource, agreed_at, created_at, last_used_at`

func intoConsent(c *store.Consent) []any {
	return []any{
		&c.ApplicationID, setInto{&c.Scopes}, setInto{&c.Agreed}, &c.Resource,
		timeInto{&c.AgreedAt}, timeInto{&c.CreatedAt}, timeInto{&c.LastUsedAt},
	}
}

const findConsentSQL = `
select ` + consentColumns + ` from oauth_consents
where user_id = $1::text and application_id = $2::text`

// FindConsent implements [store.Grants].
func (s *Store) FindConsent(ctx context.Context, userID, applicationID string) (store.Consent, error) {
	c := store.Consent{UserID: userID}
	err := s.try(ctx, "find consent", func(ctx context.Context) error {
		return s.row(ctx, s.db, findConsentSQL, []any{presented(userID), presented(applicationID)}, intoConsent(&c))
	})
	if err != nil {
		return store.Consent{}, err
	}
	return c, nil
}

const listConsentsSQL = `
select ` + consentColumns + ` from oauth_consents
where user_id = $1::text
order by last_used_at desc, application_id`

// ListConsents implements [store.Grants].
func (s *Store) ListConsents(ctx context.Context, userID string) ([]store.Consent, error) {
	var list []store.Consent
	err := s.try(ctx, "list consents", func(ctx context.Context) error {
		list = nil
		return s.rows(ctx, s.db, listConsentsSQL, []any{presented(userID)}, func(scan func(into ...any) error) error {
			c := store.Consent{UserID: userID}
			if err := scan(intoConsent(&c)...); err != nil {
				return err
			}
			list = append(list, c)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
