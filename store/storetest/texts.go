package storetest

import (
	"fmt"
	"strings"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

var textPromises = []promise{
	{"texts come back byte for byte",
		"Names are in every language, and the host chooses the form of its IDs.",
		textsComeBack},
	{"IDs are compared byte for byte",
		"Two IDs that look alike belong to different users or applications.",
		idsAreExact},
	{"long texts are stored whole",
		"Redirect URIs and notes can be long.",
		longTexts},
	{"texts that are too long are stored whole or refused",
		"A truncated text names something else.",
		tooLongTexts},
	{"an application with NUL or invalid UTF-8 is refused",
		"A text that is truncated or repaired names something else.",
		badApplication},
	{"a text that can't be stored is not found",
		"Requests contain such texts, and a bad request must not look like a store that is down.",
		badTextsNotFound},
	{"every scope name of RFC 6749 is stored",
		"A comma or a brace in a scope must not split it.",
		scopeNames},
}

// oddTexts are texts that broke some store.
func oddTexts() map[string]string {
	return map[string]string{
		"Latin with accents":     "Zoë Ångström, naïve façade",
		"Japanese":               "日本語の名前",
		"right to left":          "שלום \u202eolleh",
		"runes of four bytes":    "😀👩\u200d👩\u200d👧 𝒳",
		"a decomposed accent":    "Cafe\u0301",
		"quotation marks":        `it's a "quoted" 'name' ` + "`tick`",
		"backslashes":            `C:\new\table \' \" \\ \u0000 \x00`,
		"characters of patterns": `100% _under_ *star* ?q [a-z] ^$ (x|y)`,
		"an end of statement":    `'; drop table latchkey_documents; --`,
		"braces and commas":      `{a,b},{"c":[1,2]} <x>&amp; ${y} {{z}} :colon: $1 ?`,
		"spaces":                 "  leading, trailing and  double  ",
		"control characters":     "tab\tnewline\ncarriage\rbell\aescape\x1bdelete\x7f",
		"one space":              " ",
		"null":                   "null",
		"a number":               "007",
		"the highest rune":       "\U0010ffff\uffff",
		"a byte order mark":      "\ufeffbom",
	}
}

func textsComeBack(t *trial) {
	for name, text := range oddTexts() {
		app := store.Application{
			ID: "id " + text, ClientID: "client " + text, Name: text, RedirectURIs: []string{text, text + "2"},
			Secrets: []store.ClientSecret{{ID: text, Hash: store.HashSecret(text), CreatedAt: t.start}},
			Origin:  store.OriginManual, OwnerID: text, ClientURI: text, LogoURL: text, TermsURI: text, PolicyURI: text,
			Keys: store.ClientKeys{Set: text, URI: text}, PostLogoutRedirectURIs: []string{text, text + "2"}, IDTokenAlg: text, Workspace: store.WorkspaceUse(text),
			Metadata: map[string]string{text: text, text + "2": text}, CreatedAt: t.start, UpdatedAt: t.start, Version: 1,
			Registration: &store.RegistrationRecord{
				Type: text, AuthMethod: text, GrantTypes: []string{text, text + "2"}, Contacts: []string{text + "2", text},
				SoftwareID: text, SoftwareVersion: text,
			},
		}
		t.creates(app)
		t.findsApplication(app, "an application with %s", name)
		t.listsApplications([]store.Application{app}, store.ApplicationQuery{OwnerID: text, Name: text, Limit: 10})

		key := store.CutKey{UserID: text, ApplicationID: text, WorkspaceID: text}
		d, consent := t.create(key), t.consent(key)
		t.must(t.Create(t.Context(), consent), "creating a consent with %s", name)
		l := ledger{}
		for i, form := range everyForm(key)[1:] { // The first has no texts.
			t.lists(store.Query{Kind: d.Kind, UserID: text, ApplicationID: text, WorkspaceID: text, Limit: 10}, []store.Document{d}, "with %s", name)
			t.cuts(form, int64(1000+i))
			l = t.numbersNow(key)
			t.equal(l[form], int64(1000+i), "the number of %+v", form)
			d = t.replaces(d, func(d *store.Document) { d.Seen = l.numbers(key) })
		}
		t.equal(t.finds(d, "a document with %s", name), l.numbers(key), "the numbers of a document with %s", name)
		t.equal(t.findsConsent(key, consent, "a consent with %s", name), l.numbers(key), "the numbers of a consent with %s", name)
	}
}

func idsAreExact(t *trial) {
	texts := []string{"id", "Id", "ID", "id ", " id", "i\u0301d", "\u00edd", "ıd", "i", "d", "id\t", "id%", "i_"}
	var apps []store.Application
	for i, id := range texts {
		app := store.Application{ID: id, ClientID: "client " + id, Name: fmt.Sprint(i), OwnerID: id, Version: 1}
		t.creates(app)
		apps = append(apps, app)
	}
	for _, app := range apps {
		t.findsApplication(app, "the application with the ID %q", app.ID)
		t.listsApplications(apps, store.ApplicationQuery{OwnerID: app.ID, Limit: 100})
	}
	t.must(t.DeleteApplication(t.Context(), "id"), "deleting an application")
	t.noApplication("id", "an application that was deleted")
	for _, app := range apps[1:] {
		t.findsApplication(app, "the application with the ID %q, after the one with the ID %q was deleted", app.ID, "id")
	}

	// The chapters of lists and of cut-offs test some of these with documents.
	var kept []store.Document
	for _, id := range texts {
		for _, key := range []store.CutKey{{UserID: id}, {ApplicationID: id}, {WorkspaceID: id}} {
			kept = append(kept, t.create(key))
		}
	}
	for _, d := range kept {
		t.lists(store.Query{Kind: d.Kind, UserID: d.UserID, ApplicationID: d.ApplicationID, WorkspaceID: d.WorkspaceID, Limit: 10},
			[]store.Document{d}, "among documents with similar IDs")
	}
}

func longTexts(t *trial) {
	id := func(first string) string { return first + strings.Repeat("i", 512-len(first)) }
	text := func(first string) string { return first + strings.Repeat("é", (8<<10-len(first))/2) }
	app := store.Application{
		ID: id("app"), ClientID: id("client"), Name: text("name"), RedirectURIs: []string{text("https://a.example/"), text("https://b.example/")},
		Origin: store.OriginManual, OwnerID: id("owner"), ClientURI: text("https://c.example/"), LogoURL: text("https://d.example/"), TermsURI: text("https://g.example/"), PolicyURI: text("https://h.example/"),
		Keys: store.ClientKeys{Set: text("keys"), URI: text("https://k.example/")}, PostLogoutRedirectURIs: []string{text("https://l.example/")},
		Metadata: map[string]string{"key": text("value")}, Version: 1,
		Registration: &store.RegistrationRecord{
			Contacts:   []string{text("contact"), text("other")},
			SoftwareID: text("software"), SoftwareVersion: text("version"),
		},
	}
	other := app.Clone()
	other.ID, other.ClientID, other.OwnerID = app.ID[:511]+"j", app.ClientID[:511]+"j", app.OwnerID[:511]+"j"
	for _, app := range []store.Application{app, other} {
		t.creates(app)
		t.findsApplication(app, "an application with long texts")
	}
	t.findsApplication(app, "after one was created whose long IDs differ in the last byte")
	t.listsApplications([]store.Application{app, other}, store.ApplicationQuery{OwnerID: app.OwnerID, Limit: 10})

	keys := []store.CutKey{{UserID: id("user"), ApplicationID: id("app"), WorkspaceID: id("space")}}
	for i := range 3 { // each with another last byte
		texts := [3]string{keys[0].UserID, keys[0].ApplicationID, keys[0].WorkspaceID}
		texts[i] = texts[i][:511] + "j"
		keys = append(keys, keyOf(texts))
	}
	l := ledger{}
	var kept []store.Document
	for i, key := range keys {
		kept = append(kept, t.create(key))
		t.cuts(key, int64(1000+i))
		l.cut(key, int64(1000+i))
	}
	for i, d := range kept {
		t.numbersOf(l, d, "a document with long IDs")
		d = t.replaces(d, func(d *store.Document) { d.Seen = l.numbers(keys[i]) })
		t.lists(store.Query{Kind: d.Kind, UserID: d.UserID, ApplicationID: d.ApplicationID, WorkspaceID: d.WorkspaceID}, []store.Document{d}, "with long IDs")
	}
}

func tooLongTexts(t *trial) {
	for _, length := range []int{600, 2_000, 5_000, 70_000, 1 << 20} {
		long := strings.Repeat("i", length)
		key := store.CutKey{UserID: long + "1", ApplicationID: "a"}
		other := store.CutKey{UserID: long + "2", ApplicationID: "a"}
		d := t.document(key)
		if t.keptWhole(t.Create(t.Context(), d), "creating a document of a user of %d bytes", length+1) {
			t.finds(d, "a document of a user of %d bytes", length+1)
		} else {
			t.gone(d.ID, "a document of a user of %d bytes that was refused", length+1)
		}
		if t.keptWhole(t.CutOff(t.Context(), key, 7), "cutting off a user of %d bytes", length+1) {
			t.equal(t.numbersNow(key), ledger{key: 7}, "the numbers of a user of %d bytes", length+1)
		}
		t.equal(t.numbersNow(other), ledger{}, "the numbers of another user of %d bytes", length+1)
		t.equal(t.numbersNow(store.CutKey{UserID: long, ApplicationID: "a"}), ledger{}, "the numbers of a user of %d bytes", length)

		app := store.Application{ID: "id " + long, ClientID: fmt.Sprint("client ", length), OwnerID: long, Name: long, LogoURL: long, Version: 1}
		if t.keptWhole(t.CreateApplication(t.Context(), app), "creating an application with texts of %d bytes", length) {
			t.findsApplication(app, "an application with texts of %d bytes", length)
		} else {
			t.noApplication(app.ID, "an application with texts of %d bytes that was refused", length)
			t.noClient(app.ClientID, "an application with texts of %d bytes that was refused", length)
		}
	}
	t.finds(t.create(someKey), "a document after texts that were too long")
}

// keptWhole reports whether something was stored. Otherwise it checks that it
// was refused.
func (t *trial) keptWhole(err error, format string, args ...any) bool {
	t.Helper()
	if err != nil {
		t.refuses(err, format, args...)
	}
	return err == nil
}

var badTexts = map[string]string{"NUL": "a\x00b", "NUL at the end": "a\x00", "invalid UTF-8": "a\xffb", "half a rune": "a\xe2\x82"}

func badApplication(t *trial) {
	kept := t.fullApplication()
	t.creates(kept)
	for what, bad := range badTexts {
		for field, edit := range map[string]func(*store.Application){
			"ID":             func(app *store.Application) { app.ID = bad },
			"ClientID":       func(app *store.Application) { app.ClientID = bad },
			"Name":           func(app *store.Application) { app.Name = bad },
			"RedirectURIs":   func(app *store.Application) { app.RedirectURIs = []string{"ok", bad} },
			"Scopes":         func(app *store.Application) { app.Scopes = scopes.Set{bad} },
			"MachineScopes":  func(app *store.Application) { app.MachineScopes = scopes.Set{bad} },
			"Workspace":      func(app *store.Application) { app.Workspace = store.WorkspaceUse(bad) },
			"Secrets":        func(app *store.Application) { app.Secrets = []store.ClientSecret{{ID: bad}} },
			"Origin":         func(app *store.Application) { app.Origin = store.Origin(bad) },
			"Applied":        func(app *store.Application) { app.Applied = []store.AppliedSettings{{Digest: bad}} },
			"Keys":           func(app *store.Application) { app.Keys.Set = bad },
			"Keys' URI":      func(app *store.Application) { app.Keys.URI = bad },
			"After logout":   func(app *store.Application) { app.PostLogoutRedirectURIs = []string{"ok", bad} },
			"IDTokenAlg":     func(app *store.Application) { app.IDTokenAlg = bad },
			"OwnerID":        func(app *store.Application) { app.OwnerID = bad },
			"ClientURI":      func(app *store.Application) { app.ClientURI = bad },
			"LogoURL":        func(app *store.Application) { app.LogoURL = bad },
			"TermsURI":       func(app *store.Application) { app.TermsURI = bad },
			"PolicyURI":      func(app *store.Application) { app.PolicyURI = bad },
			"Metadata key":   func(app *store.Application) { app.Metadata = map[string]string{bad: "ok"} },
			"Metadata value": func(app *store.Application) { app.Metadata = map[string]string{"ok": bad} },
			"GrantTypes": func(app *store.Application) {
				app.Registration = &store.RegistrationRecord{GrantTypes: []string{"ok", bad}}
			},
			"Contacts":   func(app *store.Application) { app.Registration = &store.RegistrationRecord{Contacts: []string{bad}} },
			"SoftwareID": func(app *store.Application) { app.Registration = &store.RegistrationRecord{SoftwareID: bad} },
		} {
			app := store.Application{ID: "a", ClientID: "a", Name: "New"}
			edit(&app)
			t.refuses(t.CreateApplication(t.Context(), app), "creating an application with %s in its %s", what, field)
			t.noApplication("a", "an application that was refused for %s in its %s", what, field)
			t.noClient("a", "an application that was refused for %s in its %s", what, field)

			if field == "ID" || field == "ClientID" {
				continue // An update looks for the first and ignores the second.
			}
			app = kept.Clone()
			edit(&app)
			t.refuses(t.UpdateApplication(t.Context(), app), "updating an application with %s in its %s", what, field)
			t.findsApplication(kept, "after an update with %s in its %s was refused", what, field)
		}
	}
}

func badTextsNotFound(t *trial) {
	app := t.fullApplication()
	app.ID, app.ClientID, app.OwnerID, app.Name = "a", "a", "a", "a"
	t.creates(app)
	kept := t.create(store.CutKey{UserID: "a", ApplicationID: "a", WorkspaceID: "a"})
	for what, bad := range badTexts {
		t.noApplication(bad, "an ID with %s", what)
		t.noClient(bad, "a client ID with %s", what)
		for _, q := range []store.ApplicationQuery{{OwnerID: bad}, {Name: bad}, {Origin: store.Origin(bad)}} {
			q.Limit = 10
			t.listsApplications([]store.Application{app}, q)
		}
		t.must(t.DeleteApplication(t.Context(), bad), "deleting an application whose ID has %s", what)
		for _, texts := range [][3]string{{bad, "a", "a"}, {"a", bad, "a"}, {"a", "a", bad}, {bad}, {"", bad}, {"", "", bad}} {
			key := keyOf(texts)
			t.equal(t.findsConsent(key, store.Document{}, "a consent with %s in its texts", what), store.Cuts{}, "the numbers of a consent with %s in its texts", what)
			t.lists(store.Query{Kind: kept.Kind, UserID: key.UserID, ApplicationID: key.ApplicationID, WorkspaceID: key.WorkspaceID, Limit: 10}, nil,
				"with %s in the query", what)
		}
	}
	t.findsApplication(app, "after one was deleted whose ID can't be kept")
}

func scopeNames(t *trial) {
	// All 92 characters that a scope may have, in one name and in names of one
	// character each.
	var all strings.Builder
	names := []string{}
	for c := byte('!'); c <= '~'; c++ {
		if c != '"' && c != '\\' {
			all.WriteByte(c)
			names = append(names, string(c))
		}
	}
	app := store.Application{
		ID: someApp, ClientID: "client_1", Version: 1, Scopes: scopes.New(append(names, all.String(), "null", "{}", "{a,b}", "a,b")...),
	}
	t.creates(app)
	t.findsApplication(app, "an application with every scope")
}
