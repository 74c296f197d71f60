// Package displayname decides which application names a page may show. A name
// must not hide, cover other text, or use invisible characters to look like
// another name.
package displayname

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many marks one letter may have. Written languages need no
// more; a pile of marks covers the lines above.
const maxMarks = 2

// Check returns what is wrong with a non-empty name.
func Check(name string) error {
	if !utf8.ValidString(name) {
		return errors.New("has invalid UTF-8")
	}
	visible, marks, last := false, 0, ' ' // A space before the name, so that it can't start with one.
	for _, r := range name {
		switch {
		case r == ' ':
			if last == ' ' {
				return errors.New("begins with a space or has two in a row")
			}
		case unicode.IsMark(r) && !ignorable(r):
			if last == ' ' {
				return errors.New("has a mark without a letter below it")
			}
			if unicode.In(r, unicode.Mn, unicode.Me) {
				marks++
			}
			if marks > maxMarks {
				return fmt.Errorf("has more than %d marks on one letter", maxMarks)
			}
			last = r
			continue
		case !unicode.IsGraphic(r) || unicode.IsSpace(r) || ignorable(r):
			return fmt.Errorf("has the character %U, which can't be seen or is not assigned", r)
		default:
			visible = true
		}
		marks, last = 0, r
	}
	switch {
	case !visible:
		return errors.New("has nothing that can be seen")
	case last == ' ':
		return errors.New("ends with a space")
	}
	return checkScripts(name)
}

// ignorable reports whether r is invisible on a page.
func ignorable(r rune) bool {
	const brailleBlank = '\u2800'
	return r == brailleBlank || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// together lists scripts that some languages mix in one word.
var together = [][]string{
	{"Latin", "Han", "Hiragana", "Katakana"},
	{"Latin", "Han", "Hangul"},
	{"Latin", "Han", "Bopomofo"},
}

// checkScripts refuses a word with letters of several scripts: Cyrillic, Greek,
// and Latin have letters that look the same.
func checkScripts(name string) error {
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		var used []string
		for _, r := range word {
			if s := script(r); s != "" && !slices.Contains(used, s) {
				used = append(used, s)
			}
		}
		fits := func(group []string) bool {
			return !slices.ContainsFunc(used, func(s string) bool { return !slices.Contains(group, s) })
		}
		if len(used) > 1 && !slices.ContainsFunc(together, fits) {
			return fmt.Errorf("has a word that mixes letters of %s", strings.Join(used, " and "))
		}
	}
	return nil
}

// script returns the script of a letter, or "" if it belongs to several.
func script(r rune) string {
	if r < utf8.RuneSelf {
		return "Latin"
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			if name == "Common" || name == "Inherited" {
				return ""
			}
			return name
		}
	}
	return ""
}

// Same reports whether two names read alike: they differ only in case, wide,
// mathematical, and emblem letters, marks, and separators between words.
func Same(a, b string) bool {
	folded := fold(a)
	return a == b || folded != "" && folded == fold(b)
}

func fold(name string) string {
	return strings.Map(func(r rune) rune {
		r = plain(r)
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, letterlike.Replace(name))
}

// styled lists ranges of letters that are plain ones in another style.
var styled = []struct {
	first, last rune
	plain       string // repeated over the range
}{
	{0xff10, 0xff19, digits}, {0xff21, 0xff3a, capitals}, {0xff41, 0xff5a, smalls}, // wide
	{0x1d400, 0x1d6a3, capitals + smalls}, {0x1d7ce, 0x1d7ff, digits}, // mathematical: bold, italic, script, ...
	{0x24b6, 0x24cf, capitals}, {0x24d0, 0x24e9, smalls}, // in circles
	{0x1f130, 0x1f149, capitals}, {0x1f150, 0x1f169, capitals}, {0x1f170, 0x1f189, capitals}, // in squares
	{0x1f1e6, 0x1f1ff, capitals}, // of flags
}

const (
	digits   = "0123456789"
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	smalls   = "abcdefghijklmnopqrstuvwxyz"
)

// letterlike maps mathematical letters outside those ranges to plain ones.
var letterlike = strings.NewReplacer("ℬ", "B", "ℂ", "C", "ℭ", "C", "ℰ", "E", "ℱ", "F", "ℋ", "H", "ℌ", "H", "ℍ", "H", "ℐ", "I", "ℑ", "I", "ℒ", "L", "ℳ", "M",
	"ℕ", "N", "ℙ", "P", "ℚ", "Q", "ℛ", "R", "ℜ", "R", "ℝ", "R", "ℤ", "Z", "ℨ", "Z", "ℯ", "e", "ℊ", "g", "ℎ", "h", "ℓ", "l", "ℴ", "o")

func plain(r rune) rune {
	for _, s := range styled {
		if r >= s.first && r <= s.last {
			return rune(s.plain[int(r-s.first)%len(s.plain)])
		}
	}
	return r
}
