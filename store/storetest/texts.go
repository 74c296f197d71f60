package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

var textPromises = []promise{
	{"texts come back byte for byte",
		"Names are in every language, and whatever is typed is a name to somebody.",
		textsComeBack},
	{"ids are compared byte for byte",
		"Two ids that look alike belong to two parties.",
		idsAreExact},
	{"long texts are kept whole",
		"Redirect URIs and notes are as long as their owners need.",
		longTexts},
	{"texts with NUL or invalid UTF-8 are refused",
		"A text that is cut or mended on the way names something else.",
		badTexts},
	{"every scope name of RFC 6749 is kept",
		"A comma or a brace in a scope must not make two of it.",
		scopeNames},
	{"hashes of all bytes are kept",
		"A hash has zero bytes and quotation marks like any others.",
		hashBytes},
}

// oddTexts is what has broken one store or another.
func oddTexts() map[string]string {
	return map[string]string{
		"Latin with accents":        "Zoë Ångström, naïve façade",
		"Japanese":                  "日本語の名前",
		"right to left":             "שלום \u202eolleh",
		"runes of four bytes":       "😀👩\u200d👩\u200d👧 𝒳",
		"a decomposed accent":       "Cafe\u0301",
		"quotation marks":           `it's a "quoted" 'name' ` + "`tick`",
		"backslashes":               `C:\new\table \' \" \\ \u0000 \x00`,
		"what patterns are made of": `100% _under_ *star* ?q [a-z] ^$ (x|y)`,
		"an end of statement":       `'; drop table grants; --`,
		"braces and commas":         `{a,b},{"c":[1,2]} <x>&amp; ${y} {{z}} :colon: $1 ?`,
		"spaces":                    "  leading, trailing and  double  ",
		"control characters":        "tab\tnewline\ncarriage\rbell\aescape\x1bdelete\x7f",
		"one space":                 " ",
		"null":                      "null",
		"a number":                  "007",
		"the highest rune":          "\U0010ffff\uffff",
		"a byte order mark":         "\ufeffbom",
	}
}

func textsComeBack(t *trial) {
	for name, text := range oddTexts() {
		app := store.Application{
			ID: "id " + text, ClientID: "client " + text, Name: text, RedirectURIs: []string{text, text + "2"},
			Secrets: []store.Secret{{ID: text, Hash: store.HashSecret(text), CreatedAt: t.start}},
			Origin:  store.OriginManual, OwnerID: text, ClientURI: text, LogoURL: text,
			Metadata: map[string]string{text: text, text + "2": text}, CreatedAt: t.start, UpdatedAt: t.start, Version: 1,
			Registration: &store.Registration{
				Type: text, AuthMethod: text, GrantTypes: []string{text, text + "2"}, Contacts: []string{text + "2", text},
				TermsURI: text, PolicyURI: text, SoftwareID: text, SoftwareVersion: text,
			},
		}
		t.createApplication(app)
		t.findsApplication(app, "an application with %s", name)
		page, total, err := t.ListApplications(t.Context(), store.ApplicationQuery{OwnerID: text, Name: text})
		t.must(err, "listing applications with %s", name)
		if total != 1 || len(page) != 1 {
			t.errorf("listing applications with %s in the name: got %d of %d, want 1 of 1", name, len(page), total)
		} else {
			t.equal(page[0], app, "an application with %s in a list", name)
		}

		n := t.newGrant(text, app.ID, boundTo(text), func(n *store.NewGrant) {
			n.Code.RedirectURI, n.Code.Challenge = text, text
		})
		t.must(t.CreateGrant(t.Context(), n), "creating a grant with %s", name)
		r := t.redemption(n)
		r.Resource = text
		issued := t.redeems(r, "redeeming a code with %s", name)
		t.equal(issued.Grant, n.Grant, "a grant with %s", name)
		t.consents(store.Consent{
			UserID: text, ApplicationID: app.ID, Scopes: n.Grant.Scopes, Agreed: n.Grant.Scopes, Resource: text,
			AgreedAt: n.Grant.AgreedAt, CreatedAt: n.Grant.CreatedAt, LastUsedAt: n.Grant.CreatedAt,
		}, "a consent with %s", name)
		_, total = t.grantsBy(store.GrantQuery{GrantFilter: store.GrantFilter{UserID: text, ApplicationID: app.ID}})
		t.equal(total, 1, "the number of grants of a user with %s", name)
		count, err := t.RevokeGrants(t.Context(), store.GrantFilter{UserID: text, ApplicationID: app.ID}, t.after(time.Hour))
		t.must(err, "revoking the grants of a user with %s", name)
		t.equal(count, 1, "the number of grants revoked of a user with %s", name)
	}
}

