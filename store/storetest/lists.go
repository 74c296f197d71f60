package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var listPromises = []promise{
	{"a list has the documented order",
		"Pages fit together only if every list of the same order is the same.",
		listOrder},
	{"a list comes in pages and counts all that match",
		"The Backend API reports the total beside each page.",
		listPages},
	{"a list without a limit has ten",
		"Clerk's clients rely on the default.",
		listDefaultLimit},
	{"a page that cannot be is an error",
		"A negative limit that means all would let a list be of any length.",
		listBadPage},
	{"a list is of one owner",
		"An owner must not see what another one has.",
		listOwner},
	{"a list is of one origin",
		"An administrator tells what the host registered from what registered itself.",
		listOrigin},
	{"a list is of what was changed before a time",
		"Applications that registered themselves and were never used are found and removed by it.",
		listUpdatedBefore},
	{"filters of a list go together",
		"A page and its total must be of what was asked for, and nothing else.",
		listFilters},
	{"a list is searched by part of the name, upper and lower case alike",
		"It is a search box: people type as they like.",
		listName},
	{"a search takes every character literally",
		"Somebody who types a percent sign or an underscore looks for just that.",
		listNameLiterally},
	{"a list is searched by the whole client id",
		"Administrators have the client id from a log line.",
		listClientID},
}

// listed returns the ids of a list, after checking that it has no error.
func (t *trial) listed(q store.ApplicationQuery) (ids []string, total int) {
	t.Helper()
	page, total, err := t.ListApplications(t.Context(), q)
	t.must(err, "listing applications by %+v", q)
	for _, app := range page {
		ids = append(ids, app.ID)
	}
	return ids, total
}

func listOrder(t *trial) {
	// Each of these stands where only the documented order puts it: upper case
	// before lower case, bytes rather than letters, equal ones by their id.
	apps := []store.Application{
		{ID: "d", Name: "b", CreatedAt: t.after(time.Hour)},
		{ID: "a", Name: "B", CreatedAt: t.after(time.Hour)},
		{ID: "C", Name: "a", CreatedAt: t.after(time.Hour + tick)},
		{ID: "c", Name: "a", CreatedAt: t.after(time.Hour - tick)},
		{ID: "b", Name: "é", CreatedAt: t.start},
		{ID: "e", Name: "f", CreatedAt: t.start},
		{ID: "f", Name: "a", CreatedAt: t.after(2 * time.Hour)},
	}
	for _, app := range apps {
		app.ClientID = "client_" + app.ID
		t.createApplication(app)
	}
	byTime := func(a, b store.Application) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	}
	byName := func(a, b store.Application) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	}
	for _, order := range []struct {
		name    string
		order   store.ApplicationOrder
		compare func(a, b store.Application) int
	}{
		{"oldest first", store.OldestFirst, byTime},
		{"newest first", store.NewestFirst, func(a, b store.Application) int { return byTime(b, a) }},
		{"by name, ascending", store.NameAscending, byName},
		{"by name, descending", store.NameDescending, func(a, b store.Application) int { return byName(b, a) }},
		{"in the zero order, newest first", 0, func(a, b store.Application) int { return byTime(b, a) }},
	} {
		var want []string
		for _, app := range slices.SortedFunc(slices.Values(apps), order.compare) {
			want = append(want, app.ID)
		}
		got, _ := t.listed(store.ApplicationQuery{Order: order.order, Limit: 20})
		t.equal(got, want, "the ids of all applications %s", order.name)
	}
}

func listPages(t *trial) {
	page, total, err := t.ListApplications(t.Context(), store.ApplicationQuery{Limit: 5})
	t.must(err, "listing an empty store")
	t.equal(len(page), 0, "the page of an empty store")
	t.equal(total, 0, "the total of an empty store")

	var all []string
	for i := range 12 {
		app := t.fullApplication()
		app.ID, app.ClientID, app.CreatedAt = fmt.Sprintf("app_%02d", i), fmt.Sprintf("client_%02d", i), t.after(time.Duration(i)*time.Second)
		t.createApplication(app)
		all = append(all, app.ID)
	}
	for _, p := range []struct{ limit, offset, first, end int }{
		{5, 0, 0, 5}, {5, 5, 5, 10}, {5, 10, 10, 12}, {1, 11, 11, 12}, {12, 0, 0, 12}, {100, 3, 3, 12}, {5, 12, 0, 0}, {5, 1000, 0, 0},
	} {
		q := store.ApplicationQuery{Order: store.OldestFirst, Limit: p.limit, Offset: p.offset}
		got, total := t.listed(q)
		if !slices.Equal(got, all[p.first:p.end]) {
			t.errorf("the page of %d from %d: got %q, want %q", p.limit, p.offset, got, all[p.first:p.end])
		}
		t.equal(total, 12, "the total beside the page of %d from %d", p.limit, p.offset)
	}

	page, _, err = t.ListApplications(t.Context(), store.ApplicationQuery{Order: store.OldestFirst, Limit: 1})
	t.must(err, "listing one application")
	want := t.fullApplication()
	want.ID, want.ClientID = "app_00", "client_00"
	if len(page) == 1 {
		t.equal(page[0], want, "an application in a list")
	}
}

