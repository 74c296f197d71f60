package faults

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// goOn does the next thing with a sign-in, and reports whether more is left to
// do.
func (w *worker) goOn(s *signIn) bool {
	switch {
	case s.unsure && len(s.pairs) > 0:
		w.refresh(s, 1)
		return true
	case len(s.pairs) == 0:
		w.redeem(s, 1+w.few(6))
		return len(s.pairs) > 0 || s.unsure
	}
	switch n := w.random.IntN(40); {
	case n < 8 && len(s.pairs) < maxChain:
		w.refresh(s, 1)
	case n < 11 && len(s.pairs) < maxChain:
		w.refresh(s, 2+w.few(3))
	case n < 14:
		w.retry(s)
	case n < 15 && len(s.pairs) < maxChain:
		w.refreshBoth(s)
	case n < 17:
		w.revoke(s, w.one(2), len(s.pairs) < maxChain && w.one(2))
	case n < 18:
		w.reuse(s)
	case n < 19 && s.id != "":
		w.endOne(s)
	case n < 21:
		w.list(s)
	default:
		w.find(s, 1+w.few(3))
	}
	now := time.Now()
	_, die := w.cuts.may(s.thing, span{from: now, to: now})
	return !die || w.one(4) // Some requests are made although the sign-in has ended.
}

// few returns mostly 0, sometimes a few, and rarely many.
func (w *worker) few(n int) int {
	switch w.random.IntN(12) {
	case 0:
		return 15
	case 1, 2, 3:
		return 1 + w.random.IntN(n)
	}
	return 0
}

// outcomes are the results of several token requests at once.
type outcomes struct {
	given                  []pair
	refused, gone, unknown int
}

// outcomes reads the answers to token requests.
func (w *worker) outcomes(s *signIn, during span, answers ...answer) (o outcomes) {
	for _, a := range answers {
		p, ok := a.pair()
		switch {
		case a.unknown:
			o.unknown++
		case w.gone(s.app, during, a.status == http.StatusUnauthorized && strings.Contains(a.body, `"invalid_client"`)):
			o.gone++
		case ok:
			o.given = append(o.given, p)
		case a.refused():
			o.refused++
		case s.device != nil && s.unsure && waits(a):
			o.unknown++ // The decision was not stored.
		default:
			w.wrong("%s: %s", s, a.reply)
		}
	}
	return o
}

// redeem redeems the code, possibly several times at once. One may succeed, but
// because the code was used again, its tokens are then revoked.
func (w *worker) redeem(s *signIn, times int) {
	answers, during := w.ask("redeem", repeat(s.redeem, times)...)
	o := w.outcomes(s, during, answers...)
	was := s.unsure
	s.unsure = o.unknown > 0
	switch {
	case len(o.given) > 1:
		w.wrong("%s: a code was redeemed twice", s)
	case len(o.given) == 1:
		w.saw(s, during, true, "redemption")
		s.pairs, s.unsure = o.given, false
		if s.made.to.IsZero() {
			s.made.to = during.to
		}
	case o.refused > 0 && !was && o.unknown == 0 && !w.lostDevice(s, during):
		w.saw(s, during, false, "redemption")
	}
	if o.refused > 0 || times > 1 && o.unknown > 0 {
		s.end(during, o.refused > 0 && !w.lostDevice(s, during))
	}
}

func (s *signIn) redeem(host string) (reply, error) {
	if s.device != nil {
		return s.poll(host)
	}
	return s.app.redeem(host, s.code)
}

// lostDevice reports whether a device may have been refused because its record
// was swept, which says nothing about the grant.
func (w *worker) lostDevice(s *signIn, during span) bool {
	if s.device == nil {
		return false
	}
	_, lost := w.cuts.may(s.waits, during)
	return lost
}

// refreshing is a request with the refresh token from n rotations ago.
func (s *signIn) refreshing(ago int) send {
	token := s.last(ago).Refresh
	return func(host string) (reply, error) { return s.app.refresh(host, token) }
}

