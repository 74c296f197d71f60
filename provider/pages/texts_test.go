package pages_test

import (
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
)

var placeholder = regexp.MustCompile(`\{\w+\}`)

// A translation has every text, and each has the placeholders of the English
// one.
func TestGermanTextsAreComplete(t *testing.T) {
	for _, german := range []pages.Texts{pages.German(), pages.GermanFormal()} {
		isComplete(t, german)
	}
}

func isComplete(t *testing.T, translation pages.Texts) {
	t.Helper()
	english, german := reflect.ValueOf(pages.English()), reflect.ValueOf(translation)
	for i := range english.NumField() {
		name := english.Type().Field(i).Name
		if english.Field(i).Kind() != reflect.String {
			continue
		}
		want, got := english.Field(i).String(), german.Field(i).String()
		require.NotEmpty(t, want, name)
		require.NotEmpty(t, got, name)
		require.ElementsMatch(t, placeholder.FindAllString(want, -1), placeholder.FindAllString(got, -1), name)
	}
	for _, s := range scopes.Default() {
		require.NotEmpty(t, translation.Scopes[s.Name])
		require.NotEmpty(t, translation.ScopeGroups[s.Group])
	}
}

// One translation says "du" everywhere, and the other "Sie".
func TestGermanAddressesOnePerson(t *testing.T) {
	informal := regexp.MustCompile(`(?i)\b(du|dich|dir|dein\w*|deinen)\b`)
	formal := regexp.MustCompile(`\bSie (sie|sich|nur|noch|den|diese|es|das|ein\w*|mit|über|dann|zu|einen|Cookies)\b|\b(Ihnen|Ihre[mnrs]?|Ihr)\b`)
	each := func(t pages.Texts, is func(name, text string)) {
		v := reflect.ValueOf(t)
		for i := range v.NumField() {
			if v.Field(i).Kind() == reflect.String {
				is(v.Type().Field(i).Name, v.Field(i).String())
			}
		}
		for name, text := range t.Scopes {
			is(name, text)
		}
	}
	each(pages.German(), func(name, text string) { require.NotRegexp(t, formal, text, name) })
	each(pages.GermanFormal(), func(name, text string) { require.NotRegexp(t, informal, text, name) })
	changed := pages.GermanFormal()
	changed.Scopes["profile"], changed.ScopeGroups["Your account"] = "", ""
	require.NotEmpty(t, pages.GermanFormal().Scopes["profile"], "each call returns its own maps")
	require.NotEmpty(t, pages.German().ScopeGroups["Your account"])
}

func TestAcceptLanguage(t *testing.T) {
	brazilian := pages.Texts{Language: "pt-BR"}
	choose := pages.AcceptLanguage(pages.English(), pages.German(), brazilian)
	for header, want := range map[string]string{
		"":                           "en",
		"fr":                         "en",
		"de":                         "de",
		"de-AT":                      "de",
		"DE":                         "de",
		"deu":                        "en",
		"fr, de;q=0.5":               "de",
		"en;q=0.3, de;q=0.8":         "de",
		"de;q=0, en":                 "en",
		"de ; q=0.9 , en;q=0.8":      "de",
		"pt":                         "pt-BR",
		"*":                          "en",
		"de;q=nonsense, en":          "en",
		";;;,,,=":                    "en",
		strings.Repeat("fr,", 10000): "en",
	} {
		r, err := http.NewRequest("GET", "/", nil)
		require.NoError(t, err)
		r.Header.Set("Accept-Language", header)
		require.Equal(t, want, choose(r).Language, "%.40q", header)
	}
	require.Panics(t, func() { pages.AcceptLanguage() })
}
