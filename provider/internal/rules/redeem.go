package rules

// Redemption is a request for the first tokens of a grant (RFC 6749 section
// 4.1.3).
type Redemption struct {
	Code          Hash
	ApplicationID string
	RedirectURI   string // as presented; may be empty
	Challenge     string // the S256 hash of the presented verifier; empty if there is none
	Resource      string // for which tokens are requested (RFC 8707 section 2.2); empty for the grant's

	// NeedsChallenge is set for a public application that redeems a code:
	// without PKCE anyone who has the code could redeem it.
	NeedsChallenge bool

	Access  NewToken
	Refresh NewToken // zero if none is issued
	Secret  Secret   // of Refresh

	Now Instant
}

// Redeem spends the code of the grant and adds the tokens. It refuses in this
// order: ErrNotFound, ErrMismatch, ErrRevoked, ErrReused, ErrExpired,
// ErrResource. So only the application that the code was sent to, with the
// right verifier, can end the grant by presenting the code twice.
func (g *Grant) Redeem(q *Redemption) (Step, error) {
	successor := q.Access.Hash
	if !q.Refresh.Hash.IsZero() {
		successor = q.Refresh.Hash
	}
	mismatch := g.code.mismatch(q)
	switch {
	case g.code.hash.IsZero() || !g.code.hash.Equal(q.Code):
		return Keep, ErrNotFound
	case g.ApplicationID != q.ApplicationID:
		return Keep, ErrOtherApplication
	case mismatch != nil:
		return Keep, mismatch
	case g.revoked():
		return Keep, ErrRevoked
	case g.wrote(successor):
		return Keep, nil
	case g.code.flags&codeSpent != 0:
		return Keep, ErrReused
	case g.code.expiresAt <= q.Now:
		return Keep, ErrExpired
	case !g.isFor(q.Resource):
		return Keep, ErrResource
	}
	g.code.flags |= codeSpent
	g.give(q.Access, "", q.Now)
	if !q.Refresh.Hash.IsZero() {
		g.current = refreshToken{q.Refresh.Hash, q.Now, g.Until(q.Refresh.ExpiresAt)}
		g.family, g.generation = q.Secret.family(), q.Secret.generation()
	}
	g.note(successor)
	g.LastUsedAt = max(g.LastUsedAt, q.Now)
	return Write, nil
}

// mismatch returns how the presented code differs from the issued one, or nil.
func (c *code) mismatch(q *Redemption) error {
	challenged := c.flags&codeChallenged != 0
	switch {
	case !challenged && q.NeedsChallenge:
		return ErrNoChallenge
	case challenged && q.Challenge == "":
		return ErrNoVerifier
	case !challenged && q.Challenge != "":
		return ErrUnexpectedVerifier
	case c.challenge != digest(q.Challenge):
		return ErrWrongVerifier
	case c.redirect == digest(q.RedirectURI), c.flags&codeRedirectOptional != 0 && q.RedirectURI == "":
		return nil
	case q.RedirectURI == "":
		return ErrNoRedirectURI
	}
	return ErrOtherRedirectURI
}

// Redeemable reports whether the code with the hash can be redeemed.
func (g *Grant) Redeemable(code Hash, now Instant) bool {
	return g.code.hash.Equal(code) && !g.revoked() && g.code.flags&codeSpent == 0 && now < g.code.expiresAt
}