func listDefaultLimit(t *trial) {
	for i := range 12 {
		t.createApplication(store.Application{ID: fmt.Sprint("app_", i), ClientID: fmt.Sprint("client_", i)})
	}
	got, total := t.listed(store.ApplicationQuery{})
	t.equal(len(got), store.DefaultLimit, "the length of a page without a limit")
	t.equal(total, 12, "the total beside a page without a limit")
}

func listBadPage(t *trial) {
	for _, q := range []store.ApplicationQuery{{Limit: -1}, {Offset: -1}, {Limit: 5, Offset: -1}} {
		if _, _, err := t.ListApplications(t.Context(), q); err == nil {
			t.errorf("listing with limit %d and offset %d: got no error", q.Limit, q.Offset)
		}
	}
}

func listOwner(t *trial) {
	for _, app := range []store.Application{
		{ID: "1", OwnerID: "ann"}, {ID: "2", OwnerID: "bob"}, {ID: "3", OwnerID: "ann"}, {ID: "4"}, {ID: "5", OwnerID: "ann2"},
	} {
		app.ClientID, app.Name = "client_"+app.ID, "App "+app.ID
		t.createApplication(app)
	}
	for _, tt := range []struct {
		q    store.ApplicationQuery
		want []string
	}{
		{store.ApplicationQuery{OwnerID: "ann"}, []string{"1", "3"}},
		{store.ApplicationQuery{OwnerID: "bob"}, []string{"2"}},
		{store.ApplicationQuery{OwnerID: "nobody"}, nil},
		{store.ApplicationQuery{}, []string{"1", "2", "3", "4", "5"}},
		{store.ApplicationQuery{OwnerID: "ann", Name: "app 3"}, []string{"3"}},
		{store.ApplicationQuery{OwnerID: "ann", Name: "app 2"}, nil},
		{store.ApplicationQuery{OwnerID: "ann", Name: "client_2"}, nil},
	} {
		tt.q.Order = store.NameAscending
		got, total := t.listed(tt.q)
		t.equal(got, tt.want, "the applications of owner %q with %q in the name", tt.q.OwnerID, tt.q.Name)
		t.equal(total, len(tt.want), "the number of applications of owner %q with %q in the name", tt.q.OwnerID, tt.q.Name)
	}
}

func listOrigin(t *trial) {
	for _, app := range []store.Application{
		{ID: "1", Origin: store.OriginManual}, {ID: "2", Origin: store.OriginRegistration}, {ID: "3", Origin: store.OriginDocument},
		{ID: "4", Origin: store.OriginRegistration}, {ID: "5"},
	} {
		app.ClientID, app.Name = "client_"+app.ID, "App "+app.ID
		t.createApplication(app)
	}
	for origin, want := range map[store.Origin][]string{
		store.OriginManual: {"1"}, store.OriginRegistration: {"2", "4"}, store.OriginDocument: {"3"}, "": {"1", "2", "3", "4", "5"},
		"man": nil, "Manual": nil, "manual ": nil, "no such origin": nil,
	} {
		got, total := t.listed(store.ApplicationQuery{Origin: origin, Order: store.NameAscending})
		t.equal(got, want, "the applications of origin %q", origin)
		t.equal(total, len(want), "the number of applications of origin %q", origin)
	}
}

func listUpdatedBefore(t *trial) {
	for i, at := range []time.Time{t.after(-time.Hour), t.after(-tick), t.start, t.after(tick), t.after(time.Hour)} {
		id := fmt.Sprint(i)
		t.createApplication(store.Application{ID: id, ClientID: "client_" + id, Name: "App " + id, CreatedAt: t.start, UpdatedAt: at})
	}
	zone := time.FixedZone("five and a half hours ahead", 5*60*60+30*60)
	for _, tt := range []struct {
		before time.Time
		want   []string
	}{
		{t.after(-time.Hour), nil},
		{t.start, []string{"0", "1"}},
		{t.start.In(zone), []string{"0", "1"}},
		{t.after(tick), []string{"0", "1", "2"}},
		{t.after(2 * time.Hour), []string{"0", "1", "2", "3", "4"}},
		{time.Time{}, []string{"0", "1", "2", "3", "4"}},
	} {
		got, total := t.listed(store.ApplicationQuery{UpdatedBefore: tt.before, Order: store.NameAscending})
		t.equal(got, tt.want, "the applications changed last before %v", tt.before)
		t.equal(total, len(tt.want), "the number of applications changed last before %v", tt.before)
	}

	t.must(t.UpdateApplication(t.Context(), store.Application{ID: "0", Name: "App 0", UpdatedAt: t.after(time.Minute), Version: 1}), "updating")
	got, _ := t.listed(store.ApplicationQuery{UpdatedBefore: t.start, Order: store.NameAscending})
	t.equal(got, []string{"1"}, "the applications changed last before a time, after one more was changed")
}

