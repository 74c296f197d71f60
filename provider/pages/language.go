package pages

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// AcceptLanguage returns a Config.Texts that chooses by the Accept-Language
// header of the visitor's browser (RFC 9110 section 12.5.4). If none fits, it
// chooses the first:
//
//	Texts: pages.AcceptLanguage(pages.English(), pages.German()),
//
// If you know your visitors' languages, write your own function. AcceptLanguage
// panics if it gets no texts.
func AcceptLanguage(texts ...Texts) func(*http.Request) Texts {
	if len(texts) == 0 {
		panic("pages: AcceptLanguage: there are no texts to choose from: pass those of at least one language")
	}
	texts = slices.Clone(texts)
	return func(r *http.Request) Texts {
		for _, wanted := range acceptedLanguages(r.Header.Get("Accept-Language")) {
			for _, t := range texts {
				if matchesLanguage(wanted, t.Language) {
					return t
				}
			}
		}
		return texts[0]
	}
}

// acceptedLanguages returns the language ranges of the header, in order of
// preference. It skips malformed ones.
func acceptedLanguages(header string) []string {
	type weighted struct {
		tag     string
		quality float64
	}
	var ranges []weighted
	for _, part := range strings.Split(header[:min(len(header), 1000)], ",") {
		tag, parameter, _ := strings.Cut(part, ";")
		quality := 1.0
		if text, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameter)), "q="); ok {
			var err error
			if quality, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		if tag = strings.TrimSpace(tag); tag != "" && quality > 0 {
			ranges = append(ranges, weighted{tag, quality})
		}
	}
	slices.SortStableFunc(ranges, func(a, b weighted) int { return cmp.Compare(b.quality, a.quality) })
	tags := make([]string, len(ranges))
	for i, r := range ranges {
		tags[i] = r.tag
	}
	return tags
}

// matchesLanguage reports whether a user who reads wanted can read have:
// "de-AT" gets "de", and "pt" gets "pt-BR".
func matchesLanguage(wanted, have string) bool {
	wanted, have = strings.ToLower(wanted), strings.ToLower(have)
	return wanted == have || strings.HasPrefix(wanted, have+"-") || strings.HasPrefix(have, wanted+"-")
}
