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

// A translation has every text, and each names what the English one names.
func TestGermanTextsAreComplete(t *testing.T) {
	english, german := reflect.ValueOf(pages.English()), reflect.ValueOf(pages.German())
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
		require.NotEmpty(t, pages.German().Scopes[s.Name])
	}
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
