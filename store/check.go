package store

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Micro returns t in UTC and cut to the microsecond, which is how a backend
// keeps times.
func Micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// IsText reports whether s is a text that every backend keeps: valid UTF-8
// without NUL.
func IsText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// checkTexts returns an error if one of the texts can't be kept. It never
// repeats the text.
func checkTexts(owner string, texts ...string) error {
	for _, text := range texts {
		if !IsText(text) {
			return fmt.Errorf("store: a text of the %s is not valid UTF-8 or contains NUL", owner)
		}
	}
	return nil
}

// DefaultLimit is the page size when a query of applications doesn't give one.
const DefaultLimit = 10

// CheckPage returns an error if a page can't exist, and otherwise the limit to
// use.
func CheckPage(limit, offset int) (int, error) {
	if limit < 0 || offset < 0 {
		return 0, fmt.Errorf("store: a page has no limit %d and offset %d", limit, offset)
	}
	return cmp.Or(limit, DefaultLimit), nil
}

// CheckSweep returns an error if the limit of a sweep isn't positive.
func CheckSweep(limit int) error {
	if limit <= 0 {
		return fmt.Errorf("store: the limit of a sweep must be positive, not %d", limit)
	}
	return nil
}