func idsAreExact(t *trial) {
	ids := []string{"id", "Id", "ID", "id ", " id", "i\u0301d", "\u00edd", "ıd", "i", "d", "id\t", "id%", "i_"}
	for i, id := range ids {
		t.createApplication(store.Application{ID: id, ClientID: "client " + id, Name: fmt.Sprint(i)})
	}
	for i, id := range ids {
		app := store.Application{ID: id, ClientID: "client " + id, Name: fmt.Sprint(i), Version: 1}
		t.findsApplication(app, "the application with the id %q", id)
	}
	t.must(t.DeleteApplication(t.Context(), "id"), "deleting an application")
	t.noApplication("id", "an application that was deleted")
	for i, id := range ids[1:] {
		app := store.Application{ID: id, ClientID: "client " + id, Name: fmt.Sprint(i + 1), Version: 1}
		t.findsApplication(app, "the application with the id %q, after that with the id %q was deleted", id, "id")
	}

	d := t.signIn("user", "app")
	for _, f := range []store.GrantFilter{{UserID: "User"}, {UserID: "user "}, {ApplicationID: "APP"}, {ApplicationID: "app "}, {UserID: "use_"}, {UserID: "%"}} {
		n, err := t.RevokeGrants(t.Context(), f, t.after(time.Hour))
		t.must(err, "revoking by %+v", f)
		t.equal(n, 0, "the number of grants of %q revoked by %+v", "user", f)
	}
	t.keeps(d, "after others with similar ids were revoked")
}

func longTexts(t *trial) {
	id := func(first string) string { return first + strings.Repeat("i", 512-len(first)) }
	text := func(first string) string { return first + strings.Repeat("é", (8<<10-len(first))/2) }
	app := store.Application{
		ID: id("app"), ClientID: id("client"), Name: text("name"), RedirectURIs: []string{text("https://a.example/"), text("https://b.example/")},
		Origin: store.OriginManual, OwnerID: id("owner"), ClientURI: text("https://c.example/"), LogoURL: text("https://d.example/"),
		Metadata: map[string]string{"key": text("value")}, Version: 1,
		Registration: &store.Registration{
			Contacts: []string{text("contact"), text("other")}, TermsURI: text("https://g.example/"), PolicyURI: text("https://h.example/"),
			SoftwareID: text("software"), SoftwareVersion: text("version"),
		},
	}
	t.createApplication(app)
	t.findsApplication(app, "an application with long texts")
	other := app.Clone()
	other.ID, other.ClientID = app.ID[:511]+"j", app.ClientID[:511]+"j"
	t.createApplication(other)
	t.findsApplication(other, "an application whose long ids differ in the last byte")
	t.findsApplication(app, "an application with long texts")

	n := t.create(id("user"), id("app"), boundTo(text("https://e.example/")), func(n *store.NewGrant) {
		n.Code.RedirectURI = text("https://f.example/")
		for i := range 100 {
			n.Grant.Scopes = n.Grant.Scopes.Union(scopes.New(fmt.Sprintf("long:scope:number:%03d:of:a:hundred", i)))
		}
	})
	wrong := t.redemption(n)
	wrong.RedirectURI = wrong.RedirectURI[:len(wrong.RedirectURI)-2] + "e"
	t.noRedemption(wrong, store.ErrMismatch, "redeeming with a long redirect uri that differs at its end")
	issued := t.redeems(t.redemption(n), "redeeming a code with a long redirect uri")
	t.equal(issued.Grant, n.Grant, "a grant with long texts")
	t.consents(store.Consent{
		UserID: n.Grant.UserID, ApplicationID: n.Grant.ApplicationID, Scopes: n.Grant.Scopes, Agreed: n.Grant.Scopes, Resource: n.Grant.Resource,
		AgreedAt: n.Grant.AgreedAt, CreatedAt: n.Grant.CreatedAt, LastUsedAt: n.Grant.CreatedAt,
	}, "a consent with long texts")
}

