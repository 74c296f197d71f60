package rules

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// fill sets every field of a struct, including nested structs and arrays, so
// that the codec can't forget a new field.
func fill(v reflect.Value, next *int64) {
	v = reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem() // may be set though it is unexported
	*next++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), next)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), next)
		}
	case reflect.String:
		v.SetString(strings.Repeat("s", int(1+*next%200)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64, reflect.Int:
		v.SetInt(int64(start) + *next<<20)
	default:
		v.SetUint(uint64(1 + *next%255))
	}
}

// unknownField is a field of a newer version.
const unknownField = "\xfe\x03new"

func fullGrant() (g Grant) {
	fill(reflect.ValueOf(&g).Elem(), new(int64))
	g.accessCount, g.recentCount, g.rotationCount, g.unknown = maxAccess, maxRecent, maxRotations, unknownField
	g.generation = maxRotations + 1
	return g
}

func fullConsent() (c Consent) {
	fill(reflect.ValueOf(&c).Elem(), new(int64))
	c.answered, c.count, c.void, c.unknown = maxAnswers, maxForms, 0b101, unknownField
	return c
}

func fullDevice() (v Device) {
	fill(reflect.ValueOf(&v).Elem(), new(int64))
	v.Interval, v.unknown = interval+tick, unknownField
	return v
}

// same checks that two values are equal, and names the fields that differ.
func same(t testing.TB, want, got any, what ...any) {
	t.Helper()
	if want == got {
		return
	}
	a, b := reflect.ValueOf(want), reflect.ValueOf(got)
	for i := range a.NumField() {
		if !a.Field(i).Equal(b.Field(i)) {
			t.Errorf("%v: the field %s differs", what, a.Type().Field(i).Name)
		}
	}
	t.FailNow()
}

// A kind of document in the tests of the codec. again reads a document, and
// returns it as it would be stored, and the parsed value.
type coded struct {
	name  string
	full  store.Document
	want  any
	again func(d store.Document) (store.Document, any, error)
}

func codecs() []coded {
	g, c, v := fullGrant(), fullConsent(), fullDevice()
	grant := g.Document(g.mark)
	grant.EndedAt = g.EndedAt.Time() // which only a store sets
	return []coded{
		{"grant", grant, g, func(d store.Document) (store.Document, any, error) {
			var g Grant
			now := d.Seen
			now[0]++
			err := ReadGrant(&g, &d, &now)
			again := g.Document(g.mark)
			again.EndedAt = d.EndedAt
			return again, g, err
		}},
		{"consent", c.Document(c.mark), c, func(d store.Document) (store.Document, any, error) {
			c, err := ReadConsent(&d, d.Seen)
			return c.Document(c.mark), c, err
		}},
		{"device", v.Document(v.mark), v, func(d store.Document) (store.Document, any, error) {
			v, err := ReadDevice(&d)
			return v.Document(v.mark), v, err
		}},
	}
}

// Every field comes back, and fields of a newer version are kept and written
// back.
func TestStatesComeBack(t *testing.T) {
	for _, kind := range codecs() {
		d, got, err := kind.again(kind.full)
		require.NoError(t, err, kind.name)
		same(t, kind.want, got, kind.name)
		same(t, kind.full, d, kind.name)
	}
}

func TestUnknownFieldsAreKept(t *testing.T) {
	for _, kind := range codecs() {
		known := strings.TrimSuffix(kind.full.State, unknownField)
		first := "\x01" // the format
		long := "\xf0\x83\x01" + strings.Repeat("x", 131)
		kind.full.State = first + long + unknownField + known[1:] + unknownField
		d, _, err := kind.again(kind.full)
		require.NoError(t, err, kind.name)
		require.Equal(t, known+long+unknownField+unknownField, d.State, kind.name)
		_, again, err := kind.again(d)
		require.NoError(t, err, kind.name)
		_, got, _ := kind.again(kind.full)
		same(t, got, again, kind.name)
	}
}