// refresh refreshes, possibly several times at once: all get the same pair.
func (w *worker) refresh(s *signIn, times int) {
	answers, during := w.ask("refresh", repeat(s.refreshing(0), times)...)
	w.rotated(s, during, w.outcomes(s, during, answers...))
}

// rotated records the answer to the current refresh token.
func (w *worker) rotated(s *signIn, during span, o outcomes) {
	for _, p := range o.given {
		if p != o.given[0] {
			w.wrong("%s: one refresh token, two pairs", s)
		}
	}
	s.unsure = s.unsure && o.refused == 0 || o.unknown > 0
	if len(o.given) > 0 {
		w.saw(s, during, true, "refresh")
		s.pairs, s.unsure = append(s.pairs, o.given[0]), false
	}
	if o.refused > 0 {
		w.saw(s, during, false, "refresh")
	}
}

// retry presents a rotated token, usually the last one, and gets the current
// pair, because all tokens of a chain are within the grace here.
func (w *worker) retry(s *signIn) {
	if len(s.pairs) < 2 {
		return
	}
	ago := 1
	if w.one(3) {
		ago += w.random.IntN(len(s.pairs) - 1)
	}
	answers, during := w.ask("retry", repeat(s.refreshing(ago), 1+w.few(2))...)
	w.repeated(s, during, s.last(0), w.outcomes(s, during, answers...))
}

func (w *worker) repeated(s *signIn, during span, want pair, o outcomes) {
	for _, p := range o.given {
		w.saw(s, during, true, "retry")
		if p != want {
			w.wrong("%s: a repeated refresh gave another pair", s)
		}
	}
	if o.refused > 0 {
		w.saw(s, during, false, "retry")
	}
}

// refreshBoth presents the current refresh token and the previous one at once.
// The previous one gets the pair that is current at that moment: from before
// the rotation, or after it.
func (w *worker) refreshBoth(s *signIn) {
	if len(s.pairs) < 2 {
		return
	}
	answers, during := w.ask("refresh with both", s.refreshing(0), s.refreshing(1))
	current, before := w.outcomes(s, during, answers[0]), w.outcomes(s, during, answers[1])
	want := s.last(0)
	w.rotated(s, during, current)
	if len(before.given) > 0 && before.given[0] != want {
		if want = s.last(0); current.unknown > 0 { // The refresh was done, although the answer was lost.
			want = before.given[0]
			s.pairs, s.unsure = append(s.pairs, want), false
		}
	}
	w.repeated(s, during, want, before)
}

// reuse presents a code that was spent, which ends the grant.
func (w *worker) reuse(s *signIn) {
	answers, during := w.ask("reuse", repeat(s.redeem, 1+w.few(2))...)
	o := w.outcomes(s, during, answers...)
	if len(o.given) > 0 {
		w.wrong("%s: a spent code worked again", s)
	}
	if o.refused+o.unknown > 0 {
		s.end(during, o.refused > 0 && !w.lostDevice(s, during))
	}
}

// revoke revokes an access token, or the whole grant with one of its refresh
// tokens, possibly together with a refresh.
func (w *worker) revoke(s *signIn, whole, alongside bool) {
	p := s.last(w.random.IntN(len(s.pairs)))
	token := p.Access
	if whole {
		token = p.Refresh
	}
	sends := []send{func(host string) (reply, error) { return s.app.post(host, "/oauth/token/revoke", "token", token) }}
	if alongside {
		sends = append(sends, s.refreshing(0))
	}
	answers, during := w.ask("revoke", sends...)
	a := answers[0]
	switch {
	case !a.unknown && w.gone(s.app, during, a.status == http.StatusUnauthorized):
	case !a.unknown && a.status != http.StatusOK:
		w.wrong("%s: revoke: %s", s, a.reply)
	case whole:
		s.end(during, !a.unknown)
	default:
		s.revoked[token] = s.revoked[token] || !a.unknown
	}
	if alongside {
		w.rotated(s, during, w.outcomes(s, during, answers[1]))
	}
}

