package docstest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// phrase is a way of writing that pages, comments, and messages avoid.
type phrase struct {
	match  string // a regular expression; a space also matches a line break; case is ignored
	except string // removed from the text before match; case-sensitive
	write  string // the better words
}

var phrases = []phrase{
	// Words.
	{match: `(?:some|no|any|every)body(?:'s)?`, write: "someone, no one, anyone, everyone, or better the user, the client, the app"},
	{match: `(?:who|what|which|where|whoso|whatso)ever`, write: "anyone who, any, each, or the noun itself"},
	{match: `beside`, write: "next to, alongside, besides"},
	{match: `(?:go|goes|going|went|gone) on`, write: "continue"},
	{match: `in the box`, write: "built in"},
	{match: `from elsewhere`, write: "from another server, site, or place: name it"},
	{match: `such an? one|such ones`, write: "one, or the noun again"},
	{match: `shall`, except: `\bSHALL\b`, write: "must, will, or should"},
	{match: `(?:is|are) to be`, write: "must be"},
	{match: `for ever`, write: "forever"},
	{match: `telephones?`, write: "phone"},
	{match: `mend(?:s|ed|ing)?`, write: "fix"},
	{match: `holes?`, write: "vulnerability, or gap"},
	{match: `unwise`, write: "risky"},
	{match: `a look before`, write: "preflight check"},
	{match: `handed out`, write: "issued, returned, or given"},
	{match: `is met by`, write: "is handled by, or name who does what"},
	{match: `(?:to|can|could|may|might) be had`, write: "is available"},
	{match: `whilst|amongst|thrice|hence|thereof|thereby|therein|therewith`, write: "while, among, three times, so, by it, in it"},

	// Sentences.
	{match: `of (?:yours|ours|mine|theirs|hers)`, write: "your, our, my, their, her, before the noun"},
	{match: `of (?:its|their|his|her|your|our|my|the host's|one's) own`, write: "a separate, a custom, or your own, before the noun"},
	{
		match:  `(?:that|what) there (?:is|are|was|were)`,
		except: `\bthat there (?:is|are|was|were) (?:no|not|nothing|none|a|an|one|only|too)\b`,
		write:  "the noun alone, or that ... exists",
	},
	{match: `all that (?:is|are|there|takes|can|was)`, write: "everything, or the noun"},
	{match: `, as (?:it|they|there|this|that|these|those|nothing|no|both|we|you|he|she|its|their)`, write: "because, or a second sentence"},
	{
		match:  `(?:is|are|was|were|be|been|being) no [a-z]\w*`,
		except: `(?i)\bthere (?:\w+ )*?(?:is|are|was|were|be|been) no [a-z]|\bdefault is no\b|(?i)\bno (?:longer|more|less|fewer|better|worse|later|earlier|older|newer|longer|shorter|larger|bigger|smaller)\b`,
		write:  `isn't a, aren't; "there is no" is fine`,
	},
	{match: `but for`, write: "except for, except"},
	{match: `(?-i:Who) (?:[^.?!<\n]|\n[^\n]|\.\S)*\.`, write: "If someone ..., Anyone who ..., or the noun first, unless it's a question"},
	{match: `(?-i:Zero):`, write: "The default is"},
	{match: `(?:RFC [0-9]+|standard|specification|section [0-9.]+)(?:,? section [0-9.]+)?,? wants?`, write: "requires, or recommends"},

	// British spelling.
	{match: `\w*(?:colou|behaviou|honou|favou|neighbou|flavou|humou|labou|rumou|endeavou)r\w*`, write: "American spelling: color, behavior"},
	{match: `\w*(?:cancell|labell|travell|modell|signall|channell|levell|fuell|totall|marshall)(?:ed|ing|er|ers)`, write: "American spelling: canceled, labeled"},
	{match: `centred?|centres|metres?|licences?|licenced|defences?|offences?|grey\w*|practis(?:e|ed|es|ing)|fulfil|enrol|learnt|catalogues?|programmes?`, write: "American spelling: center, license, gray"},
	{
		match: `\w*(?:apolog|author|canonical|capital|categor|character|critic|custom|emphas|final|formal|general|global|initial|international|item|` +
			`local|maxim|memor|minim|modern|normal|optim|organ|parallel|parameter|parametr|personal|prior|random|real|recogn|sanit|seri?al|` +
			`special|standard|summar|symbol|synchron|token|util|visual)is(?:e|ed|er|ers|es|ing|ation|ations)`,
		write: "American spelling: -ize",
	},
	{match: `analys(?:e|ed|er|ing)`, write: "American spelling: analyze"},
}

// rule is a phrase with its expressions compiled.
type rule struct {
	phrase

	match, except *regexp.Regexp
}

func rules() []rule {
	const space = `(?:[ \t]+|[ \t]*\n[ \t]*)` // not the blank line between paragraphs
	var all []rule
	for _, p := range phrases {
		expression := `(?i)(?:\b|^)(?:` + strings.ReplaceAll(p.match, " ", space) + `)`
		if end := p.match[len(p.match)-1]; end != ':' && end != '.' {
			expression += `\b`
		}
		r := rule{phrase: p, match: regexp.MustCompile(expression)}
		if p.except != "" {
			r.except = regexp.MustCompile(strings.ReplaceAll(p.except, " ", space))
		}
		all = append(all, r)
	}
	return all
}

// finding is a banned phrase in a text.
type finding struct {
	line        int // in the text, counted from zero
	text, write string
}