// Damaged state is a fault, not a missing document: cut off at any byte, and
// with any byte changed, it is either read or refused as damaged.
func TestDamagedState(t *testing.T) {
	for _, kind := range codecs() {
		whole := kind.full.State
		try := func(state string) error {
			d := kind.full
			d.State = state
			again, got, err := kind.again(d)
			if err != nil {
				require.ErrorIs(t, err, ErrState, kind.name)
				require.NotErrorIs(t, err, ErrNotFound)
				require.Contains(t, err.Error(), d.ID.String())
				return err
			}
			_, twice, err := kind.again(again)
			require.NoError(t, err)
			same(t, got, twice, kind.name)
			return nil
		}
		for format := range 256 {
			if byte(format) != whole[0] {
				require.Error(t, try(string([]byte{byte(format)})+whole[1:]), "another format")
			}
		}
		require.Error(t, try(""))
		refused := 0
		for i := range whole {
			_ = try(whole[:i]) // Between two fields it is a shorter state.
			for _, flip := range []byte{1, 0x40, 0x80, 0xff} {
				b := []byte(whole)
				b[i] ^= flip
				if try(string(b)) != nil {
					refused++
				}
			}
			if i > 0 && try(whole[:i]+whole[i+1:]) != nil {
				refused++
			}
		}
		require.NotZero(t, refused)
		require.Error(t, try(whole+"\x01"))
		require.Error(t, try(whole+"\x01\x05abcd"), "a length past the end")
		require.Error(t, try(whole+"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "a length without an end")
	}
}

// State that no version writes is damaged, so everything that was read can be
// written again.
func TestImpossibleState(t *testing.T) {
	for name, edit := range map[string]func(*Grant){
		"a code without a hash":          func(g *Grant) { g.code.hash = Hash{} },
		"a chain without a generation":   func(g *Grant) { g.generation = 0 },
		"a rotation without its access":  func(g *Grant) { g.accessCount = 0 },
		"a rotation before the first":    func(g *Grant) { g.generation = maxRotations },
		"a secret without an ID":         nil,
		"more rotations than are kept":   nil,
		"more access tokens than can be": nil,
		"more writes than are kept":      nil,
	} {
		g := fullGrant()
		d := g.Document(1)
		zeroed := func(h []byte) string { return strings.Repeat("\x00", len(h)) }
		switch {
		case strings.HasPrefix(name, "a code"):
			d.State = strings.Replace(d.State, string(g.code.hash[:]), zeroed(g.code.hash[:]), 1)
		case strings.HasPrefix(name, "a chain"):
			w := newWriter(g.CreatedAt)
			start := w.field(grantChain)
			w.bytes(make([]byte, 48))
			w.uvarint(1 << 32) // is zero in 32 bits
			w.time(0)
			w.time(0)
			w.end(start)
			d.State = w.state()
		case strings.HasPrefix(name, "a secret"):
			g.rotationCount = 0
			d = g.Document(1)
			w := newWriter(g.CreatedAt)
			start := w.field(grantRotations)
			w.bytes(make([]byte, 16))
			w.uvarint(1 << 32) // is zero in 32 bits
			w.time(0)
			w.end(start)
			d.State += w.state()[1:]
		case strings.HasPrefix(name, "more rotations"):
			w := newWriter(g.CreatedAt)
			start := w.field(grantRotations)
			for range maxRotations + 1 {
				w.bytes(make([]byte, 16))
				w.uvarint(0)
				w.time(0)
			}
			w.end(start)
			d.State += w.state()[1:]
		case strings.HasPrefix(name, "a rotation"):
			edit(&g)
			d = g.Document(1)
		case strings.HasPrefix(name, "more access"):
			d.State += d.State[strings.Index(d.State, string(g.access[0].Hash[:]))-2:]
		default:
			d.State += string([]byte{grantRecent, 8, 1, 2, 3, 4, 5, 6, 7, 8})
		}
		var again Grant
		require.ErrorIs(t, ReadGrant(&again, &d, &d.Seen), ErrState, name)
	}

	v := fullDevice()
	for _, interval := range []int64{-1, -1 << 63, 1 << 62} {
		w := newWriter(v.CreatedAt)
		start := w.field(deviceInterval)
		w.number(interval)
		w.end(start)
		d := v.Document(1)
		d.State += w.state()[1:]
		_, err := ReadDevice(&d)
		require.ErrorIs(t, err, ErrState)
	}

	c := fullConsent()
	c.count, c.void = 3, 0b1010
	d := c.Document(1)
	_, err := ReadConsent(&d, d.Seen)
	require.ErrorIs(t, err, ErrState)
}

// Texts have the lengths that their owners need.
func TestLongTexts(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 129, 16_383, 16_384, 70_000} {
		g := fullGrant()
		g.Resource = strings.Repeat("é", n)
		g.access[3].Scopes = strings.Repeat("s", n)
		d := g.Document(g.mark)
		d.EndedAt = g.EndedAt.Time()
		now := d.Seen
		now[0]++
		var again Grant
		require.NoError(t, ReadGrant(&again, &d, &now))
		same(t, g, again, n)
	}
}

// The sizes fit the design, with scopes of 24 bytes and no resource. "Two live
// tokens" is an hour after the sign-in, when the code is forgotten.
func TestStateSizes(t *testing.T) {
	s := newSignIn(t)
	waiting := len(s.doc.State)
	s.redeems(s.redemption())
	redeemed := len(s.doc.State)
	s.rotates(s.rotation(50 * time.Minute))
	two := len(s.doc.State)
	require.Equal(t, 2, s.read().accessCount)
	long := signedIn(t)
	for i := range 36 {
		long.rotates(long.rotation(time.Duration(i+1) * 2 * time.Hour))
	}
	chain := len(long.doc.State)
	t.Logf("bytes: %d with a code, %d redeemed, %d with two live tokens, %d after 36 rotations two hours apart", waiting, redeemed, two, chain)
	full := signedIn(t)
	for i := range maxRotations {
		full.rotates(full.rotation(5*time.Hour+time.Duration(i)*20*time.Minute, func(q *Rotation) { q.Grace, q.HostSecrets = day, hostSecrets{1 << 31} }))
	}
	t.Logf("bytes: %d with %d rotations within a grace of a day, 20 minutes apart", len(full.doc.State), full.read().rotationCount)
	require.LessOrEqual(t, two, 240)
	require.LessOrEqual(t, chain, 250)
	require.LessOrEqual(t, len(full.doc.State), 250+5*56+maxRotations*28)
}

// Reading allocates nothing, and writing little more than the state itself.
func TestCodecAllocations(t *testing.T) {
	s := signedIn(t)
	s.rotates(s.rotation(50 * time.Minute))
	var g Grant
	require.Zero(t, testing.AllocsPerRun(100, func() {
		g = Grant{}
		if err := ReadGrant(&g, &s.doc, &s.cuts); err != nil {
			t.Error(err)
		}
	}))
	var d store.Document
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { d = g.Document(1) }), 2.0)
	require.Equal(t, s.doc.State, d.State)

	c, v := fullConsent(), fullDevice()
	c.unknown, v.unknown = "", ""
	consent, device := c.Document(1), v.Document(1)
	require.Zero(t, testing.AllocsPerRun(100, func() { c, _ = ReadConsent(&consent, consent.Seen) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { v, _ = ReadDevice(&device) }))
}

