package sqlstore

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// The longest texts that are kept. MySQL needs to know the length of what it
// indexes, and the others refuse the same, so that what works with one
// database works with all.
const (
	maxID   = 512
	maxText = 1 << 20
)

// checkLength refuses texts that are too long to be kept.
func checkLength(longest int, owner string, texts ...string) error {
	for _, text := range texts {
		if len(text) > longest {
			return fmt.Errorf("sqlstore: a text of the %s is longer than %d bytes", owner, longest)
		}
	}
	return nil
}

// checkSet refuses names of scopes that cannot be kept with spaces between
// them. RFC 6749 section 3.3 has no such names.
func checkSet(owner string, set scopes.Set) error {
	for _, name := range set {
		if name == "" || strings.Contains(name, " ") {
			return fmt.Errorf("sqlstore: a scope of the %s has an empty name or one with a space in it", owner)
		}
	}
	return checkLength(maxText, owner, set...)
}

// presented returns a text that somebody presents so that it can be compared
// with what is kept: a text that cannot be kept becomes one that nobody keeps.
func presented(s string) string {
	if store.IsText(s) {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "unkeepable:" + hex.EncodeToString(sum[:])
}

// presentedSet returns the set of scopes that is asked for, as it is kept, and
// NULL if none is asked for. Names that cannot be kept become one that nobody
// has.
func presentedSet(set scopes.Set) any {
	if len(set) == 0 {
		return nil
	}
	set = slices.Clone(set)
	for i, name := range set {
		if !store.IsText(name) || checkSet("request", scopes.Set{name}) != nil {
			set[i] = presented(name + "\x00")
		}
	}
	return joinSet(set)
}

func checkNewGrant(n store.NewGrant) error {
	g := n.Grant
	err := cmp.Or(n.Check(), checkLength(maxID, "grant", g.UserID, g.ApplicationID), checkLength(maxText, "grant", g.Resource), checkSet("grant", g.Scopes))
	if err == nil && n.Code != nil {
		err = checkLength(maxText, "code", n.Code.RedirectURI, n.Code.Challenge)
	}
	return err
}

func checkApplication(app store.Application) error {
	texts := []string{app.Name, string(app.Origin), app.ClientURI, app.LogoURL}
	texts = append(texts, app.RedirectURIs...)
	texts = append(texts, app.Scopes...)
	if r := app.Registration; r != nil {
		texts = append(texts, r.Type, r.AuthMethod, r.TermsURI, r.PolicyURI, r.SoftwareID, r.SoftwareVersion)
		texts = slices.Concat(texts, r.GrantTypes, r.Contacts)
	}
	for key, value := range app.Metadata {
		texts = append(texts, key, value)
	}
	return cmp.Or(app.Check(), checkLength(maxID, "application", app.ID, app.ClientID, app.OwnerID), checkLength(maxText, "application", texts...))
}