func listFilters(t *trial) {
	// The right ones are every second, and each of the others is wrong in one
	// way only.
	wrong := []func(*store.Application){
		func(app *store.Application) { app.Origin = store.OriginDocument },
		func(app *store.Application) { app.UpdatedAt = t.start },
		func(app *store.Application) { app.OwnerID = "bob" },
		func(app *store.Application) { app.Name = "Notes" },
	}
	var all []string
	for i := range 16 {
		app := store.Application{
			ID: fmt.Sprintf("app_%02d", i), ClientID: fmt.Sprintf("client_%02d", i), Name: "Wiki", Origin: store.OriginRegistration, OwnerID: "ann",
			CreatedAt: t.after(time.Duration(i) * time.Second), UpdatedAt: t.after(-tick),
		}
		if i%2 == 1 {
			wrong[i/2%len(wrong)](&app)
		} else {
			all = append(all, app.ID)
		}
		t.createApplication(app)
	}
	q := store.ApplicationQuery{
		OwnerID: "ann", Name: "wiki", Origin: store.OriginRegistration, UpdatedBefore: t.start, Order: store.OldestFirst,
	}
	for _, p := range []struct{ limit, offset, first, end int }{{3, 0, 0, 3}, {3, 3, 3, 6}, {3, 6, 6, 8}, {3, 8, 8, 8}, {20, 0, 0, 8}} {
		q.Limit, q.Offset = p.limit, p.offset
		got, total := t.listed(q)
		t.equal(got, append([]string(nil), all[p.first:p.end]...), "the page of %d from %d by all filters", p.limit, p.offset)
		t.equal(total, len(all), "the total beside the page of %d from %d by all filters", p.limit, p.offset)
	}

	for name, q := range map[string]store.ApplicationQuery{
		"the owner and the name":   {OwnerID: "ann", Name: "wiki"},
		"the owner and the origin": {OwnerID: "ann", Origin: store.OriginRegistration},
		"the owner and the time":   {OwnerID: "ann", UpdatedBefore: t.start},
		"the name and the origin":  {Name: "wiki", Origin: store.OriginRegistration},
		"the name and the time":    {Name: "wiki", UpdatedBefore: t.start},
		"the origin and the time":  {Origin: store.OriginRegistration, UpdatedBefore: t.start},
	} {
		q.Limit = 5
		got, total := t.listed(q)
		t.equal(len(got), 5, "the length of a page by %s", name)
		t.equal(total, 12, "the total of a list by %s", name) // eight that are right, and four that are wrong in another way
	}
}

// search checks which of the names a search finds.
func (t *trial) search(names []string, searches map[string][]string) {
	t.Helper()
	for i, name := range names {
		t.createApplication(store.Application{ID: fmt.Sprint("app_", i), ClientID: fmt.Sprint("client_", i), Name: name})
	}
	for part, want := range searches {
		page, total, err := t.ListApplications(t.Context(), store.ApplicationQuery{Name: part, Order: store.NameAscending, Limit: 100})
		t.must(err, "searching for %q", part)
		var got []string
		for _, app := range page {
			got = append(got, app.Name)
		}
		t.equal(got, want, "the names found by %q", part)
		t.equal(total, len(want), "the number of names found by %q", part)
	}
}

func listName(t *trial) {
	t.search([]string{"Acme Wiki", "acme notes", "Café", "CAFÉ MENU", "Привет", "日本語"}, map[string][]string{
		"acme":  {"Acme Wiki", "acme notes"},
		"WIKI":  {"Acme Wiki"},
		"e n":   {"acme notes"},
		"café":  {"CAFÉ MENU", "Café"},
		"CAFÉ":  {"CAFÉ MENU", "Café"},
		"cafe":  nil,
		"ПРИВ":  {"Привет"},
		"本":     {"日本語"},
		"acmew": nil,
		" ":     {"Acme Wiki", "CAFÉ MENU", "acme notes"},
	})
}

func listNameLiterally(t *trial) {
	t.search([]string{"100% Wool", "100 Wool", "a_b", "axb", `a\b`, "a*b", "a?b", "a[x]b", "it's", "a%b", "a.b"}, map[string][]string{
		"%":   {"100% Wool", "a%b"},
		"_":   {"a_b"},
		`\`:   {`a\b`},
		"*":   {"a*b"},
		"?":   {"a?b"},
		"[x]": {"a[x]b"},
		"'":   {"it's"},
		"a_b": {"a_b"},
		"a%b": {"a%b"},
		".":   {"a.b"},
		`\%`:  nil,
		"''":  nil,
	})
}

func listClientID(t *trial) {
	t.createApplication(store.Application{ID: "app_1", ClientID: "AbC123", Name: "One"})
	t.createApplication(store.Application{ID: "app_2", ClientID: "xyz789", Name: "has AbC123 in its name"})
	for name, want := range map[string][]string{
		"AbC123": {"app_1", "app_2"},
		"xyz789": {"app_2"},
		"abc123": {"app_2"}, // by its name only: client ids are compared byte for byte
		"xyz":    nil,
		"app_1":  nil,
	} {
		got, total := t.listed(store.ApplicationQuery{Name: name, Order: store.NameDescending})
		slices.Sort(got)
		t.equal(got, want, "the applications found by %q", name)
		t.equal(total, len(want), "the number of applications found by %q", name)
	}
}
