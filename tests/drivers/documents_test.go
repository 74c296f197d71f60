package drivers_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

func now() time.Time { return store.Micro(time.Now()) }

func newMark() int64 { return rand.Int64() + 1 }

// newGrant returns a grant that isn't stored yet.
func newGrant(userID, applicationID string, at time.Time) store.Document {
	return store.Document{
		ID: store.NewID(at, userID), Kind: store.KindGrant, UserID: userID, ApplicationID: applicationID,
		CreatedAt: at, LastUsedAt: at, SweepAt: at.Add(90 * 24 * time.Hour), Mark: newMark(), State: strings.Repeat("s", 250),
	}
}

// newConsent returns a consent that isn't stored yet.
func newConsent(userID, applicationID string, at time.Time) store.Document {
	d := newGrant(userID, applicationID, at)
	d.ID, d.Kind, d.SweepAt = store.ConsentID(userID, applicationID, ""), store.KindConsent, time.Time{}
	return d
}

// next returns the document with another mark.
func next(d store.Document) store.Document {
	d.Mark = newMark()
	return d
}

// The users and applications of the documents that fill creates, with IDs of
// the usual lengths.
func filledUser(i int) string        { return fmt.Sprintf("user_%024d", i) }
func filledApplication(i int) string { return fmt.Sprintf("app_%026d", i) }
