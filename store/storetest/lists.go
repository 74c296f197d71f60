package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var listPromises = []promise{
	{"a list has what the query selects, and nothing else",
		"A user must not see another user's documents, and must find every application on the page of connected apps.",
		listSelects},
	{"a list goes from newest to oldest, and then from greater to smaller IDs",
		"Pages fit together only if every list of the same documents has one order.",
		listOrder},
	{"a list leaves out documents that have ended or are cut off",
		"A user who disconnects an application must not see it again.",
		listLeavesOut},
	{"a list has each document as it is stored",
		"A page must show what the provider decides by.",
		listIsWhole},
	{"pages have each document once, and come to an end",
		"A program that ends each document must reach all of them.",
		listPages},
	{"pages fit together while documents come and go",
		"The list changes while it is read.",
		listBesideTraffic},
	{"a page may begin at any place",
		"The document where a page ended may be gone when the next page is read.",
		listFromPlace},
	{"an invalid page is an error",
		"A list of all documents could be of any length.",
		listRefused},
}

// walk returns all documents of a list, page by page. Between two pages it
// calls between, if set.
func (t *trial) walk(q store.Query, between func()) (all []store.Document) {
	t.Helper()
	for range 1_000 {
		page, next, err := t.List(t.Context(), q)
		t.must(err, "listing by %+v", q)
		if len(page) > q.Limit {
			t.errorf("listing by %+v: got %d documents, want at most %d", q, len(page), q.Limit)
		}
		all = append(all, page...)
		if next.IsZero() {
			return all
		}
		q.After = next
		if between != nil {
			between()
		}
	}
	t.fatalf("listing by %+v: the list didn't end after 1,000 pages", q)
	return nil
}

// lists checks that a list has the expected documents, in order, with pages of
// any length.
func (t *trial) lists(q store.Query, want []store.Document, format string, args ...any) {
	t.Helper()
	want = slices.SortedFunc(slices.Values(want), store.Newer)
	limits := []int{1, 3, 100}
	if q.Limit != 0 {
		limits = []int{q.Limit}
	}
	for _, q.Limit = range limits {
		t.sameList(t.walk(q, nil), want, "%s: the list by %+v", fmt.Sprintf(format, args...), q)
	}
}

// sameList checks that two lists have the same documents in the same order.
func (t *trial) sameList(got, want []store.Document, format string, args ...any) {
	t.Helper()
	if len(got) != len(want) {
		t.errorf("%s: got %d documents, want %d: got %s, want %s", fmt.Sprintf(format, args...), len(got), len(want), ids(got), ids(want))
		return
	}
	for i := range got {
		t.equal(got[i], want[i], "%s: document %d of %d", fmt.Sprintf(format, args...), i+1, len(want))
	}
}

// ids returns the IDs of the first few documents.
func ids(documents []store.Document) (ids []string) {
	for _, d := range documents[:min(len(documents), 5)] {
		ids = append(ids, d.ID.String())
	}
	return ids
}

func listSelects(t *trial) {
	kinds := []store.Kind{store.KindGrant, 77}
	users := []string{"", someUser, otherUser, twin(someUser), "User_1", "user_1 "}
	apps := []string{"", someApp, otherApp, "APP_1", "app_1 "}
	spaces := []string{"", someSpace, "Space_1", "space_1 "}
	var kept []store.Document
	for i, kind := range kinds {
		for j, user := range users {
			for k, app := range apps {
				for l, space := range spaces {
					kept = append(kept, t.create(store.CutKey{UserID: user, ApplicationID: app, WorkspaceID: space}, func(d *store.Document) {
						d.Kind, d.CreatedAt = kind, t.after(time.Duration(i*7+j*11+k*13+l*17)%29*time.Second)
					}))
				}
			}
		}
	}
	for _, kind := range append(kinds, store.KindDevice) {
		for _, user := range append(users, "user") {
			for _, app := range append(apps, "app") {
				for _, space := range append(spaces, "space") {
					q := store.Query{Kind: kind, UserID: user, ApplicationID: app, WorkspaceID: space, Limit: 40}
					if q.Check() != nil {
						continue
					}
					var want []store.Document
					for _, d := range kept {
						if q.Matches(&d) {
							want = append(want, d)
						}
					}
					t.lists(q, want, "among documents of many")
				}
			}
		}
	}
}

