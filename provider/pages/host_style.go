package pages

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxStyle is the maximum length of Config.Style in bytes.
const maxStyle = 400

var (
	lengthOfStyle = regexp.MustCompile(`^([0-9]{1,3}(?:\.[0-9]{1,3})?)(px|rem)$`)
	familyOfStyle = regexp.MustCompile(`^(?:-?[A-Za-z][A-Za-z0-9-]*(?: [A-Za-z][A-Za-z0-9-]*)*|'[A-Za-z0-9][A-Za-z0-9 -]*'|"[A-Za-z0-9][A-Za-z0-9 -]*")$`)
)

// parseStyle returns the part of the style sheet for Config.Style. It allows
// only known variables, and no character that could end a value. So nothing
// else gets into the page, and nothing is loaded.
func parseStyle(text string) (string, error) {
	if len(text) > maxStyle {
		return "", fmt.Errorf("pages: Config.Style has %d bytes: use at most %d", len(text), maxStyle)
	}
	var out strings.Builder
	seen := map[string]bool{}
	for declaration := range strings.SplitSeq(text, ";") {
		if declaration = strings.TrimSpace(declaration); declaration == "" {
			continue
		}
		name, value, _ := strings.Cut(declaration, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		var valid bool
		switch name {
		case "--radius":
			valid = validRadius(value)
		case "--font":
			valid = validFont(value)
		default:
			return "", fmt.Errorf(`pages: Config.Style sets %q: it may set --radius and --font, as in "--radius: 6px; --font: Georgia, serif"`, name)
		}
		switch {
		case seen[name]:
			return "", fmt.Errorf("pages: Config.Style sets %s twice: keep one", name)
		case !valid && name == "--radius":
			return "", fmt.Errorf(`pages: Config.Style sets --radius to %q: use a length from 0 to 32px, such as "6px" or "0.5rem"`, value)
		case !valid:
			return "", fmt.Errorf("pages: Config.Style sets --font to %q: use font names separated by commas; quote a name that has characters other than letters, digits, and hyphens", value)
		}
		if value == "0" {
			value = "0px" // A calc() needs the unit.
		}
		seen[name] = true
		fmt.Fprintf(&out, "%s:%s;", name, value)
	}
	if out.Len() == 0 {
		return "", nil
	}
	return ":root{" + out.String() + "}", nil
}

func validRadius(value string) bool {
	if value == "0" {
		return true
	}
	m := lengthOfStyle.FindStringSubmatch(value)
	if m == nil {
		return false
	}
	size, err := strconv.ParseFloat(m[1], 64)
	if m[2] == "rem" {
		size *= 16
	}
	return err == nil && size <= 32
}

func validFont(value string) bool {
	for family := range strings.SplitSeq(value, ",") {
		if !familyOfStyle.MatchString(strings.TrimSpace(family)) {
			return false
		}
	}
	return true
}
