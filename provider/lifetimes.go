package provider

import (
	"cmp"
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// Lifetimes sets how long codes, tokens, and sign-ins last. No field may be
// negative.
//
// Lifetimes can be set in three places. A field of
// ApplicationSettings.Lifetimes or Resource.Lifetimes takes precedence over
// Config.Lifetimes, and may be longer. If both have it, the shorter one counts.
// A zero field falls through to the next level.
//
// A change applies to what is issued after it, except that Grace also applies
// to what was issued before.
type Lifetimes struct {
	// Code is how long an authorization code can be redeemed. The default is 10
	// minutes.
	Code time.Duration

	// Access is how long an access token works. The default is 2 hours.
	Access time.Duration

	// Refresh is how long a refresh token works; each refresh starts it again.
	// The default is 72 hours.
	Refresh time.Duration

	// Grant ends a sign-in after this time, however often it is refreshed. The
	// default is no limit.
	Grant time.Duration

	// Grace is how long a refresh token that was rotated still gets the current
	// tokens, so that parallel refreshes, lost answers, and processes that share
	// a credentials file don't sign the user out. The default is 30 seconds. Set
	// it to one nanosecond to end the sign-in on any repeated use.
	//
	// It is at most 24 hours and never longer than Refresh. For a public
	// application it is at most 10 minutes, because a thief needs only the old
	// token; a confidential application must also authenticate (RFC 9700 section
	// 2.2.2). A longer Grace in the settings of a public application is an
	// error; in the Config or a Resource it counts as 10 minutes.
	//
	// A grant remembers its last 16 refreshes within the grace period. An older
	// token is refused, and if the application is public, it ends the sign-in.
	Grace time.Duration
}

// defaultLifetimes are Clerk's, with a grace period.
var defaultLifetimes = Lifetimes{Code: 10 * time.Minute, Access: 2 * time.Hour, Refresh: 72 * time.Hour, Grace: 30 * time.Second}

const (
	// maxGrace is a day. A process that holds a token for longer has stopped
	// working in between, and can read the newer one.
	maxGrace = 24 * time.Hour

	// maxPublicGrace is the maximum for applications that don't authenticate.
	// It covers a restart and a slow network, and leaves a thief little time.
	maxPublicGrace = 10 * time.Minute
)

// combine returns lifetimes whose fields are computed from those of l and o.
func (l Lifetimes) combine(o Lifetimes, of func(a, b time.Duration) time.Duration) Lifetimes {
	return Lifetimes{of(l.Code, o.Code), of(l.Access, o.Access), of(l.Refresh, o.Refresh), of(l.Grant, o.Grant), of(l.Grace, o.Grace)}
}

// or returns the lifetimes, with zero fields replaced by those of o.
func (l Lifetimes) or(o Lifetimes) Lifetimes {
	return l.combine(o, func(a, b time.Duration) time.Duration { return cmp.Or(a, b) })
}

// shorter returns, for each field, the shorter one if both are set, or else the
// one that is set.
func (l Lifetimes) shorter(o Lifetimes) Lifetimes {
	return l.combine(o, func(a, b time.Duration) time.Duration {
		if a == 0 || b == 0 {
			return max(a, b)
		}
		return min(a, b)
	})
}

// of returns the effective lifetimes for an application and a resource. The
// receiver is Config.Lifetimes.
func (l Lifetimes) of(app *store.Application, resource Lifetimes) Lifetimes {
	l = Lifetimes(app.Lifetimes).shorter(resource).or(l)
	if app.Public {
		l.Grace = min(l.Grace, maxPublicGrace)
	}
	l.Grace = min(l.Grace, l.Refresh)
	return l
}

// check reports each invalid field, what is wrong with it, and what to do.
func (l Lifetimes) check(bad func(field, what string)) {
	for _, d := range []struct {
		field string
		value time.Duration
		least time.Duration
	}{
		{"Code", l.Code, time.Second},
		{"Access", l.Access, time.Second},
		{"Refresh", l.Refresh, time.Second},
		{"Grant", l.Grant, time.Second},
		{"Grace", l.Grace, 0},
	} {
		if what := tooShort(d.value, d.least); what != "" {
			bad(d.field, what)
		}
	}
	if l.Grace > maxGrace {
		bad("Grace", fmt.Sprintf("is %v: use at most %v", l.Grace, maxGrace))
	}
}

// tooShort returns what is wrong with a duration for which zero means the
// default, or "".
func tooShort(value, least time.Duration) string {
	switch {
	case value < 0:
		return "is negative: leave it at zero for the default"
	case value > 0 && value < least:
		return fmt.Sprintf("is %v: use at least %v", value, least)
	}
	return ""
}