// somePlaces returns documents, in order, that differ only in their times and
// IDs.
func (t *trial) somePlaces() (kept []store.Document) {
	for _, at := range []time.Time{t.start, t.after(-tick), t.after(tick), t.after(-day * 400), t.after(time.Hour)} {
		for _, first := range []byte{0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff} { // these have another order as signed numbers and as text
			for _, ninth := range []byte{0x0a, 0x5a, 0xf0} {
				kept = append(kept, t.create(someKey, func(d *store.Document) {
					d.CreatedAt, d.ID[0], d.ID[8] = at, first, ninth
					d.LastUsedAt = t.after(time.Duration(first) * time.Second) // no part of the order
				}))
			}
		}
	}
	slices.SortFunc(kept, store.Newer)
	return kept
}

func listOrder(t *trial) {
	kept := t.somePlaces()
	for _, q := range []store.Query{{UserID: someUser}, {ApplicationID: someApp}, {WorkspaceID: someSpace}, {UserID: someUser, ApplicationID: someApp}} {
		q.Kind = store.KindGrant
		t.lists(q, kept, "among documents of many times")
	}
	for i, at := range []time.Time{t.after(2 * time.Hour), t.after(-500 * day), t.start} {
		kept[i] = t.replaces(kept[i], func(d *store.Document) { d.CreatedAt = at })
		t.lists(store.Query{Kind: store.KindGrant, UserID: someUser, ApplicationID: someApp}, kept, "after a document was replaced by one of another time")
	}
}

func listLeavesOut(t *trial) {
	var kept []store.Document
	for i := range 20 {
		kept = append(kept, t.create(someKey, func(d *store.Document) { d.CreatedAt = t.after(time.Duration(i) * time.Second) }))
	}
	queries := []store.Query{
		{UserID: someUser}, {ApplicationID: someApp}, {WorkspaceID: someSpace}, {UserID: someUser, ApplicationID: someApp},
		{UserID: someUser, WorkspaceID: someSpace}, {ApplicationID: someApp, WorkspaceID: someSpace},
		{UserID: someUser, ApplicationID: someApp, WorkspaceID: someSpace},
	}
	listed := func(want []store.Document, what string) {
		t.Helper()
		for _, q := range queries {
			q.Kind, q.Limit = store.KindGrant, 6
			t.lists(q, want, "%s", what)
		}
	}
	var live []store.Document
	for i, d := range kept {
		if i%5 < 2 { // two ended ones in a row, also at the end
			t.ends(d, t.start, t.after(time.Hour))
		} else {
			live = append(live, d)
		}
	}
	listed(live, "after some have ended")

	for i, key := range everyForm(someKey) {
		t.cuts(key, int64(1000+i))
		listed(nil, fmt.Sprintf("after %+v was cut off", key))
		later := t.create(someKey, func(d *store.Document) { d.Seen = t.numbersNow(someKey).numbers(someKey) })
		listed([]store.Document{later}, fmt.Sprintf("a document that was created after %+v was cut off", key))
	}
}

func listIsWhole(t *trial) {
	d := t.fullDocument(someKey)
	t.must(t.Create(t.Context(), d), "creating a document")
	q := store.Query{Kind: d.Kind, UserID: someUser}
	t.lists(q, []store.Document{d}, "with something in each field")
	t.lists(store.Query{Kind: d.Kind, ApplicationID: someApp}, []store.Document{d}, "with something in each field")
	d = t.replaces(d, func(d *store.Document) {
		d.LastUsedAt, d.SweepAt, d.Seen, d.State = t.after(time.Hour), time.Time{}, store.Cuts{8, 7, 6, 5, 4, 3, 2, 1}, "another state"
	})
	t.lists(q, []store.Document{d}, "after it was replaced")
}

