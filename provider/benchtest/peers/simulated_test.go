package peers

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/benchtest/simulate"
)

var (
	update   = flag.Bool("update", false, "write the tables of forced sign-ins in docs/concepts/performance.md anew, from a long run")
	sessions = flag.Int("sessions", 10, "how many are simulated; at least 200 with -update")
	days     = flag.Int("days", 3, "how many days of each; at least 10 with -update")
)

const page = "../../../docs/concepts/performance.md"

// size is how many sessions and days are simulated.
func size() (int, int) {
	if *update {
		return max(*sessions, 200), max(*days, 10)
	}
	return *sessions, *days
}

// simulated runs the model in a bubble, where its days pass at once.
func simulated(t *testing.T, c simulate.Contender, m simulate.Model) (r simulate.Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := c.Make()
		if err != nil {
			t.Fatal(err)
		}
		if s.Close != nil {
			defer s.Close()
		}
		if r, err = m.Run(s); err != nil {
			t.Fatal(err)
		}
	})
	return r
}

// The tables on the page are of these runs:
//
//	go test ./provider/benchtest/peers -run TestForcedSignIns -v -update
func TestForcedSignIns(t *testing.T) {
	table := [][]string{{"library", "settings", "forced sign-ins per 1,000 session-days",
		"sign-ins with a second chain", "abandoned, but still valid", "strings in a copy of the database that work as a token"}}
	for _, c := range Simulated {
		r := simulated(t, c, simulate.Careless(size()))
		table = append(table, []string{c.Name, c.Settings, perThousandDays(r),
			fmt.Sprint(r.SecondChains), fmt.Sprint(r.LeftBehind), fmt.Sprint(r.Secrets)})
		switch {
		case c.Name != "Latchkey":
		case r.SecondChains != 0 || r.LeftBehind != 0 || r.Secrets != 0:
			t.Errorf("%s, %s: %+v", c.Name, c.Settings, r)
		case strings.Contains(c.Settings, "24 hours") && r.SignIns != 0:
			t.Errorf("with a grace of 24 hours users had to sign in again: %+v", r)
		case strings.Contains(c.Settings, "6 hours") && (r.SignIns-1)*1000 > 2*r.SessionDays:
			// An answer that is lost in the evening is requested again in the
			// morning. That is rare.
			t.Errorf("with a grace of 6 hours users had to sign in again: %+v", r)
		}
	}
	show(t, table)
}

// The behavior of clients matters as much as the grace period.
func TestForcedSignInsByBehavior(t *testing.T) {
	graces := []struct {
		name   string
		public bool
		grace  time.Duration
	}{
		{"public, 30 seconds", true, 30 * time.Second},
		{"public, 10 minutes", true, 10 * time.Minute},
		{"confidential, 6 hours", false, 6 * time.Hour},
	}
	table := [][]string{{"forced sign-ins per 1,000 session-days"}}
	for _, g := range graces {
		table[0] = append(table[0], g.name)
	}
	for _, b := range Behaviors {
		row := []string{b.Name}
		for _, g := range graces {
			m := simulate.Careless(size())
			b.Model(&m)
			lifetimes := provider.Lifetimes{Access: b.Access, Grace: g.grace}
			r := simulated(t, simulate.Latchkey(g.name, g.public, lifetimes), m)
			if r.SecondChains != 0 || r.LeftBehind != 0 || r.Secrets != 0 {
				t.Errorf("%s, %s: %+v", b.Name, g.name, r)
			}
			if m.Memory == 0 && m.Retry > 0 && r.SignIns*1000 > 5*r.SessionDays {
				t.Errorf("%s, %s: careful clients had to sign in again: %+v", b.Name, g.name, r)
			}
			// A grace of hours tolerates all of these clients.
			if !g.public && (r.SignIns-1)*1000 > 10*r.SessionDays {
				t.Errorf("%s, %s: users had to sign in again: %+v", b.Name, g.name, r)
			}
			row = append(row, perThousandDays(r))
		}
		table = append(table, row)
	}
	show(t, table)
}

func perThousandDays(r simulate.Result) string {
	return fmt.Sprintf("%.1f", 1000*float64(r.SignIns)/float64(r.SessionDays))
}

// show logs the table, and with -update replaces the one with the same header
// on the page.
func show(t *testing.T, rows [][]string) {
	t.Helper()
	var lines []string
	for i, row := range rows {
		lines = append(lines, strings.ReplaceAll("| "+strings.Join(row, " | ")+" |", "|  |", "| |"))
		if i == 0 {
			lines = append(lines, "|"+strings.Repeat(" --- |", len(row)))
		}
	}
	t.Log("\n" + strings.Join(lines, "\n"))
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, old, ok := strings.Cut(string(text), lines[0]+"\n")
	if !ok {
		t.Fatalf("%s has no table that begins with %s", page, lines[0])
	}
	if !*update {
		return
	}
	for strings.HasPrefix(old, "|") {
		_, old, _ = strings.Cut(old, "\n")
	}
	if err := os.WriteFile(page, []byte(before+strings.Join(lines, "\n")+"\n"+old), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Two runs are equal, although the tokens are not.
func TestSimulationIsDeterministic(t *testing.T) {
	for _, c := range Simulated {
		m := simulate.Careless(4, 3)
		if first, second := simulated(t, c, m), simulated(t, c, m); first != second {
			t.Errorf("%s, %s: %+v, and then %+v", c.Name, c.Settings, first, second)
		}
	}
}

// The audit finds planted faults.
func TestAuditFindsWhatIsThere(t *testing.T) {
	for _, c := range Simulated {
		r := simulated(t, c, simulate.Careless(4, 3))
		if keepsTokens := strings.HasPrefix(c.Name, "go-oauth2"); keepsTokens != (r.Secrets > 0) {
			t.Errorf("%s, %s: %d secrets in a copy", c.Name, c.Settings, r.Secrets)
		}
		if takesSpent := strings.Contains(c.Settings, "stays good"); takesSpent != (r.SecondChains > 0) {
			t.Errorf("%s, %s: %d second chains", c.Name, c.Settings, r.SecondChains)
		}
	}
}
