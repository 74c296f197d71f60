package store_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

var someTime = time.Date(2026, 11, 22, 12, 0, 0, 123_456_000, time.UTC)

func TestNewIDsSortByTimeAndCarryTheUser(t *testing.T) {
	var ids []string
	for i := range 1000 {
		id := store.NewID(someTime.Add(time.Duration(i)*time.Microsecond), "user_1")
		require.Equal(t, store.UserTag("user_1"), id.Tag())
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, id.String())
		ids = append(ids, id.String())
	}
	require.True(t, slices.IsSorted(ids))
	require.NotEqual(t, store.UserTag("user_1"), store.UserTag("user_2"))
	require.NotEqual(t, store.NewID(someTime, "user_1"), store.NewID(someTime, "user_1"))
	tags := map[uint16]bool{}
	for range 100 {
		tags[store.NewID(someTime, "").Tag()] = true
	}
	require.Greater(t, len(tags), 90, "documents about no user spread")
	require.NotEqual(t, store.ConsentID("", "app_1", "").Tag(), store.ConsentID("", "app_2", "").Tag())
}

// Stored documents are found by these IDs, so they must never change.
func TestIDsAreStable(t *testing.T) {
	require.Equal(t, "08e607b9-20e6-853f-bdfe-e6751b4c4991", store.ConsentID("ann", "wiki", "acme").String())
	require.Equal(t, uint16(0x4991), store.UserTag("ann"))
}

func TestConsentIDsDiffer(t *testing.T) {
	long := strings.Repeat("a", 127)
	texts := []string{long, long + "a", long + "aa", "\x01a", "", "a", "b", "ab", "A", "a ", "á", "a\u0301", "a:", ":a", "a|b", "1", "1a", "a\x00", "\x00", "\x00\x00\x00\x00\x00\x00\x00\x01a"}
	seen := map[store.ID][]string{}
	for _, user := range texts {
		for _, application := range texts {
			for _, workspace := range texts {
				id := store.ConsentID(user, application, workspace)
				if other, taken := seen[id]; taken {
					t.Fatalf("%q and %q have one ID", other, []string{user, application, workspace})
				}
				seen[id] = []string{user, application, workspace}
				require.Equal(t, id, store.ConsentID(user, application, workspace))
				if user != "" {
					require.Equal(t, store.UserTag(user), id.Tag())
				}
				require.Equal(t, []byte{0x80, 0x80}, []byte{id[6] & 0xf0, id[8] & 0xc0}, "the version and the variant")
			}
		}
	}
}

func TestIDText(t *testing.T) {
	id := store.NewID(someTime, "user_1")
	again, err := store.ParseID(id.String())
	require.NoError(t, err)
	require.Equal(t, id, again)

	text, err := json.Marshal(id)
	require.NoError(t, err)
	require.Equal(t, `"`+id.String()+`"`, string(text))
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, id, again)
	require.True(t, store.ID{}.IsZero())
	require.False(t, id.IsZero())

	for _, bad := range []string{
		"", "x", strings.ReplaceAll(id.String(), "-", ""), "A" + id.String()[1:], strings.ToUpper(id.String()), id.String() + " ", id.String() + "0",
		"{" + id.String() + "}", id.String()[:35], strings.Replace(id.String(), "-", "", 1) + "-",
	} {
		_, err := store.ParseID(bad)
		require.ErrorContains(t, err, "form of a UUID", "%q", bad)
	}
}

func TestKindNames(t *testing.T) {
	var names []string
	for kind := range store.KindMachine + 2 {
		names = append(names, kind.String())
	}
	require.Equal(t, []string{"Kind(0)", "grant", "consent", "device", "keys", "once", "machine", "Kind(7)"}, names)
}

func someDocument(user string) store.Document {
	return store.Document{
		ID: store.NewID(someTime, user), Kind: store.KindGrant, UserID: user, ApplicationID: "app_1", WorkspaceID: "space_1", CreatedAt: someTime, Mark: 1,
	}
}

func TestDocumentCheck(t *testing.T) {
	for _, user := range []string{"", "user_1", "é"} {
		d := someDocument(user)
		require.NoError(t, d.Check())
	}
	for name, spoil := range map[string]func(*store.Document){
		"no ID":           func(d *store.Document) { d.ID = store.ID{} },
		"another user":    func(d *store.Document) { d.UserID = "user_2" },
		"no kind":         func(d *store.Document) { d.Kind = 0 },
		"no mark":         func(d *store.Document) { d.Mark = 0 },
		"no time":         func(d *store.Document) { d.CreatedAt = time.Time{} },
		"bad user":        func(d *store.Document) { *d = someDocument("secret\x00") },
		"bad application": func(d *store.Document) { d.ApplicationID = "secret\xff" },
		"bad workspace":   func(d *store.Document) { d.WorkspaceID = "secret\x00" },
	} {
		d := someDocument("user_1")
		spoil(&d)
		err := d.Check()
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestNewerAndCursor(t *testing.T) {
	at := func(seconds int, first byte) store.Document {
		return store.Document{ID: store.ID{first, 1}, CreatedAt: someTime.Add(time.Duration(seconds) * time.Second)}
	}
	inOrder := []store.Document{at(2, 0), at(1, 0xff), at(1, 0x80), at(1, 0x7f), at(1, 0), at(0, 0xff)}
	for i, a := range inOrder {
		cursor := store.Cursor{CreatedAt: a.CreatedAt.In(time.FixedZone("one hour ahead", 3600)), ID: a.ID}
		require.False(t, cursor.IsZero())
		require.True(t, store.Cursor{}.Before(&a), "the zero cursor is before all")
		for j, b := range inOrder {
			order := store.Newer(a, b)
			require.Equal(t, i < j, order < 0, "%d and %d", i, j)
			require.Equal(t, i == j, order == 0, "%d and %d", i, j)
			require.Equal(t, i < j, cursor.Before(&b), "%d and %d", i, j)
		}
	}
	require.True(t, store.Cursor{}.IsZero())
}

func TestQueryCheck(t *testing.T) {
	for _, q := range []store.Query{{UserID: "u", Limit: 1}, {ApplicationID: "a", Limit: 1}, {WorkspaceID: "w", Limit: 1}} {
		require.NoError(t, q.Check())
	}
	for _, q := range []store.Query{{}, {Limit: 1}, {Kind: store.KindGrant, Limit: 1}, {UserID: "u"}, {UserID: "u", Limit: -1}} {
		require.Error(t, q.Check(), "%+v", q)
	}
}

func TestQueryMatches(t *testing.T) {
	d := someDocument("user_1")
	ended := d
	ended.EndedAt = someTime
	for _, q := range []store.Query{
		{UserID: "user_1"}, {ApplicationID: "app_1"}, {WorkspaceID: "space_1"}, {UserID: "user_1", ApplicationID: "app_1", WorkspaceID: "space_1"}, {},
	} {
		q.Kind = store.KindGrant
		require.True(t, q.Matches(&d), "%+v", q)
		require.True(t, q.Matches(&ended), "%+v", q)
		q.Kind = store.KindConsent
		require.False(t, q.Matches(&d), "%+v", q)
	}
	for _, q := range []store.Query{{UserID: "user_2"}, {UserID: "User_1"}, {ApplicationID: "app_2"}, {WorkspaceID: "space_2"}, {UserID: "user_1", ApplicationID: "app_2"}} {
		q.Kind = store.KindGrant
		require.False(t, q.Matches(&d), "%+v", q)
	}
}