func listPages(t *trial) {
	var kept, live []store.Document
	for i := range 60 {
		d := t.create(someKey, func(d *store.Document) { d.CreatedAt = t.after(time.Duration(i/4) * time.Second) })
		kept = append(kept, d)
		if i%10 < 4 || i >= 55 { // whole pages have ended, including the first one
			t.ends(d, t.start, t.after(time.Hour))
		} else {
			live = append(live, d)
		}
	}
	for _, limit := range []int{1, 2, 3, 7, 10, 36, 59, 60, 61, 1000} {
		t.lists(store.Query{Kind: store.KindGrant, UserID: someUser, Limit: limit}, live, "in pages")
		t.lists(store.Query{Kind: store.KindGrant, UserID: otherUser, Limit: limit}, nil, "of a user without documents")
	}
	for _, d := range kept {
		t.ends(d, t.start, t.after(time.Hour))
	}
	t.lists(store.Query{Kind: store.KindGrant, UserID: someUser}, nil, "after all have ended")
}

func listBesideTraffic(t *trial) {
	for user, traffic := range map[string]func(leaving []store.Document){
		"come": func([]store.Document) { // newer than the place of the list
			t.create(store.CutKey{UserID: "come"}, func(d *store.Document) { d.CreatedAt = t.after(time.Hour) })
		},
		"go": func(leaving []store.Document) {
			t.ends(leaving[0], t.start, t.start)
			t.sweeps(t.start)
		},
	} {
		var stay, leave []store.Document
		for i := range 40 {
			d := t.create(store.CutKey{UserID: user}, func(d *store.Document) { d.CreatedAt = t.after(-time.Duration(i) * time.Second) })
			if i%2 == 0 {
				stay = append(stay, d)
			} else {
				leave = append(leave, d)
			}
		}
		next := 0
		got := t.walk(store.Query{Kind: store.KindGrant, UserID: user, Limit: 3}, func() {
			traffic(leave[next%len(leave):])
			next++
		})
		times := map[store.ID]int{}
		for _, d := range got {
			times[d.ID]++
		}
		for _, d := range stay {
			if times[d.ID] != 1 {
				t.errorf("a list in pages while others %s: a document that existed all the time was found %d times, want 1", user, times[d.ID])
			}
		}
		if !slices.IsSortedFunc(got, store.Newer) || len(times) != len(got) {
			t.errorf("a list in pages while others %s: the documents are not in order, each once", user)
		}
	}
}

func listFromPlace(t *trial) {
	kept := t.somePlaces()
	gone := kept[len(kept)/2]
	t.ends(gone, t.start, t.start)
	t.sweeps(t.start)
	zone := time.FixedZone("five and a half hours ahead", 5*60*60+30*60)
	for i, d := range kept {
		rest := slices.DeleteFunc(slices.Clone(kept[i+1:]), func(d store.Document) bool { return d.ID == gone.ID })
		for _, q := range []store.Query{{UserID: someUser}, {ApplicationID: someApp, WorkspaceID: someSpace}} {
			q.Kind, q.Limit, q.After = store.KindGrant, 50, store.Cursor{CreatedAt: d.CreatedAt.In(zone), ID: d.ID}
			t.lists(q, rest, "from document %d of %d", i+1, len(kept))
		}
	}
	never := store.Cursor{CreatedAt: t.after(time.Minute), ID: store.NewID(t.start, otherUser)}
	rest := slices.DeleteFunc(slices.Clone(kept), func(d store.Document) bool { return d.ID == gone.ID || d.CreatedAt.After(never.CreatedAt) })
	t.lists(store.Query{Kind: store.KindGrant, UserID: someUser, After: never}, rest, "from a place that never had a document")
}

func listRefused(t *trial) {
	t.create(someKey)
	for _, q := range []store.Query{
		{Limit: 10}, {UserID: someUser}, {UserID: someUser, Limit: -1}, {ApplicationID: someApp, Limit: 0}, {After: store.Cursor{CreatedAt: t.start, ID: store.NewID(t.start, "")}, Limit: 10},
	} {
		q.Kind = store.KindGrant
		_, _, err := t.List(t.Context(), q)
		t.refuses(err, "listing by %+v", q)
	}
}
