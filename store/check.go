package store

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Micro returns t in UTC, cut to the microsecond, as a backend keeps times.
func Micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// IsText reports whether every backend can keep s: it must be valid UTF-8
// without NUL.
func IsText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// checkTexts returns an error if a text can't be kept. The error never repeats
// the text.
func checkTexts(owner string, texts ...string) error {
	for _, text := range texts {
		if !IsText(text) {
			return fmt.Errorf("store: a text of the %s is not valid UTF-8 or contains NUL", owner)
		}
	}
	return nil
}

// DefaultLimit is the page size of a query of applications that doesn't set
// one.
const DefaultLimit = 10

// CheckPage returns the limit to use, or an error if limit or offset is
// negative.
func CheckPage(limit, offset int) (int, error) {
	if limit < 0 || offset < 0 {
		return 0, fmt.Errorf("store: the limit (%d) and the offset (%d) of a page must not be negative", limit, offset)
	}
	return cmp.Or(limit, DefaultLimit), nil
}

// CheckSweep returns an error if the limit of a sweep is not positive.
func CheckSweep(limit int) error {
	if limit <= 0 {
		return fmt.Errorf("store: the limit of a sweep must be positive, not %d", limit)
	}
	return nil
}
