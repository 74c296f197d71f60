package pages_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"reflect"
	"regexp"
	"slices"
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

// The comment of each text names the placeholders that its English version has,
// and no others.
func TestTextsSayWhatTheyAre(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "texts.go", nil, parser.ParseComments)
	require.NoError(t, err)
	english, fields := reflect.ValueOf(pages.English()), 0
	ast.Inspect(file, func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if !ok || len(field.Names) != 1 || field.Tag == nil {
			return true
		}
		name := field.Names[0].Name
		value := english.FieldByName(name)
		if !value.IsValid() || value.Kind() != reflect.String {
			return true
		}
		fields++
		require.True(t, strings.HasPrefix(field.Doc.Text(), name+" "), "%s has no comment of its own", name)
		require.ElementsMatch(t, once(placeholder.FindAllString(value.String(), -1)), once(placeholder.FindAllString(field.Doc.Text(), -1)), name)
		return true
	})
	require.Equal(t, english.NumField()-1, fields, "all but Scopes are texts")
}

// once returns each of the texts once.
func once(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}
