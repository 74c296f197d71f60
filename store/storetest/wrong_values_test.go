package storetest

import (
	"bytes"
	"context"
	"errors"
	"html"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// typing makes every text of an application that is kept pass through edit
// first.
func typing(f *faulty, edit func(string) string) {
	f.createApplication = func(ctx context.Context, app store.Application) error {
		app = app.Clone()
		app.ID, app.ClientID, app.Name, app.LogoURL = edit(app.ID), edit(app.ClientID), edit(app.Name), edit(app.LogoURL)
		for i := range app.RedirectURIs {
			app.RedirectURIs[i] = edit(app.RedirectURIs[i])
		}
		return f.Store.CreateApplication(ctx, app)
	}
}

// finding makes every token and grant that is found pass through edit.
func finding(f *faulty, edit func(*store.Token, *store.Grant)) {
	f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
		token, grant, err := f.Store.FindToken(ctx, k)
		edit(&token, &grant)
		return token, grant, err
	}
}

var wrongValues = []wrong{
	{"an application that was passed in is kept as it is", []string{"values/what was passed in may be changed afterwards"}, func(f *faulty) {
		kept := map[string]store.Application{}
		f.createApplication = func(ctx context.Context, app store.Application) error {
			kept[app.ID] = app
			return f.Store.CreateApplication(ctx, app)
		}
		edited(f, func(app *store.Application) { app.RedirectURIs = kept[app.ID].RedirectURIs })
	}},
	{"a registration that was passed in is kept as it is", []string{"values/what was passed in may be changed afterwards"}, func(f *faulty) {
		kept := map[string]*store.Registration{}
		f.createApplication = func(ctx context.Context, app store.Application) error {
			kept[app.ID] = app.Registration
			return f.Store.CreateApplication(ctx, app)
		}
		edited(f, func(app *store.Application) { app.Registration = kept[app.ID] })
	}},
	{"a registration that is found is the kept one", []string{"values/what was returned may be changed"}, func(f *faulty) {
		kept := map[string]*store.Registration{}
		edited(f, func(app *store.Application) {
			if _, ok := kept[app.ID]; !ok {
				kept[app.ID] = app.Registration
			}
			app.Registration = kept[app.ID]
		})
	}},
	{"the scopes of a grant that was passed in are kept as they are", []string{"values/what was passed in may be changed afterwards"}, func(f *faulty) {
		kept := map[store.GrantID]scopes.Set{}
		granting(f, func(n *store.NewGrant) { kept[n.Grant.ID] = n.Grant.Scopes })
		finding(f, func(_ *store.Token, grant *store.Grant) { grant.Scopes = kept[grant.ID] })
	}},
	{"an application that is found is the kept one", []string{"values/what was returned may be changed"}, func(f *faulty) {
		kept := map[string]store.Application{}
		edited(f, func(app *store.Application) {
			if _, ok := kept[app.ID]; !ok {
				kept[app.ID] = *app
			}
			*app = kept[app.ID]
		})
	}},
	{"the scopes of a token that is found are the kept ones", []string{"values/what was returned may be changed"}, func(f *faulty) {
		kept := map[store.Hash]scopes.Set{}
		finding(f, func(token *store.Token, _ *store.Grant) {
			if _, ok := kept[token.Hash]; !ok {
				kept[token.Hash] = token.Scopes
			}
			token.Scopes = kept[token.Hash]
		})
	}},
	{"a token and its grant share their scopes", []string{"values/what was returned may be changed"}, func(f *faulty) {
		finding(f, func(token *store.Token, grant *store.Grant) { token.Scopes = grant.Scopes })
	}},
	{"the end of a context is ignored", []string{"values/nothing is done once the context has ended"}, func(f *faulty) {
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			return f.Store.RotateRefresh(context.WithoutCancel(ctx), r)
		}
	}},
	{"the end of a context comes after the step", []string{"values/nothing is done once the context has ended"}, func(f *faulty) {
		f.deleteApplication = func(ctx context.Context, id string) error {
			f.Store.DeleteApplication(context.WithoutCancel(ctx), id)
			return ctx.Err()
		}
	}},
	{"the end of a context is another error", []string{"values/nothing is done once the context has ended"}, func(f *faulty) {
		f.listConsents = func(ctx context.Context, userID string) ([]store.Consent, error) {
			list, err := f.Store.ListConsents(ctx, userID)
			if err != nil {
				err = errors.New("gave up")
			}
			return list, err
		}
	}},
	{"texts are trimmed", []string{"texts/texts come back byte for byte", "texts/ids are compared byte for byte"}, func(f *faulty) {
		typing(f, strings.TrimSpace)
	}},
	{"texts are escaped for HTML", []string{"texts/texts come back byte for byte"}, func(f *faulty) {
		typing(f, html.EscapeString)
	}},
	{"texts are of three bytes a rune", []string{"texts/texts come back byte for byte"}, func(f *faulty) {
		typing(f, func(s string) string {
			return strings.Map(func(r rune) rune {
				if r > 0xffff {
					return '?'
				}
				return r
			}, s)
		})
	}},
	{"ids are compared without regard to case", []string{"texts/ids are compared byte for byte", "consents/there is one consent for each user and application"}, func(f *faulty) {
		typing(f, strings.ToLower)
		f.findApplication = func(ctx context.Context, id string) (store.Application, error) {
			return f.Store.FindApplication(ctx, strings.ToLower(id))
		}
		f.findConsent = func(ctx context.Context, userID, applicationID string) (store.Consent, error) {
			return f.Store.FindConsent(ctx, strings.ToLower(userID), strings.ToLower(applicationID))
		}
	}},
	{"the terms of a registration are cut after 255 bytes", []string{"texts/long texts are kept whole"}, func(f *faulty) {
		edited(f, func(app *store.Application) {
			if app.Registration != nil {
				app.Registration.TermsURI = app.Registration.TermsURI[:min(len(app.Registration.TermsURI), 255)]
			}
		})
	}},
	{"texts are cut after 255 bytes", []string{"texts/long texts are kept whole"}, func(f *faulty) {
		typing(f, func(s string) string { return s[:min(len(s), 255)] })
	}},
	{"texts end at NUL", []string{"texts/texts with NUL or invalid UTF-8 are refused"}, func(f *faulty) {
		typing(f, func(s string) string { s, _, _ = strings.Cut(s, "\x00"); return s })
	}},
	{"texts are mended", []string{"texts/texts with NUL or invalid UTF-8 are refused"}, func(f *faulty) {
		granting(f, func(n *store.NewGrant) { n.Grant.Resource = strings.ToValidUTF8(n.Grant.Resource, "?") })
	}},
	{"scopes are kept with commas between", []string{"texts/every scope name of RFC 6749 is kept"}, func(f *faulty) {
		finding(f, func(token *store.Token, grant *store.Grant) {
			grant.Scopes = scopes.New(strings.Split(strings.Join(grant.Scopes, ","), ",")...)
		})
	}},
	{"hashes end at NUL", []string{"texts/hashes of all bytes are kept"}, func(f *faulty) {
		cut := func(h store.Hash) (short store.Hash) {
			before, _, _ := bytes.Cut(h[:], []byte{0})
			copy(short[:], before)
			return short
		}
		granting(f, func(n *store.NewGrant) {
			if n.Code != nil {
				code := *n.Code
				code.Hash = cut(code.Hash)
				n.Code = &code
			}
		})
		redeeming(f, func(r *store.CodeRedemption) { r.Key.Hash = cut(r.Key.Hash) })
	}},
	{"times are kept to the millisecond", []string{"values/times come back in UTC to the microsecond"}, func(f *faulty) {
		finding(f, func(token *store.Token, grant *store.Grant) {
			grant.CreatedAt = grant.CreatedAt.Truncate(time.Millisecond)
		})
	}},
	{"times come back in another zone", []string{"values/times come back in UTC to the microsecond"}, func(f *faulty) {
		agreeing(f, func(c *store.Consent) { c.CreatedAt = c.CreatedAt.In(time.FixedZone("", 3600)) })
	}},
	{"a zero time comes back as 1970", []string{"values/a zero time stays zero", "applications/an application comes back as it was kept"}, func(f *faulty) {
		epoch := func(t *time.Time) {
			if t.IsZero() {
				*t = time.Unix(0, 0).UTC()
			}
		}
		edited(f, func(app *store.Application) { epoch(&app.CreatedAt); epoch(&app.UpdatedAt) })
	}},
	{"nothing comes back as one empty text", []string{"values/empty collections come back empty"}, func(f *faulty) {
		edited(f, func(app *store.Application) {
			if len(app.RedirectURIs) == 0 {
				app.RedirectURIs = strings.Split("", ",")
			}
		})
	}},
	{"an update leaves what it does not bring", []string{"values/empty collections come back empty"}, func(f *faulty) {
		f.updateApplication = func(ctx context.Context, app store.Application) error {
			if old, err := f.Store.FindApplication(ctx, app.ID); err == nil && len(app.Metadata) == 0 {
				app.Metadata = old.Metadata
			}
			return f.Store.UpdateApplication(ctx, app)
		}
	}},
}