// endOne makes the host end one sign-in.
func (w *worker) endOne(s *signIn) {
	answers, during := w.ask("end", w.first.to("POST", "/test/revoke?grant="+s.id))
	s.end(during, w.done("end", answers[0]))
}

// find asks about a token, possibly at several instances.
func (w *worker) find(s *signIn, times int) {
	ago := 0
	if w.one(2) {
		ago = w.random.IntN(len(s.pairs))
	}
	token := s.last(ago).Access
	switch w.random.IntN(4) {
	case 0:
		answers, during := w.ask("userinfo", repeat(func(host string) (reply, error) { return s.app.bearer(host, "/oauth/userinfo", token) }, times)...)
		w.found(s, during, token, fmt.Sprintf("%q", s.user), answers)
	case 1:
		w.introspect(s, ago, times)
	default:
		answers, during := w.ask("guard", repeat(func(host string) (reply, error) { return s.app.notes(host, token) }, times)...)
		w.found(s, during, token, s.id+" "+s.user+" "+s.app.ID, answers)
		if i := slices.IndexFunc(answers, func(a answer) bool { return a.status == http.StatusOK }); i >= 0 {
			s.id, _, _ = strings.Cut(answers[i].body, " ")
		}
	}
}

// found evaluates answers to requests with an access token. A successful answer
// shows the token's user and scope.
func (w *worker) found(s *signIn, during span, token, shows string, answers []answer) {
	for _, a := range answers {
		switch {
		case a.unknown:
		case a.status == http.StatusOK && s.revoked[token]:
			w.wrong("%s: a revoked access token works", s)
		case a.status == http.StatusOK:
			w.saw(s, during, true, "use")
			if !strings.Contains(a.body, shows) {
				w.wrong("%s: the answer is about another token: %s", s, a.body)
			}
		case a.status != http.StatusUnauthorized:
			w.wrong("%s: use: %s", s, a.reply)
		default:
			if _, perhaps := s.revoked[token]; !perhaps {
				w.saw(s, during, false, "use")
			}
		}
	}
}

// introspect asks about an access token or a refresh token.
func (w *worker) introspect(s *signIn, ago, times int) {
	token := s.last(ago).Access
	_, revoked := s.revoked[token]
	certain := s.revoked[token]
	if w.one(2) {
		// Of the refresh tokens, only the current one is active.
		token, certain = s.last(ago).Refresh, ago > 0
		revoked = ago > 0 || s.unsure
	}
	answers, during := w.ask("introspect", repeat(func(host string) (reply, error) {
		return s.app.post(host, "/oauth/token_info", "token", token)
	}, times)...)
	for _, a := range answers {
		active := strings.Contains(a.body, `"active":true`)
		switch {
		case a.unknown, w.gone(s.app, during, a.status == http.StatusUnauthorized):
		case a.status != http.StatusOK || active && certain:
			w.wrong("%s: introspection, ago %d: %s", s, ago, a.reply)
		case active && (!strings.Contains(a.body, fmt.Sprintf(`"sub":%q`, s.user)) || !strings.Contains(a.body, s.app.ClientID)):
			w.wrong("%s: the introspection is about another token: %s", s, a.body)
		case active || !revoked:
			w.saw(s, during, active, "introspection")
		}
	}
}

// list lists the sign-ins of a user who has only this one.
func (w *worker) list(s *signIn) {
	if strings.Count(s.user, "_") == 1 {
		return
	}
	answers, during := w.ask("list", w.first.to("GET", "/test/grants?user="+s.user))
	a := answers[0]
	if !w.done("list", a) {
		return
	}
	if n := strings.Count(a.body, "\n"); n > 1 || n == 1 && !strings.Contains(a.body, s.id+" "+s.app.ID) && s.id != "" {
		w.wrong("%s: listed: %q", s, a.body)
	}
	w.saw(s, during, a.body != "", "list")
}
