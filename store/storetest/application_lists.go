package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var applicationListPromises = []promise{
	{"a list of applications has the documented order",
		"Pages fit together only if every list of the same order is the same.",
		applicationOrder},
	{"a list of applications comes in pages and counts all that match",
		"The Backend API reports the total next to each page.",
		applicationPages},
	{"a list of applications without a limit has ten",
		"Clerk's clients rely on the default.",
		applicationDefaultLimit},
	{"an invalid page of applications is an error",
		"If a negative limit meant no limit, a list could be of any length.",
		applicationBadPage},
	{"the filters of a list of applications work together",
		"An owner must not see another owner's applications, nor count them.",
		applicationFilters},
	{"a search matches part of an application's name, ignoring case",
		"People type into a search box in any case.",
		applicationSearch},
	{"a search takes every character literally",
		"People who type a percent sign or an underscore mean the character.",
		applicationLiteralSearch},
	{"a search matches a whole client ID",
		"Administrators copy the client ID from a log line.",
		applicationClientID},
}

// listsApplications checks that a list of the stored applications is what the
// query selects, by package store's own matching and order.
func (t *trial) listsApplications(kept []store.Application, q store.ApplicationQuery) {
	t.Helper()
	var want []store.Application
	for _, app := range kept {
		if q.Matches(&app) {
			want = append(want, app)
		}
	}
	slices.SortFunc(want, func(a, b store.Application) int { return q.Order.Compare(&a, &b) })
	total := len(want)
	want = want[min(q.Offset, total):]
	want = want[:min(q.Limit, len(want))]

	got, gotTotal, err := t.ListApplications(t.Context(), q)
	t.must(err, "listing applications by %+v", q)
	ids := func(page []store.Application) (ids []string) {
		for _, app := range page {
			ids = append(ids, app.ID)
		}
		return ids
	}
	t.equal(ids(got), ids(want), "the IDs listed by %+v", q)
	t.equal(gotTotal, total, "the total of applications by %+v", q)
}

// keep stores applications, each with a client ID made from its ID.
func (t *trial) keep(apps ...store.Application) []store.Application {
	t.Helper()
	for i := range apps {
		apps[i].ClientID = "client_" + apps[i].ID
		t.creates(apps[i])
	}
	return apps
}

func applicationOrder(t *trial) {
	// Only the documented order puts each of these in its place: upper case before
	// lower case, bytes instead of letters, and equal ones by their IDs.
	kept := t.keep(
		store.Application{ID: "d", Name: "b", CreatedAt: t.after(time.Hour)},
		store.Application{ID: "a", Name: "B", CreatedAt: t.after(time.Hour)},
		store.Application{ID: "C", Name: "a", CreatedAt: t.after(time.Hour + tick)},
		store.Application{ID: "c", Name: "a", CreatedAt: t.after(time.Hour - tick)},
		store.Application{ID: "b", Name: "é", CreatedAt: t.start},
		store.Application{ID: "e", Name: "f", CreatedAt: t.start},
		store.Application{ID: "f", Name: "a", CreatedAt: t.after(2 * time.Hour)},
	)
	for _, order := range []store.ApplicationOrder{store.NewestFirst, store.OldestFirst, store.NameAscending, store.NameDescending} {
		t.listsApplications(kept, store.ApplicationQuery{Order: order, Limit: 20})
	}
}

func applicationPages(t *trial) {
	t.listsApplications(nil, store.ApplicationQuery{Limit: 5})
	var kept []store.Application
	for i := range 12 {
		kept = append(kept, store.Application{ID: fmt.Sprintf("%02d", i), CreatedAt: t.after(time.Duration(i) * time.Second)})
	}
	t.keep(kept...)
	for _, p := range []struct{ limit, offset int }{{5, 0}, {5, 5}, {5, 10}, {1, 11}, {12, 0}, {100, 3}, {5, 12}, {5, 1000}} {
		for _, order := range []store.ApplicationOrder{store.NewestFirst, store.OldestFirst} {
			t.listsApplications(kept, store.ApplicationQuery{Order: order, Limit: p.limit, Offset: p.offset})
		}
	}
}

