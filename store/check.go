package store

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// The checks in this file are what the contract asks of its input, in one
// place for all backends. A backend makes them first of all, and adds what it
// alone has to ask. Their errors never repeat a text.

// IsText reports whether s is a text that the contract promises to keep: valid
// UTF-8 without NUL.
func IsText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func checkTexts(owner string, texts ...string) error {
	for _, text := range texts {
		if !IsText(text) {
			return fmt.Errorf("store: a text of the %s is not valid UTF-8 or contains NUL", owner)
		}
	}
	return nil
}

// CheckTime refuses the zero time for something that happens at a time. Kept
// as the time of a revocation it would mean that nothing was revoked.
func CheckTime(at time.Time) error {
	if at.IsZero() {
		return errors.New("store: the time of the step is zero")
	}
	return nil
}

func checkHash(h Hash) error {
	if h.IsZero() {
		return errors.New("store: a code or token without a hash")
	}
	return nil
}

// CheckPage refuses a page that does not exist, and returns the limit to use.
func CheckPage(limit, offset int) (int, error) {
	if limit < 0 || offset < 0 {
		return 0, fmt.Errorf("store: a page has no limit %d and offset %d", limit, offset)
	}
	return cmp.Or(limit, DefaultLimit), nil
}

// Check refuses an application that no backend keeps.
func (app Application) Check() error {
	texts := []string{app.ID, app.ClientID, app.Name, string(app.Origin), app.OwnerID, app.ClientURI, app.LogoURL}
	texts = append(texts, app.RedirectURIs...)
	texts = append(texts, app.Scopes...)
	texts = append(texts, app.Registration.texts()...)
	for _, secret := range app.Secrets {
		texts = append(texts, secret.ID)
	}
	for key, value := range app.Metadata {
		texts = append(texts, key, value)
	}
	return checkTexts("application", texts...)
}

// Check refuses a grant that no backend keeps.
func (n NewGrant) Check() error {
	g := n.Grant
	if g.ID.IsZero() || g.ID.Tag() != UserTag(g.UserID) {
		return errors.New("store: the grant's id was not made by NewGrantID for its user")
	}
	var hash Hash
	var redirectURI, challenge string
	switch {
	case n.Code != nil && n.Access == nil:
		hash, redirectURI, challenge = n.Code.Hash, n.Code.RedirectURI, n.Code.Challenge
	case n.Access != nil && n.Code == nil:
		hash = n.Access.Hash
	default:
		return errors.New("store: a new grant has either a code or an access token")
	}
	return cmp.Or(checkHash(hash), checkTexts("grant", g.Scopes...), checkTexts("grant", g.UserID, g.ApplicationID, g.Resource, redirectURI, challenge))
}

// Check refuses a redemption that would keep what no backend keeps. What is
// only compared may be anything.
func (r CodeRedemption) Check() error {
	err := cmp.Or(CheckTime(r.At), checkHash(r.Access.Hash))
	if err == nil && r.Refresh != nil {
		err = checkHash(r.Refresh.Hash)
	}
	return err
}

// Check refuses a rotation that would keep what no backend keeps. What is only
// compared may be anything.
func (r RefreshRotation) Check() error {
	return cmp.Or(CheckTime(r.At), checkHash(r.Access.Hash), checkHash(r.Refresh.Hash))
}

// Check refuses a revocation at no time.
func (r TokenRevocation) Check() error { return CheckTime(r.At) }