func badTexts(t *trial) {
	kept := t.fullApplication()
	t.createApplication(kept)
	d := t.signIn(someUser, someApp)
	for what, bad := range map[string]string{"NUL": "a\x00b", "NUL at the end": "a\x00", "invalid UTF-8": "a\xffb", "half a rune": "a\xe2\x82"} {
		for field, edit := range map[string]func(*store.Application){
			"ID":             func(app *store.Application) { app.ID = bad },
			"ClientID":       func(app *store.Application) { app.ClientID = bad },
			"Name":           func(app *store.Application) { app.Name = bad },
			"RedirectURIs":   func(app *store.Application) { app.RedirectURIs = []string{"ok", bad} },
			"Scopes":         func(app *store.Application) { app.Scopes = scopes.Set{bad} },
			"Secrets":        func(app *store.Application) { app.Secrets = []store.Secret{{ID: bad}} },
			"Origin":         func(app *store.Application) { app.Origin = store.Origin(bad) },
			"OwnerID":        func(app *store.Application) { app.OwnerID = bad },
			"ClientURI":      func(app *store.Application) { app.ClientURI = bad },
			"LogoURL":        func(app *store.Application) { app.LogoURL = bad },
			"Metadata key":   func(app *store.Application) { app.Metadata = map[string]string{bad: "ok"} },
			"Metadata value": func(app *store.Application) { app.Metadata = map[string]string{"ok": bad} },
			"GrantTypes":     func(app *store.Application) { app.Registration = &store.Registration{GrantTypes: []string{"ok", bad}} },
			"Contacts":       func(app *store.Application) { app.Registration = &store.Registration{Contacts: []string{bad}} },
			"SoftwareID":     func(app *store.Application) { app.Registration = &store.Registration{SoftwareID: bad} },
		} {
			app := store.Application{ID: "a", ClientID: "a", Name: "New"}
			edit(&app)
			if err := t.CreateApplication(t.Context(), app); err == nil {
				t.errorf("creating an application with %s in its %s: got no error", what, field)
			}
			t.noApplication("a", "an application that was refused for %s in its %s", what, field)
			t.noClient("a", "an application that was refused for %s in its %s", what, field)

			if field == "ID" || field == "ClientID" {
				continue // An update looks for the first and ignores the second.
			}
			app = kept.Clone()
			edit(&app)
			if err := t.UpdateApplication(t.Context(), app); err == nil {
				t.errorf("updating an application with %s in its %s: got no error", what, field)
			}
			t.findsApplication(kept, "after an update with %s in its %s was refused", what, field)
		}

		for field, edit := range map[string]func(*store.NewGrant){
			"UserID": func(n *store.NewGrant) {
				n.Grant.ID, n.Grant.UserID = store.NewGrantID(t.start, bad), bad
			},
			"ApplicationID": func(n *store.NewGrant) { n.Grant.ApplicationID = bad },
			"Scopes":        func(n *store.NewGrant) { n.Grant.Scopes = scopes.Set{bad} },
			"Resource":      func(n *store.NewGrant) { n.Grant.Resource = bad },
			"RedirectURI":   func(n *store.NewGrant) { n.Code.RedirectURI = bad },
			"Challenge":     func(n *store.NewGrant) { n.Code.Challenge = bad },
		} {
			n := t.newGrant("a", "a", edit)
			if err := t.CreateGrant(t.Context(), n); err == nil {
				t.errorf("creating a grant with %s in its %s: got no error", what, field)
			}
			t.grantIsGone(n.Grant.ID, "a grant that was refused for %s in its %s", what, field)
			_, err := t.FindConsent(t.Context(), "a", "a")
			t.fails(err, store.ErrNotFound, "finding the consent of a grant that was refused for %s in its %s", what, field)
		}

		r := t.rotation(d, time.Hour)
		r.Resource = bad
		t.noRotation(r, store.ErrResource, "rotating for a resource with %s", what)
		t.keeps(d, "after a rotation for a resource with %s was refused", what)
	}
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
	set := scopes.New(append(names, all.String(), "null", "{}", "{a,b}", "a,b")...)
	app := store.Application{ID: someApp, ClientID: "client_1", Scopes: set, Version: 1}
	t.createApplication(app)
	t.findsApplication(app, "an application with every scope")
	d := t.signIn(someUser, someApp, func(n *store.NewGrant) { n.Grant.Scopes = set })
	t.keeps(d, "a grant with every scope")
	for i, one := range []string{all.String(), ",", "{", "a,b", "'", "A"} {
		r := t.rotation(d, time.Duration(i+1)*time.Minute)
		r.Scopes = scopes.New(one)
		d = t.rotates(d, r, "rotating for the scope %q", one)
		t.keeps(d, "after the scope %q was asked for", one)
	}
	r := t.rotation(d, time.Hour)
	r.Scopes = scopes.New("b}")
	t.noRotation(r, store.ErrScope, "rotating for a scope that is part of one in the grant")
	consent, err := t.FindConsent(t.Context(), someUser, someApp)
	t.must(err, "finding the consent")
	t.equal(consent.Scopes, set, "the scopes of a consent to every scope")
	t.equal(consent.Agreed, set, "what was agreed to of every scope")
}

