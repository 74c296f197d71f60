package displayname

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamesThatPeopleUse(t *testing.T) {
	for _, name := range []string{
		"Wiki", "Claude Code (plugin)", "7-Zip & Friends", "AT&T™", "Café", "Cafe\u0301", "Ελληνικά", "Вики", "ウィキ", "LINEマンガ", "위키 WIKI", "维基百科",
		"नमस्ते में", "ไทยที่", "မြောင့်", "العربية", "עִבְרִית", "Wiki Вики", "Вики-Wiki", "🚀 Rocket", "½ price", "C++", "a", "№ 5", "Tiếng Việt",
	} {
		require.NoError(t, Check(name), name)
	}
}

func TestNamesThatHideOrDeceive(t *testing.T) {
	for name, wrong := range map[string]string{
		"Wi\xffki":                          "UTF-8",
		"Wi\x00ki":                          "U+0000",
		"Wi\nki":                            "U+000A",
		"Wi\u00adki":                        "U+00AD", // soft hyphen
		"Wi\u200bki":                        "U+200B", // zero width space
		"Wi\u200dki":                        "U+200D",
		"Wi\u202eki":                        "U+202E", // turns the direction
		"Wi\u2066ki":                        "U+2066",
		"Wi\u00a0ki":                        "U+00A0", // a space that is none
		"Wi\u3000ki":                        "U+3000",
		"\u3164":                            "U+3164", // Hangul filler: a letter that can't be seen
		"Wi\u3164ki":                        "U+3164",
		"\u115f\u1160":                      "U+115F",
		"\uffa0":                            "U+FFA0",
		"\u2800":                            "U+2800",
		"Wiki\ufe0f":                        "U+FE0F", // variation selector
		"Wi\U000e0041ki":                    "U+E0041",
		"Wi\ue000ki":                        "U+E000", // private use
		"Wi\u0378ki":                        "U+0378", // not assigned
		"Wi\ufeffki":                        "U+FEFF",
		"":                                  "nothing",
		" Wiki":                             "begins",
		"Wiki ":                             "ends",
		"Wi  ki":                            "two in a row",
		"\u0301Wiki":                        "without a letter",
		"Wiki \u0301x":                      "without a letter",
		"W" + strings.Repeat("\u0301", 3):   "more than 2 marks",
		"W" + strings.Repeat("\u0489", 240): "more than 2 marks",
		"W\u0301\u0903\u0301\u0903\u0301":   "more than 2 marks", // with others in between
		"g\u043e\u043egle":                  "mixes letters of Latin and Cyrillic",
		"\u0391pple":                        "mixes letters of Greek and Latin",
		"pay\u13e2al":                       "mixes",
		"Claude \u0421ode":                  "mixes",
	} {
		require.ErrorContains(t, Check(name), wrong, "%q", name)
	}
}

func TestSameNames(t *testing.T) {
	for _, name := range []string{"Acme Wiki", "ACME wiki", "acme-wiki", "AcmeWiki", "Acme  Wiki!", "Ａｃｍｅ Wiki", "A\u0301cme Wiki"} {
		require.True(t, Same("Acme Wiki", name), name)
	}
	for _, name := range []string{"𝐀𝐜𝐦𝐞 𝐖𝐢𝐤𝐢", "𝘈𝘤𝘮𝘦 𝘞𝘪𝘬𝘪", "𝒜𝒸𝓂ℯ 𝒲𝒾𝓀𝒾", "𝕬𝖈𝖒𝖊 𝖂𝖎𝖐𝖎", "𝙰𝚌𝚖𝚎 𝚆𝚒𝚔𝚒", "Ⓐⓒⓜⓔ Ⓦⓘⓚⓘ", "🄰🄲🄼🄴 🅆🄸🄺🄸", "🅐🅒🅜🅔 🅦🅘🅚🅘", "🅰🅲🅼🅴 🆆🅸🅺🅸", "🇦 🇨 🇲 🇪 wiki"} {
		require.True(t, Same("Acme Wiki", name), name)
	}
	require.True(t, Same("Room 101", "ℝ𝕠𝕠𝕞 𝟙𝟘𝟙"))
	for _, name := range []string{"Acme", "Acme Wiki 2", "Wiki for Acme", ""} {
		require.False(t, Same("Acme Wiki", name), name)
	}
}
