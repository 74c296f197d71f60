package rules

// SignIn is what the ID tokens of a grant say about how its user signed in
// (OpenID Connect Core section 2). It never changes.
type SignIn struct {
	At      Instant // auth_time; zero if unknown
	Nonce   string
	ACR     string
	AMR     string // names with single spaces between them
	Session string // sid
}

func (w *writer) signIn(s *SignIn) {
	known, at := byte(0), w.base
	if s.At != 0 {
		known, at = 1, s.At
	}
	w.bytes([]byte{known})
	w.time(at)
	for _, text := range []string{s.Nonce, s.ACR, s.AMR} {
		w.uvarint(uint64(len(text)))
		w.string(text)
	}
	w.string(s.Session)
}

func (r *reader) signIn() (s SignIn) {
	known, at := r.byte(), r.time()
	if known != 0 {
		s.At = at
	}
	for _, text := range []*string{&s.Nonce, &s.ACR, &s.AMR} {
		*text = r.take(r.uvarint())
	}
	s.Session = r.rest()
	return s
}
