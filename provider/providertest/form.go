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
	list   string   // the name of the <select> whose options are being read

	// needed is the first choice of each list and of each group of radio buttons in
	// which something has to be chosen.
	needed map[string]string
}

// What is read of HTML. It is enough for forms that work without scripts, and
// saves every host a parser among its requirements.
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

// findForm returns the form of a page in which the decision can be made, filled
// in as a browser has it when its button is pressed and nothing else was
// touched, but for choices that have to be made.
func findForm(page, decision string) (*form, error) {
	var f *form
	for _, m := range element.FindAllStringSubmatch(unseen.ReplaceAllString(page, ""), -1) {
		name, has := strings.ToLower(m[1]), attributes(m[2])
		switch {
		case name == "form":
			f = &form{action: has["action"], fields: url.Values{}, needed: map[string]string{}}
			if !strings.EqualFold(has["method"], "post") {
				f = nil // It changes nothing, so it is a search or the like.
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

// add takes a control of the form into account, as HTML says of what is
// submitted.
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
		return errors.New("the form has a <textarea>, which cannot be read here: use inputs and buttons")
	}
	value, valued := has["value"]
	if name == grantedField {
		f.boxes = append(f.boxes, value)
	}
	_, ticked := has["checked"]
	switch {
	case element == "button" && (kind == "" || kind == "submit"), element == "input" && kind == "submit":
		if name != decisionField || value != decision {
			return nil // It is not the one that is pressed.
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

// addOption takes an option of a list into account: the first one is chosen
// unless another is selected.
func (f *form) addOption(has map[string]string) error {
	value, valued := has["value"]
	_, selected := has["selected"]
	switch {
	case f.list == "":
	case !valued:
		return errors.New("the form has an <option> without a value, which cannot be read here: give each a value")
	case selected || !f.fields.Has(f.list):
		f.fields.Set(f.list, value)
	}
	if first, needed := f.needed[f.list]; needed && first == "" {
		f.needed[f.list] = value
	}
	return nil
}

// need notes a control in which something has to be chosen.
func (f *form) need(has map[string]string, value string) {
	_, required := has["required"]
	if _, known := f.needed[has["name"]]; required && !known {
		f.needed[has["name"]] = value
	}
}

// choose takes the first choice where there has to be one and is none: a browser
// would not send the form.
func (f *form) choose() {
	for name, first := range f.needed {
		if f.fields.Get(name) == "" {
			f.fields.Set(name, first)
		}
	}
}

// tickOnly ticks the boxes of the scopes, which may have been left unticked
// before, and no others. Without any scope it leaves all as they are.
func (f *form) tickOnly(scope []string) error {
	for _, name := range scope {
		if !slices.Contains(f.boxes, name) {
			return fmt.Errorf("the consent page has no box for the scope %q: there are those of %q, and what is always granted has none", name, f.boxes)
		}
	}
	if len(scope) > 0 {
		f.fields[grantedField] = scope
	}
	return nil
}

// attributes reads those of one element. Of two with one name, the first counts.
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

// excerpt is the beginning of what can be read on a page.
func excerpt(page string) string {
	const most = 600 // characters, which is room for the details of an error page
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