func hashBytes(t *trial) {
	hashes := map[string]store.Hash{
		"a last byte": {31: 1}, "a first byte": {1}, "quotation marks": {'\'', '"', '\\', 0, '\'', 31: ' '}, "bytes that are no UTF-8": {0xff, 0xfe, 0x80, 31: 0xc0},
		"digits": store.Hash([]byte("00000000000000000000000000000000")), "spaces": store.Hash([]byte(strings.Repeat(" ", 32))),
	}
	for name, hash := range hashes {
		n := t.create(someUser, someApp, func(n *store.NewGrant) { n.Code.Hash = hash })
		r := t.redemption(n)
		r.Access.Hash = hash
		r.Access.Hash[16] = 1
		r.Refresh.Hash = hash
		r.Refresh.Hash[16] = 2
		t.redeems(r, "redeeming a code whose hash has %s", name)
		t.finds(store.Token{
			Hash: r.Access.Hash, Kind: store.KindAccess, Scopes: n.Grant.Scopes, IssuedAt: r.At, ExpiresAt: r.Access.ExpiresAt,
		}, n.Grant, "a token whose hash has %s", name)
		rotation := t.rotation(device{grant: n.Grant, refresh: store.Token{Hash: r.Refresh.Hash}}, time.Hour)
		copy(rotation.Salt[:], hash[16:])
		_, err := t.RotateRefresh(t.Context(), rotation)
		t.must(err, "rotating a token whose hash has %s", name)
		issued, err := t.RotateRefresh(t.Context(), t.retry(rotation, time.Second))
		t.must(err, "retrying with a token whose hash has %s", name)
		t.equal(issued.Salt, rotation.Salt, "the salt of a retry, with %s", name)
	}
}
