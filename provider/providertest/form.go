package providertest

import (
	"errors"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// form is what a browser would post.
type form struct {
	action string
	fields url.Values
	boxes  []string // the scopes that can be ticked
	list   string   // the name of the current <select>

	// needed has the first choice of each list and of each group of radio
	// buttons where a choice is required.
	needed map[string]string
}

// The parts of HTML that are parsed. They are enough for forms that work
// without scripts, and save a dependency on a parser.
var (
	unseen    = regexp.MustCompile(`(?is)<!--.*?-->|<script\b.*?</script\s*>|<style\b.*?</style\s*>|<title\b.*?</title\s*>`)
	element   = regexp.MustCompile(`(?is)<(/?form|/?select|option|input|button|textarea)\b((?:[^>"']|"[^"]*"|'[^']*')*)>`)
	attribute = regexp.MustCompile(`([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>]+)))?`)
	anyTag    = regexp.MustCompile(`(?s)<(?:[^>"']|"[^"]*"|'[^']*')*>`)
)

// The names of the consent page's buttons and of its boxes, one for each scope.
const (
	decisionField = "decision"
	grantedField  = "granted"
)

// findForm returns the form of a page with the button for the decision. It is
// filled in as if a user had pressed the button at once, except that required
// choices are made.
func findForm(page, decision string) (*form, error) {
	var f *form
	for _, m := range element.FindAllStringSubmatch(unseen.ReplaceAllString(page, ""), -1) {
		name, has := strings.ToLower(m[1]), attributes(m[2])
		switch {
		case name == "form":
			f = &form{action: has["action"], fields: url.Values{}, needed: map[string]string{}}
			if !strings.EqualFold(has["method"], "post") {
				f = nil // It is a GET form, such as a search.
			}
		case f == nil:
		case name == "/form":
			if f.fields.Get(decisionField) == decision {
				f.choose()
				return f, nil
			}
			f = nil
		default:
			if err := f.add(name, has, decision); err != nil {
				return nil, err
			}
		}
	}
	return nil, fmt.Errorf("there is no form with a button named %q of value %q", decisionField, decision)
}

// add adds a control of the form according to HTML's rules for submission.
func (f *form) add(element string, has map[string]string, decision string) error {
	name, kind := has["name"], strings.ToLower(has["type"])
	switch element {
	case "select":
		if _, disabled := has["disabled"]; !disabled {
			f.list = name
			f.need(has, "")
		}
		return nil
	case "option":
		return f.addOption(has)
	case "/select":
		f.list = ""
		return nil
	}
	if _, disabled := has["disabled"]; disabled || name == "" {
		return nil
	}
	if element == "textarea" {
		return errors.New("the form has a <textarea>, which is not supported here: use inputs and buttons")
	}
	value, valued := has["value"]
	if name == grantedField {
		f.boxes = append(f.boxes, value)
	}
	_, ticked := has["checked"]
	switch {
	case element == "button" && (kind == "" || kind == "submit"), element == "input" && kind == "submit":
		if name != decisionField || value != decision {
			return nil // It is not the pressed button.
		}
	case element == "button", kind == "button", kind == "reset", kind == "image", kind == "file":
		return nil
	case kind == "checkbox", kind == "radio":
		if !ticked {
			if kind == "radio" {
				f.need(has, value)
			}
			return nil
		}
		if !valued {
			value = "on"
		}
	}
	f.fields.Add(name, value)
	return nil
}

// addOption adds an option of a list: the first one is chosen unless another is
// selected.
func (f *form) addOption(has map[string]string) error {
	value, valued := has["value"]
	_, selected := has["selected"]
	switch {
	case f.list == "":
	case !valued:
		return errors.New("the form has an <option> without a value, which is not supported here: give each a value")
	case selected || !f.fields.Has(f.list):
		f.fields.Set(f.list, value)
	}
	if first, needed := f.needed[f.list]; needed && first == "" {
		f.needed[f.list] = value
	}
	return nil
}

// need records a control where a choice is required.
func (f *form) need(has map[string]string, value string) {
	_, required := has["required"]
	if _, known := f.needed[has["name"]]; required && !known {
		f.needed[has["name"]] = value
	}
}

// choose makes the first choice where one is required but missing, because a
// browser would not send the form.
func (f *form) choose() {
	for name, first := range f.needed {
		if f.fields.Get(name) == "" {
			f.fields.Set(name, first)
		}
	}
}

// tickOnly ticks exactly the boxes of the scopes, even those that start
// unticked. If scope is empty, it changes nothing.
func (f *form) tickOnly(scope []string) error {
	for _, name := range scope {
		if !slices.Contains(f.boxes, name) {
			return fmt.Errorf("the consent page has no box for the scope %q: it has boxes for %q, and none for scopes that are always granted", name, f.boxes)
		}
	}
	if len(scope) > 0 {
		f.fields[grantedField] = scope
	}
	return nil
}

// attributes parses the attributes of one element. Of two with the same name,
// the first counts.
func attributes(text string) map[string]string {
	has := map[string]string{}
	for _, m := range attribute.FindAllStringSubmatch(text, -1) {
		name := strings.ToLower(m[1])
		if _, twice := has[name]; !twice {
			has[name] = html.UnescapeString(m[2] + m[3] + m[4])
		}
	}
	return has
}

// excerpt returns the beginning of a page's text.
func excerpt(page string) string {
	const most = 600 // characters, enough for the details of an error page
	text := anyTag.ReplaceAllString(unseen.ReplaceAllString(page, " "), " ")
	words := strings.Join(strings.Fields(html.UnescapeString(text)), " ")
	if words == "" {
		return "(nothing)"
	}
	if runes := []rune(words); len(runes) > most {
		words = string(runes[:most]) + "..."
	}
	return words
}
