package provider_test

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

const (
	longEnough = "8f1d0c2ab94e4f0a9c5d7b3e61f2a8c4" // 32 characters
	tooShort   = "8f1d0c2ab94e4f0a9c5d7b3e61f2a8c"
)

// soundConfig is a Config without any advice. Nothing in it works: if Check
// called any of it, the test would fail, or panic as the store does.
func soundConfig(t *testing.T) provider.Config {
	return provider.Config{
		Issuer: "https://app.example.com",
		Store:  struct{ store.Store }{},
		CurrentUser: func(*http.Request) (provider.Session, error) {
			t.Error("CurrentUser was called")
			return provider.Session{}, nil
		},
		SignIn: func(http.ResponseWriter, *http.Request, provider.SignInRequest) { t.Error("SignIn was called") },
		Users: func(context.Context, string) (userinfo.User, error) {
			t.Error("Users was called")
			return userinfo.User{}, nil
		},
		TokenPrefix: "acme_",
		Limit: func(context.Context, provider.LimitRequest) time.Duration {
			t.Error("Limit was called")
			return 0
		},
		ClientIP: func(*http.Request) netip.Addr {
			t.Error("ClientIP was called")
			return netip.Addr{}
		},
		Events: func(context.Context, provider.Event) { t.Error("Events was called") },
	}
}

// risky has for each code what causes it, and nothing else.
var risky = map[string]func(*provider.Config){
	"issuer-not-https": func(c *provider.Config) { c.Issuer = "http://127.0.0.1:8080" },
	"issuer-loopback":  func(c *provider.Config) { c.Issuer = "https://localhost:8443" },
	"http-allowed":     func(c *provider.Config) { c.AllowHTTP = true },
	"store-volatile":   func(c *provider.Config) { c.Store = memory.New() },
	"events-missing":   func(c *provider.Config) { c.Events = nil },
	"limit-missing":    func(c *provider.Config) { c.Limit = nil },
	"client-ip-missing": func(c *provider.Config) {
		c.ClientIP = nil
	},
	"token-prefix-missing":  func(c *provider.Config) { c.TokenPrefix = "" },
	"code-lifetime-long":    func(c *provider.Config) { c.Lifetimes.Code = 10*time.Minute + 1 },
	"access-lifetime-long":  func(c *provider.Config) { c.Lifetimes.Access = 24*time.Hour + 1 },
	"refresh-lifetime-long": func(c *provider.Config) { c.Lifetimes.Refresh = 90*24*time.Hour + 1 },
	"refresh-grace-long":    func(c *provider.Config) { c.Lifetimes.Grace = 2*time.Minute + 1 },
	"store-timeout-long":    func(c *provider.Config) { c.StoreTimeout = 30*time.Second + 1 },
	"registration-kept-long": func(c *provider.Config) {
		c.Registration = &provider.Registration{Scopes: []string{scopes.Profile}, ExpireAfter: 366*day + 1}
	},
	"registration-scopes-all": func(c *provider.Config) { c.Registration = &provider.Registration{} },
	"documents-scopes-all":    func(c *provider.Config) { c.ClientIDDocuments = &provider.ClientIDDocuments{} },
	"documents-transport": func(c *provider.Config) {
		c.ClientIDDocuments, c.Transport = &provider.ClientIDDocuments{Scopes: []string{scopes.Profile}}, http.DefaultTransport
	},
	"resource-closed": func(c *provider.Config) {
		c.Registration = &provider.Registration{Scopes: []string{scopes.Profile}, Allow: func(*http.Request, provider.Application) error { return nil }}
		c.Resources = []provider.Resource{{URL: "https://app.example.com/mcp", Scopes: []string{scopes.Email}}}
	},
	"resource-not-https": func(c *provider.Config) {
		c.Resources = []provider.Resource{{URL: "https://app.example.com/api"}, {URL: "http://localhost:8080/mcp"}}
	},
}

func checked(t *testing.T, c provider.Config) []provider.Advice {
	t.Helper()
	p, err := provider.New(c)
	require.NoError(t, err)
	return p.Check()
}

func TestCheckGivesEachAdviceAlone(t *testing.T) {
	require.Nil(t, checked(t, soundConfig(t)))
	for code, edit := range risky {
		t.Run(code, func(t *testing.T) {
			c := soundConfig(t)
			edit(&c)
			advice := checked(t, c)
			require.Len(t, advice, 1, "%v", advice)
			isAdvice(t, advice[0], code)
			// The Field is a field of the Config.
			of := reflect.TypeFor[provider.Config]()
			for _, name := range strings.Split(strings.ReplaceAll(anyIndex(advice[0].Field), "[i]", ""), ".") {
				for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
					of = of.Elem()
				}
				field, ok := of.FieldByName(name)
				require.True(t, ok, advice[0].Field)
				of = field.Type
			}
		})
	}
}

// anyIndex removes the index of a list element from a field.
func anyIndex(field string) string {
	return regexp.MustCompile(`\[\d+\]`).ReplaceAllString(field, "[i]")
}