// banned returns the phrases that the rules find in a text of one or more lines.
func banned(all []rule, text string) []finding {
	var found []finding
	for _, r := range all {
		text := text
		if r.except != nil {
			text = blank(r.except, text)
		}
		for _, at := range r.match.FindAllStringIndex(text, -1) {
			words := strings.Join(strings.Fields(text[at[0]:at[1]]), " ")
			found = append(found, finding{strings.Count(text[:at[0]], "\n"), words, r.write})
		}
	}
	return found
}

// blank overwrites matches with underscores. It keeps line breaks, so that later
// findings have the right line.
func blank(match *regexp.Regexp, text string) string {
	return match.ReplaceAllStringFunc(text, func(found string) string {
		return strings.Map(func(r rune) rune {
			if r == '\n' {
				return r
			}
			return '_'
		}, found)
	})
}

// Pages, comments, and messages are in plain American English.
func TestLanguage(t *testing.T) {
	all := rules()
	for _, name := range files(t, "") {
		if name == "docs/docstest/language_test.go" {
			continue
		}
		for _, p := range prose(t, name) {
			for _, f := range banned(all, p.text) {
				t.Errorf("%s:%d: %q: write %s", name, p.line+f.line, f.text, f.write)
			}
		}
	}
}

// passage is a text for readers: a paragraph, a comment, a message.
type passage struct {
	line int // of its start, counted from one
	text string
}

// prose returns what people read in a file. Files of other kinds are skipped.
func prose(t *testing.T, name string) []passage {
	t.Helper()
	switch path.Ext(name) {
	case ".go":
		return goProse(t, name)
	case ".md":
		return markdownProse(t, name)
	case ".html", ".js", ".mjs", ".css", ".yml", ".yaml", ".sql", ".tmpl":
		return []passage{{1, strings.Join(read(t, name), "\n")}}
	case ".sh", "":
		return shellProse(t, name)
	}
	return nil
}

// goProse returns the comments and the strings of a Go file. A string without a
// space is a value, such as a client_id, not a message.
func goProse(t *testing.T, name string) []passage {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, filepath.Join(root, filepath.FromSlash(name)), nil, parser.ParseComments)
	require.NoError(t, err)
	var all []passage
	for _, group := range file.Comments {
		var lines []string
		for _, c := range group.List {
			lines = append(lines, strings.TrimPrefix(c.Text, "//"))
		}
		all = append(all, passage{set.Position(group.Pos()).Line, strings.Join(lines, "\n")})
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if n, ok := n.(*ast.BasicLit); ok && n.Kind == token.STRING && strings.ContainsAny(n.Value, " \n") {
			all = append(all, passage{set.Position(n.Pos()).Line, n.Value})
		}
		return true
	})
	return all
}

// markdownProse returns a page without code and the targets of its links.
func markdownProse(t *testing.T, name string) []passage {
	t.Helper()
	for _, p := range pages(t) {
		if p.name != name {
			continue
		}
		text := blank(codeSpan, strings.Join(p.text, "\n"))
		return []passage{{1, blank(targetOf, text)}}
	}
	return nil
}

// shellProse returns the comments of a script or a Makefile.
func shellProse(t *testing.T, name string) []passage {
	t.Helper()
	var all []passage
	for i, line := range read(t, name) {
		if start := strings.Index(line, "#"); start >= 0 {
			all = append(all, passage{i + 1, line[start:]})
		}
	}
	return all
}

func TestLanguageFinds(t *testing.T) {
	all := rules()
	for text, want := range map[string]string{
		"A token that somebody else holds.":           "somebody",
		"That is Nobody's token.":                     "Nobody's",
		"Nobody signed in is no error.":               "Nobody, is no error",
		"The client is\nno provider.":                 "is no provider",
		"Why are they no JWTs?":                       "",
		"Access tokens are no JWTs.":                  "are no JWTs",
		"The setting that there is, and whoever asks": "whoever, that there is",
		"It is called, as\nit is fast.":               ", as it",
		"A database of its own.":                      "of its own",
		"A client of yours shall go on.":              "go on, shall, of yours",
		"All but for one.":                            "but for",
		"Fine. Who asks is\ntold so.":                 "Who asks is told so.",
		"Zero: an hour.":                              "Zero:",
		"What is to be mended, for ever":              "is to be, for ever, mended",
		"As RFC 9700 wants, as RFC 6749, section 5.2 wants, and the standard wants": "RFC 9700 wants, RFC 6749, section 5.2 wants, standard wants",
		"The behaviour of a cancelled, authorised colour":                           "behaviour, colour, cancelled, authorised",
		"Unlabelled and unrecognised":                                               "Unlabelled, unrecognised",
	} {
		var got []string
		for _, f := range banned(all, text) {
			got = append(got, f.text)
		}
		assert.Equal(t, want, strings.Join(got, ", "), text)
	}
}

func TestLanguagePasses(t *testing.T) {
	all := rules()
	for _, text := range []string{
		"There is no error, and there must be no other. The default is no limit.",
		"Leave it zero: that is safe. It means that there is no user.",
		"The token is no longer valid, and there is\nno second one.",
		"The whole page continues besides.",
		"Clients SHALL NOT ask on their own.",
		"As it is, the same as it was.",
		"An amended license is authorized, not canceled; otherwise, promise a cancellation.",
		"It has a separate database, so its own rows.",
		"RFC 9700 requires it.",
		"Who asks? The user.",
		"Who asks\n\nThe user.",
	} {
		assert.Empty(t, banned(all, text), text)
	}
}

// The line is that of the phrase, not that of the paragraph.
func TestLanguageCountsLines(t *testing.T) {
	found := banned(rules(), "First.\nSecond.\nWhoever asks.")
	require.Len(t, found, 1)
	assert.Equal(t, 2, found[0].line)
}
