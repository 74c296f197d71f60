package memory_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// The sizes of the State that a provider keeps for a grant.
const (
	signedIn  = 250 // with two live tokens
	refreshed = 330 // after many rotations
)

// newGrant returns a grant that isn't stored yet.
func newGrant(userID string, at time.Time) store.Document {
	d := store.Document{
		ID: store.NewID(at, userID), Kind: store.KindGrant, UserID: userID, ApplicationID: "oauth_app_2ZyXwVuTsRqPoNmLkJiHgFeDcBa",
		CreatedAt: at, LastUsedAt: at, SweepAt: at.Truncate(24 * time.Hour).Add(48 * time.Hour),
	}
	write(&d, signedIn)
	return d
}

// write changes the document as a provider does before each write, and returns
// its previous mark.
func write(d *store.Document, size int) (mark int64) {
	mark = d.Mark
	d.Mark = rand.Int64() | 1
	d.State = strings.Repeat(string(binary.BigEndian.AppendUint64(nil, uint64(d.Mark))), size/8+1)[:size]
	return mark
}

// Hosts plan memory by the number of signed-in devices. Here each grant has
// another user, which takes the most memory.
func TestBytesPerGrant(t *testing.T) {
	const grants = 5_000
	s, at := memory.New(), time.Now().UTC()
	ids := make([]store.ID, grants)
	before := heap()
	check := func(most int, when string) {
		t.Helper()
		perGrant := int(heap()-before) / grants
		t.Logf("%d bytes per grant %s", perGrant, when)
		require.LessOrEqual(t, perGrant, most, "bytes per grant %s", when)
	}
	for i := range ids {
		d := newGrant(fmt.Sprintf("user_2abcdefghijklmnopqrst%06d", i), at)
		ids[i] = d.ID
		require.NoError(t, s.Create(t.Context(), d))
	}
	check(500, "with two live tokens")

	for range 36 {
		at = at.Add(2 * time.Hour)
		for _, id := range ids {
			d, _, err := s.Find(t.Context(), id)
			require.NoError(t, err)
			d.LastUsedAt, d.SweepAt = at, at.Truncate(24*time.Hour).Add(48*time.Hour)
			mark := write(&d, refreshed)
			require.NoError(t, s.Replace(t.Context(), d, mark))
		}
	}
	check(700, "after 36 rotations two hours apart")
	runtime.KeepAlive(s)
}

// heap returns how many bytes are in use after garbage collection.
func heap() uint64 {
	for range 3 { // Interned values are freed one collection later.
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Each request to the host's API finds a document, and each refresh replaces
// one.
func TestHotPathAllocatesNothing(t *testing.T) {
	s, ctx := memory.New(), t.Context()
	at := time.Now().UTC()
	d := newGrant("user_1", at)
	d.WorkspaceID, d.Seen = "team_1", store.Cuts{7: store.CutNumber(at)}
	require.NoError(t, s.Create(ctx, d))
	check := func(when string) {
		t.Helper()
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if _, _, err := s.Find(ctx, d.ID); err != nil {
				t.Fatal(err)
			}
		}), "of Find %s", when)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			mark := d.Mark
			d.Mark++
			if err := s.Replace(ctx, d, mark); err != nil {
				t.Fatal(err)
			}
		}), "of Replace %s", when)
	}
	check("without cut-offs")
	for _, key := range d.Key().Covering() {
		require.NoError(t, s.CutOff(ctx, key, store.CutNumber(at)))
	}
	check("with all cut-offs")
}

// A page with the last documents returns no cursor, even if it is full.
func TestListEndsWithItsLastPage(t *testing.T) {
	s, grants := filled(t, 30)
	q := store.Query{Kind: store.KindGrant, ApplicationID: grants[0].ApplicationID, Limit: 10}
	for left := len(grants); left > 0; left -= q.Limit {
		page, next, err := s.List(t.Context(), q)
		require.NoError(t, err)
		require.Len(t, page, q.Limit)
		require.Equal(t, left == q.Limit, next.IsZero(), "with %d left", left)
		q.After = next
	}
}

// The cost of every request to the host's API.
func BenchmarkFind(b *testing.B) {
	for _, cuts := range []string{"none", "others", "all"} {
		b.Run("cutoffs="+cuts, func(b *testing.B) {
			s, grants := filled(b, 10_000)
			for i := range grants {
				key := store.CutKey{ApplicationID: "other", UserID: grants[i].UserID}
				switch cuts {
				case "others":
					require.NoError(b, s.CutOff(b.Context(), store.CutKey{ApplicationID: fmt.Sprint(i)}, 1))
				case "all":
					key.ApplicationID = ""
				}
				if cuts != "none" {
					require.NoError(b, s.CutOff(b.Context(), key, 1))
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(len(grants)); pb.Next(); i++ {
					if _, _, err := s.Find(context.Background(), grants[i%len(grants)].ID); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// The cost that the store adds to a refresh.
func BenchmarkReplace(b *testing.B) {
	s, grants := filled(b, 10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d := &grants[i%len(grants)]
		mark := d.Mark
		d.Mark++
		if err := s.Replace(b.Context(), *d, mark); err != nil {
			b.Fatal(err)
		}
	}
}

// The cost that the store adds to a sign-in, with many documents stored.
func BenchmarkCreate(b *testing.B) {
	for _, size := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("kept=%d", size), func(b *testing.B) {
			s, grants := filled(b, size)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				d := grants[i%len(grants)]
				d.CreatedAt = d.CreatedAt.Add(time.Duration(i) * time.Millisecond)
				d.ID = store.NewID(d.CreatedAt, d.UserID)
				if err := s.Create(b.Context(), d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// filled returns a store with n grants, each of another user.
func filled(tb testing.TB, grants int) (*memory.Store, []store.Document) {
	s, kept, at := memory.New(), make([]store.Document, grants), time.Now().UTC()
	for i := range kept {
		at = at.Add(time.Millisecond)
		kept[i] = newGrant(fmt.Sprintf("user_2abcdefghijklmnopqrst%06d", i*7919%grants), at)
		require.NoError(tb, s.Create(tb.Context(), kept[i]))
	}
	return s, kept
}
