package sqlstore

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/latchkey-go/latchkey/store"
)

// The longest texts that are stored, in bytes. MySQL needs to know the length
// of what it indexes. The other dialects have the same limits, so that data
// that works with one database works with all.
const (
	maxID   = 512
	maxText = 1 << 20
)

// checkLength returns an error if a text is longer than longest bytes.
func checkLength(longest int, owner string, texts ...string) error {
	for _, text := range texts {
		if len(text) > longest {
			return fmt.Errorf("sqlstore: a text of the %s is longer than %d bytes", owner, longest)
		}
	}
	return nil
}

// presented returns a text from a request, to compare with stored texts. A text
// that can't be stored becomes one that never is.
func presented(s string) string {
	if store.IsText(s) {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "unkeepable:" + hex.EncodeToString(sum[:])
}

func checkDocument(d store.Document) error {
	return cmp.Or(d.Check(), checkLength(maxID, "document", d.UserID, d.ApplicationID, d.WorkspaceID), checkLength(maxText, "document", d.State))
}

func checkKey(k store.CutKey) error {
	return cmp.Or(k.Check(), checkLength(maxID, "cut-off", k.UserID, k.ApplicationID, k.WorkspaceID))
}

func checkApplication(app store.Application) error {
	return cmp.Or(app.Check(), checkLength(maxID, "application", app.ID, app.ClientID, app.OwnerID),
		checkLength(maxText, "application", app.Name, string(app.Origin)))
}