func fuzz(f *testing.F, kind coded) {
	f.Add(kind.full.State)
	f.Add("")
	f.Add("\x01")
	f.Add("\x01\x06\x00")
	f.Fuzz(func(t *testing.T, state string) {
		d := kind.full
		d.State = state
		again, got, err := kind.again(d)
		if err != nil {
			require.True(t, errors.Is(err, ErrState))
			return
		}
		_, twice, err := kind.again(again)
		require.NoError(t, err)
		same(t, got, twice, kind.name)
	})
}

func FuzzReadGrant(f *testing.F) {
	s := newSignIn(f, forResource(someResource))
	for i := range 4 {
		f.Add(s.doc.State)
		if i == 0 {
			s.redeems(s.redemption())
		}
		s.rotates(s.rotation(time.Duration(i+1) * 25 * time.Minute))
	}
	fuzz(f, codecs()[0])
}

func FuzzReadConsent(f *testing.F) {
	a := &answered{t: f}
	for n := range byte(2*maxAnswers + 1) {
		a.allow(n, 0, string(rune('a'+n%(maxAnswers+1))), "email profile", "profile")
		f.Add(a.doc.State)
	}
	a.cancel(1, "a", "profile")
	f.Add(a.doc.State)
	fuzz(f, codecs()[1])
}

func FuzzReadDevice(f *testing.F) { fuzz(f, codecs()[2]) }

func benchmarkGrant(b *testing.B) *signIn {
	s := signedIn(b)
	s.rotates(s.rotation(50 * time.Minute))
	b.ReportAllocs()
	b.ReportMetric(float64(len(s.doc.State)), "bytes")
	return s
}

func BenchmarkReadGrant(b *testing.B) {
	s := benchmarkGrant(b)
	for b.Loop() {
		var g Grant
		if err := ReadGrant(&g, &s.doc, &s.cuts); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGrantDocument(b *testing.B) {
	g := benchmarkGrant(b).read()
	for b.Loop() {
		if g.Document(1).Mark == 0 {
			b.Fatal("it has no mark")
		}
	}
}

func BenchmarkRotate(b *testing.B) {
	s := benchmarkGrant(b)
	q := s.rotation(time.Hour)
	for b.Loop() {
		var g Grant
		if err := ReadGrant(&g, &s.doc, &s.cuts); err != nil {
			b.Fatal(err)
		}
		if _, _, err := g.Rotate(q); err != nil {
			b.Fatal(err)
		}
	}
}
