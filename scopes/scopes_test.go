package scopes_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/scopes"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     scopes.Set
		wantErr  string
	}{
		{name: "empty", in: ""},
		{name: "one", in: "email", want: scopes.Set{"email"}},
		{name: "in their order, each once", in: "profile email profile", want: scopes.Set{"profile", "email"}},
		{name: "only spaces", in: "  "},
		{name: "every allowed character", in: "!#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~", want: scopes.Set{"!#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~"}},
		{name: "leading space", in: " email", want: scopes.Set{"email"}},
		{name: "trailing space", in: "email ", want: scopes.Set{"email"}},
		{name: "spaces between", in: "profile   email", want: scopes.Set{"profile", "email"}},
		{name: "no-break space", in: "email\u00a0profile", wantErr: "name 1 has a character"},
		{name: "form feed", in: "profile \f", wantErr: "name 2 has a character"},
		{name: "tab", in: "email\tprofile", wantErr: "name 1 has a character"},
		{name: "newline", in: "email\nprofile", wantErr: "name 1 has a character"},
		{name: "quotation mark", in: `a "b"`, wantErr: "name 2 has a character"},
		{name: "backslash", in: `a\b`, wantErr: "name 1 has a character"},
		{name: "NUL", in: "a\x00", wantErr: "name 1 has a character"},
		{name: "not ASCII", in: "é", wantErr: "name 1 has a character"},
		{name: "DEL", in: "a\x7f", wantErr: "name 1 has a character"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := scopes.Parse(tt.in)
			if tt.wantErr != "" {
				require.ErrorContains(t, err, tt.wantErr)
				require.Nil(t, got)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestSetArithmetic(t *testing.T) {
	a, b := scopes.New("profile", "email", "email"), scopes.New("email", "notes:read")

	require.Equal(t, scopes.Set{"profile", "email"}, a)
	require.Equal(t, scopes.Set{"profile", "email", "notes:read"}, a.Union(b))
	require.Equal(t, scopes.Set{"email", "notes:read", "profile"}, b.Union(a))
	require.Equal(t, scopes.Set{"email"}, a.Intersect(b))
	require.Equal(t, scopes.Set{"profile"}, a.Minus(b))
	require.Equal(t, "profile email", a.String())

	require.True(t, a.Contains(nil))
	require.True(t, a.Contains(scopes.New("email")))
	require.False(t, a.Contains(b))
	require.True(t, a.Equal(scopes.Set{"profile", "email"}))
	require.False(t, a.Equal(scopes.New("email")))
	require.False(t, scopes.New("email").Equal(a))

	var none scopes.Set
	require.Empty(t, none.Union(nil))
	require.Equal(t, a, none.Union(a))
	require.Equal(t, "", none.String())
}

func TestSetMethodsDoNotChangeTheirSets(t *testing.T) {
	a := append(make(scopes.Set, 0, 8), "a", "b")
	_ = a.Union(scopes.New("0"))
	_ = a.Minus(scopes.New("a"))
	require.Equal(t, scopes.Set{"a", "b"}, a)
}

func TestDefaultIsACopy(t *testing.T) {
	scopes.Default()[0].Name = "changed"
	require.Equal(t, scopes.Profile, scopes.Default()[0].Name)
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "email", "email profile", " ", "a  b", "\x00", "a\"b", "é", strings.Repeat("a ", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		set, err := scopes.Parse(in)
		if err != nil {
			return
		}
		again, err := scopes.Parse(set.String())
		require.NoError(t, err)
		require.Equal(t, set, again)
		for _, name := range set {
			require.True(t, scopes.Valid(name), "%q", name)
			require.Contains(t, strings.Split(in, " "), name)
		}
	})
}

func ExampleParse() {
	asked, err := scopes.Parse("profile email notes:read")
	if err != nil {
		fmt.Println(err)
		return
	}
	granted := asked.Intersect(scopes.New(scopes.Profile, scopes.Email))
	fmt.Println(granted)
	fmt.Println(asked.Minus(granted))
	// Output:
	// profile email
	// notes:read
}

func ExampleDefault() {
	offered := append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"})
	for _, s := range offered {
		fmt.Println(s.Name, "-", s.Title)
	}
	fmt.Println(scopes.Valid("notes:read"), scopes.Valid("read notes"))
	// Output:
	// profile - See your name, username and picture
	// email - See your email address
	// public_metadata - See the public details of your account
	// private_metadata - See the private details of your account
	// notes:read - Read your notes
	// true false
}

func ExampleSet() {
	held := scopes.New("profile", "notes:read")
	needed := scopes.New("notes:read")
	fmt.Println(held.Has("email"), held.Contains(needed), held.Equal(needed))
	fmt.Println(held.Union(scopes.New("email")).String())
	// Output:
	// false true false
	// profile notes:read email
}
