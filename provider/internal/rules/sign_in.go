package rules

// SignIn is what the ID tokens of a grant say of how its user signed in (OpenID
// Connect Core section 2). It never changes.
type SignIn struct {
	At      Instant // auth_time; zero: not known
	Nonce   string
	ACR     string
	AMR     string // names with single spaces between them
	Session string // sid

	// Claims are those about the user that the application has asked to find in
	// its ID tokens (section 5.5), with single spaces between them.
	Claims string
}

func (w *writer) signIn(s *SignIn) {
	known, at := byte(0), w.base
	if s.At != 0 {
		known, at = 1, s.At
	}
	w.bytes([]byte{known})
	w.time(at)
	for _, text := range []string{s.Nonce, s.ACR, s.AMR, s.Session} {
		w.uvarint(uint64(len(text)))
		w.string(text)
	}
	w.string(s.Claims)
}

func (r *reader) signIn() (s SignIn) {
	known, at := r.byte(), r.time()
	if known != 0 {
		s.At = at
	}
	for _, text := range []*string{&s.Nonce, &s.ACR, &s.AMR, &s.Session} {
		*text = r.take(r.uvarint())
	}
	s.Claims = r.rest()
	return s
}