func isAdvice(t *testing.T, a provider.Advice, code string) {
	t.Helper()
	require.Equal(t, code, a.Code)
	require.Regexp(t, `^[a-z]+(-[a-z]+)+$`, a.Code)
	require.Equal(t, a.Code+": "+a.Text, a.String())
	require.Regexp(t, `^[A-Z].*\.$`, a.Text)
	require.NotContains(t, a.Text, tooShort)
}

// The lifetimes of a resource are checked like those of the Config.
func TestCheckLooksAtTheLifetimesOfResources(t *testing.T) {
	long := provider.Lifetimes{Code: day, Access: 2 * day, Refresh: 100 * day, Grace: time.Hour}
	c := soundConfig(t)
	c.Resources = []provider.Resource{{URL: "https://app.example.com/api"}, {URL: "https://app.example.com/mcp", Lifetimes: long}}
	var fields []string
	for _, a := range checked(t, c) {
		fields = append(fields, a.Code+" "+a.Field)
	}
	require.Equal(t, []string{
		"code-lifetime-long Resources[1].Lifetimes.Code", "access-lifetime-long Resources[1].Lifetimes.Access",
		"refresh-lifetime-long Resources[1].Lifetimes.Refresh", "refresh-grace-long Resources[1].Lifetimes.Grace",
	}, fields)
}

// Settings just within the bounds, or enabled with care, cause no advice.
func TestCheckIsSilentAboutSafeSettings(t *testing.T) {
	allowRegistration := func(*http.Request, provider.Application) error {
		t.Error("Registration.Allow was called")
		return nil
	}
	allowDocument := func(context.Context, *url.URL) error {
		t.Error("ClientIDDocuments.Allow was called")
		return nil
	}
	own := func(*http.Request) error {
		t.Error("the host's own check was called")
		return nil
	}
	for name, edit := range map[string]func(*provider.Config){
		"times at their bounds": func(c *provider.Config) {
			c.Lifetimes.Code, c.Lifetimes.Access, c.Lifetimes.Refresh = 10*time.Minute, 24*time.Hour, 90*24*time.Hour
			c.Lifetimes.Grace, c.StoreTimeout = 2*time.Minute, 30*time.Second
		},
		"no grace": func(c *provider.Config) { c.Lifetimes.Grace = time.Nanosecond },
		"registration by who may": func(c *provider.Config) {
			c.Registration = &provider.Registration{Allow: allowRegistration, ExpireAfter: 1000 * day}
		},
		"registration left out": func(c *provider.Config) {
			c.Registration, c.Paths.Register = &provider.Registration{ExpireAfter: 1000 * day}, "-"
		},
		"documents of who may":       func(c *provider.Config) { c.ClientIDDocuments = &provider.ClientIDDocuments{Allow: allowDocument} },
		"devices":                    func(c *provider.Config) { c.DeviceAuthorization = &provider.DeviceAuthorization{} },
		"a custom check":             func(c *provider.Config) { c.Introspection = own },
		"no limit, so no client IP":  func(c *provider.Config) { c.Limit, c.ClientIP = nil, nil },
		"a store that says it keeps": func(c *provider.Config) { c.Store = keepsAll{c.Store} },
	} {
		t.Run(name, func(t *testing.T) {
			c := soundConfig(t)
			edit(&c)
			advice := slices.DeleteFunc(checked(t, c), func(a provider.Advice) bool { return a.Code == "limit-missing" && c.Limit == nil })
			require.Empty(t, advice)
		})
	}
}

type keepsAll struct{ store.Store }

func (keepsAll) Forgets() bool { return false }

// Check doesn't look into a store that the host composed, but the store can
// implement Volatile.
func TestCheckOfAComposedStore(t *testing.T) {
	kept := memory.New()
	c := soundConfig(t)
	c.Store = struct {
		store.Applications
		store.Documents
	}{kept, kept}
	require.Empty(t, checked(t, c))
	c.Store = struct {
		store.Applications
		store.Documents
		store.Volatile
	}{kept, kept, kept}
	require.Equal(t, "store-volatile", checked(t, c)[0].Code)
}

func TestCheckLooksAtTheKeysThatItIsGiven(t *testing.T) {
	p, err := provider.New(soundConfig(t))
	require.NoError(t, err)
	require.Nil(t, p.Check(longEnough, "", longEnough))
	advice := p.Check(longEnough, tooShort)
	require.Len(t, advice, 1)
	isAdvice(t, advice[0], "key-short")
	require.Empty(t, advice[0].Field)
}

// The text names the features that need the limit most.
func TestCheckSaysWhatToLimit(t *testing.T) {
	c := soundConfig(t)
	c.Limit = nil
	for _, word := range []string{"registering", "device codes", "fetch"} {
		require.NotContains(t, checked(t, c)[0].Text, word)
	}
	c.Registration = &provider.Registration{Scopes: []string{scopes.Profile}}
	c.ClientIDDocuments = &provider.ClientIDDocuments{Scopes: []string{scopes.Profile}}
	c.DeviceAuthorization = &provider.DeviceAuthorization{}
	for _, word := range []string{"registering", "device codes", "fetch"} {
		require.Contains(t, checked(t, c)[0].Text, word)
	}
}
