// Package scopes defines scopes: their names, the sentence that each shows on
// the consent page, and operations on sets of them.
//
// Four scopes are built in. Add yours to them:
//
//	offered := append(scopes.Default(), scopes.Scope{
//		Name:  "notes:read",
//		Title: "Read your notes",
//	})
//
// Names follow RFC 6749 section 3.3: printable ASCII without space, quotation
// mark, and backslash, compared byte for byte.
package scopes

import (
	"fmt"
	"slices"
	"strings"
)

// The built-in scopes. Each one opens a part of the userinfo document; see
// package userinfo for which.
const (
	Profile         = "profile"
	Email           = "email"
	PublicMetadata  = "public_metadata"
	PrivateMetadata = "private_metadata"
)

// The scopes of OpenID Connect (Core section 5.4) that are not among [Default]. A
// host that offers it and knows addresses or phone numbers of its users adds
// them, with a title.
const (
	Address = "address"
	Phone   = "phone"
)

// Scope describes a scope that an application may ask for.
type Scope struct {
	// Name is the scope in requests and tokens, such as "notes:read".
	Name string

	// Title is the sentence on the consent page, such as "Read your notes".
	// Address the user.
	Title string

	// Description adds details in small print below the Title. It may be empty.
	Description string

	// Group is the heading above the scope on the consent page, such as "Your
	// notes". Scopes of one group are shown together. If empty, there is no
	// heading.
	Group string

	// Access is what an application can do with the scope. The page marks scopes
	// that change or delete. If empty, the scope has no mark.
	Access Access

	// Required says that the user can't leave the scope out when they agree to
	// others. The default is false.
	Required bool
}

// Access is what an application can do with a scope.
type Access string

// The kinds of access. Each includes those before it.
const (
	AccessRead   Access = "read"
	AccessWrite  Access = "write"
	AccessDelete Access = "delete"
)

// Default returns the four built-in scopes in the order in which the consent
// page shows them. They are read-only, in the group "Your account". You may
// modify the slice.
func Default() []Scope {
	const account = "Your account"
	return []Scope{
		{Name: Profile, Title: "See your name, username and picture", Group: account, Access: AccessRead},
		{Name: Email, Title: "See your email address", Group: account, Access: AccessRead},
		{Name: PublicMetadata, Title: "See the public details of your account", Group: account, Access: AccessRead},
		{Name: PrivateMetadata, Title: "See the private details of your account", Group: account, Access: AccessRead},
	}
}

// Set is a set of scope names without duplicates, in the order in which they
// were given. The order is for people only. [New] and [Parse] make one. Don't
// modify a Set: methods may return the set itself. The nil Set is the empty
// set.
type Set []string

// New returns the set of the given names. It doesn't check their characters;
// use [Valid] for that.
func New(names ...string) Set { return unique(slices.Clone(names)) }

// unique returns each of the names once. It writes to the slice.
func unique(names []string) Set {
	seen := map[string]bool{}
	kept := names[:0]
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			kept = append(kept, name)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// Parse parses the scope parameter of RFC 6749 section 3.3: names separated by
// one or more spaces. Only spaces means the empty set. If a name has a
// forbidden character, the error says where.
func Parse(s string) (Set, error) {
	if s == "" {
		return nil, nil
	}
	names := strings.Split(s, " ")
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
	for i, name := range names {
		if !Valid(name) {
			return nil, fmt.Errorf("scopes: name %d has a character outside RFC 6749 section 3.3", i+1)
		}
	}
	return unique(names), nil
}

// Valid reports whether name is a scope-token of RFC 6749 section 3.3: one or
// more printable ASCII characters except space, quotation mark, and backslash.
func Valid(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == '"' || c == '\\' || c > '~' {
			return false
		}
	}
	return name != ""
}

// String returns the names separated by single spaces, as in the scope
// parameter.
func (s Set) String() string { return strings.Join(s, " ") }

// Has reports whether name is in the set.
func (s Set) Has(name string) bool { return slices.Contains(s, name) }

// Contains reports whether every name of other is in s. Every set contains the
// empty set.
func (s Set) Contains(other Set) bool {
	for _, name := range other {
		if !s.Has(name) {
			return false
		}
	}
	return true
}

// Equal reports whether both sets have the same names.
func (s Set) Equal(other Set) bool { return s.Contains(other) && other.Contains(s) }

// Union returns the names that are in either set, those of s first.
func (s Set) Union(other Set) Set {
	if s.Contains(other) {
		return slices.Clip(s)
	}
	return unique(slices.Concat(s, other))
}

// Intersect returns the names that are in both sets, in the order of s.
func (s Set) Intersect(other Set) Set { return s.keep(other.Has) }

// Minus returns the names of s that are not in other.
func (s Set) Minus(other Set) Set {
	return s.keep(func(name string) bool { return !other.Has(name) })
}

func (s Set) keep(want func(string) bool) Set {
	unwanted := func(name string) bool { return !want(name) }
	switch {
	case !slices.ContainsFunc(s, want):
		return nil
	case !slices.ContainsFunc(s, unwanted):
		return slices.Clip(s)
	}
	return slices.DeleteFunc(slices.Clone(s), unwanted)
}