func applicationDefaultLimit(t *trial) {
	for i := range 12 {
		t.creates(store.Application{ID: fmt.Sprint("app_", i), ClientID: fmt.Sprint("client_", i)})
	}
	page, total, err := t.ListApplications(t.Context(), store.ApplicationQuery{})
	t.must(err, "listing applications")
	t.equal(len(page), store.DefaultLimit, "the length of a page without a limit")
	t.equal(total, 12, "the total next to a page without a limit")
}

func applicationBadPage(t *trial) {
	for _, q := range []store.ApplicationQuery{{Limit: -1}, {Offset: -1}, {Limit: 5, Offset: -1}} {
		_, _, err := t.ListApplications(t.Context(), q)
		t.refuses(err, "listing with limit %d and offset %d", q.Limit, q.Offset)
	}
}

func applicationFilters(t *trial) {
	owners := []string{"ann", "bob", "ann2", "Ann", ""}
	names := []string{"Wiki", "Notes", "wiki notes"}
	origins := []store.Origin{store.OriginManual, store.OriginRegistration, store.OriginDocument, ""}
	times := []time.Time{t.after(-time.Hour), t.after(-tick), t.start, t.after(tick)}
	var kept []store.Application
	for i := range 60 { // Each pair of values occurs, in no particular order.
		kept = append(kept, store.Application{
			ID: fmt.Sprintf("%02d", i), OwnerID: owners[i%len(owners)], Name: names[i%len(names)], Origin: origins[i%len(origins)],
			CreatedAt: t.after(time.Duration(i*7%60) * time.Second), UpdatedAt: times[i*3/4%len(times)],
		})
	}
	t.keep(kept...)
	zone := time.FixedZone("five and a half hours ahead", 5*60*60+30*60)
	for _, owner := range []string{"", "ann", "an", "nobody"} {
		for _, name := range []string{"", "wiki", "no such name"} {
			for _, origin := range []store.Origin{"", store.OriginManual, store.OriginDocument, "man", "Manual", "manual "} {
				for _, before := range []time.Time{{}, t.after(-time.Hour), t.start.In(zone), t.after(tick), t.after(time.Hour)} {
					for _, offset := range []int{0, 2} {
						t.listsApplications(kept, store.ApplicationQuery{
							OwnerID: owner, Name: name, Origin: origin, UpdatedBefore: before, Limit: 4, Offset: offset, Order: store.OldestFirst,
						})
					}
				}
			}
		}
	}

	changed := kept[0]
	changed.OwnerID, changed.Origin, changed.UpdatedAt, changed.Version = "bob", store.OriginDocument, t.after(-2*time.Hour), 1
	kept[0] = t.updates(changed)
	for _, q := range []store.ApplicationQuery{{OwnerID: "ann"}, {OwnerID: "bob"}, {Origin: store.OriginDocument}, {UpdatedBefore: t.after(-time.Hour)}} {
		q.Limit = 100
		t.listsApplications(kept, q)
	}
}

// searches checks what a search for each of the parts finds.
func (t *trial) searches(names, parts []string) {
	t.Helper()
	var kept []store.Application
	for i, name := range names {
		kept = append(kept, store.Application{ID: fmt.Sprint("app_", i), Name: name})
	}
	t.keep(kept...)
	for _, part := range parts {
		t.listsApplications(kept, store.ApplicationQuery{Name: part, Order: store.NameAscending, Limit: 100})
	}
}

func applicationSearch(t *trial) {
	t.searches([]string{"Acme Wiki", "acme notes", "Café", "CAFÉ MENU", "Привет", "日本語"},
		[]string{"acme", "WIKI", "e n", "café", "CAFÉ", "cafe", "ПРИВ", "本", "acmew", " "})
}

func applicationLiteralSearch(t *trial) {
	t.searches([]string{"100% Wool", "100 Wool", "a_b", "axb", `a\b`, "a*b", "a?b", "a[x]b", "it's", "a%b", "a.b"},
		[]string{"%", "_", `\`, "*", "?", "[x]", "'", "a_b", "a%b", ".", `\%`, "''"})
}

func applicationClientID(t *trial) {
	kept := []store.Application{{ID: "app_1", ClientID: "AbC123", Name: "One"}, {ID: "app_2", ClientID: "xyz789", Name: "has AbC123 in its name"}}
	for _, app := range kept {
		t.creates(app)
	}
	for _, name := range []string{"AbC123", "xyz789", "abc123", "xyz", "app_1"} {
		t.listsApplications(kept, store.ApplicationQuery{Name: name, Limit: 10})
	}
}
