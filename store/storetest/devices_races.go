package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var deviceRacePromises = []promise{
	{"of many that decide differently on one device exactly one decides",
		"Each that succeeds has made a grant, and the device can redeem only one.",
		raceOfDecisions},
	{"many that decide alike all succeed",
		"A form that is sent twice must not tell the user that somebody else decided.",
		raceOfLikeDecisions},
	{"of many that create a device with one user code exactly one succeeds",
		"A user who types a code must decide on the device that shows it.",
		raceOfUserCodes},
	{"of many that create one device id exactly one succeeds",
		"A step that is sent twice must be done once.",
		raceOfDeviceIDs},
	{"of many first polls at one time exactly one is not too soon",
		"A device that polls from many connections at once must be slowed down as often.",
		raceOfPolls},
	{"a decision beside polls is not lost, nor a poll",
		"The device polls all the while until the user has decided.",
		raceOfPollsAndDecision},
	{"a cleanup beside traffic loses no device",
		"It runs in many processes, whenever it likes.",
		raceOfCreateAndCleanup},
	{"a step beside a cleanup brings nothing back",
		"A device that came back without its expiry would never be removed.",
		raceOfStepsAndCleanup},
}

func raceOfDecisions(t *trial) {
	for range rounds {
		d := t.createDevice()
		decisions, errs := make([]store.DeviceDecision, racers), make([]error, racers)
		for i := range decisions {
			decisions[i] = t.approval(d, 0)
			decisions[i].At = spread(t.after(time.Minute), i)
		}
		decisions[racers/2].GrantID = store.GrantID{} // One says no.
		race(racers, func(i int) { errs[i] = t.DecideDevice(t.Context(), decisions[i]) })
		counts, other := tally(errs, store.ErrConflict)
		if other != nil || counts[nil] != 1 {
			t.fatalf("%d racers that decide on one device: got %d successes, %d of %q and error %v; want 1 success and conflicts",
				racers, counts[nil], counts[store.ErrConflict], store.ErrConflict, other)
		}
		winner := decisions[slices.Index(errs, nil)]
		d.DecidedAt, d.GrantID = winner.At, winner.GrantID
		t.findsDevice(d, "after a race of decisions, with the winner's")
	}
}

func raceOfLikeDecisions(t *trial) {
	for range rounds {
		d := t.createDevice()
		decision, errs := t.approval(d, time.Minute), make([]error, racers)
		race(racers, func(i int) { errs[i] = t.DecideDevice(t.Context(), decision) })
		for i, err := range errs {
			t.must(err, "deciding as all others did, as racer %d", i)
		}
		d.DecidedAt, d.GrantID = decision.At, decision.GrantID
		t.findsDevice(d, "after a race of equal decisions")
	}
}

// raceToCreate lets racers create devices of which only one can be, and checks
// that just that is kept.
func (t *trial) raceToCreate(what string, edit func(*store.Device)) {
	t.Helper()
	devices, errs := make([]store.Device, racers), make([]error, racers)
	for i := range devices {
		devices[i] = t.newDevice(edit)
	}
	race(racers, func(i int) { errs[i] = t.CreateDevice(t.Context(), devices[i]) })
	counts, other := tally(errs, store.ErrExists)
	if other != nil || counts[nil] != 1 {
		t.fatalf("%d racers that create a device with one %s: got %d successes, %d of %q and error %v; want 1 and the rest",
			racers, what, counts[nil], counts[store.ErrExists], store.ErrExists, other)
	}
	winner := devices[slices.Index(errs, nil)]
	t.findsDevice(winner, "after a race for one %s", what)
	for i, d := range devices {
		if errs[i] == nil {
			continue
		}
		if d.UserCode != winner.UserCode {
			t.noUserCode(d.UserCode, "of a racer for one %s that was refused", what)
		}
		_, err := t.PollDevice(t.Context(), t.poll(d, time.Second))
		t.fails(err, store.ErrNotFound, "polling as a racer for one %s that was refused", what)
	}
	t.polls(winner, time.Second, false, "polling as the winner of a race for one %s", what)
	t.deletes(1, winner.ExpiresAt, 10, "a cleanup after a race for one %s", what)
}

func raceOfUserCodes(t *trial) {
	for range rounds {
		userCode := t.hash()
		t.raceToCreate("user code", func(d *store.Device) { d.UserCode = userCode })
	}
}

func raceOfDeviceIDs(t *trial) {
	for range rounds {
		first := t.newDevice()
		t.raceToCreate("id", func(d *store.Device) { d.ID, d.UserCode = first.ID, t.alike(first.UserCode, 2) })
	}
}

func raceOfPolls(t *trial) {
	for range rounds {
		d := t.createDevice()
		p := t.poll(d, time.Second)
		results, errs := make([]store.PolledDevice, racers), make([]error, racers)
		race(racers, func(i int) { results[i], errs[i] = t.PollDevice(t.Context(), p) })

		inTime := 0
		var got, want []time.Duration
		for i, polled := range results {
			t.must(errs[i], "polling as racer %d", i)
			if !polled.TooSoon {
				inTime++
			}
			got = append(got, polled.Interval)
			want = append(want, d.Interval+time.Duration(i)*slowDown)
		}
		slices.Sort(got)
		if inTime != 1 || !slices.Equal(got, want) {
			t.fatalf("%d racers that poll at one time: got %d that are not too soon and intervals of %v; want 1 and %v", racers, inTime, got, want)
		}
		d.PolledAt, d.Interval = p.At, d.Interval+(racers-1)*slowDown
		t.findsDevice(d, "after a race of polls")
	}
}

func raceOfPollsAndDecision(t *trial) {
	for round := range rounds {
		d := t.polls(t.createDevice(), time.Second, false, "the first poll")
		p, decision := t.poll(d, time.Second), t.approval(d, time.Minute)
		errs := make([]error, racers)
		race(racers, func(i int) {
			if i == round%racers {
				errs[i] = t.DecideDevice(t.Context(), decision)
			} else {
				_, errs[i] = t.PollDevice(t.Context(), p)
			}
		})
		for i, err := range errs {
			t.must(err, "polling beside a decision, as racer %d", i)
		}
		d.DecidedAt, d.GrantID, d.Interval = decision.At, decision.GrantID, d.Interval+(racers-1)*slowDown
		t.findsDevice(d, "after polls beside a decision")
	}
}

func raceOfCreateAndCleanup(t *trial) {
	const cleaners = 3
	for range rounds / 5 { // Each is many races at once.
		// Half of those that are created come with the user code of one that
		// is being removed.
		var expired, created [racers]store.Device
		for i := range expired {
			expired[i] = t.createDevice(func(d *store.Device) { d.ExpiresAt = t.start })
			created[i] = t.newDevice(func(d *store.Device) {
				if i%2 == 0 {
					d.UserCode = expired[i].UserCode
				}
			})
		}
		var errs [racers + cleaners]error
		var removed [cleaners]int
		race(racers+cleaners, func(i int) {
			if i >= cleaners {
				errs[i] = t.CreateDevice(t.Context(), created[i-cleaners])
				return
			}
			for errs[i] == nil {
				var n int
				n, errs[i] = t.DeleteDevices(t.Context(), t.start, 2)
				removed[i] += n
				if n < 2 {
					return
				}
			}
		})

		for i := range cleaners {
			t.must(errs[i], "a cleanup beside others and traffic")
		}
		rest, err := t.DeleteDevices(t.Context(), t.start, 2*racers)
		t.must(err, "a cleanup after the race")
		for _, n := range removed {
			rest += n
		}
		if rest != racers {
			t.fatalf("%d cleanups beside traffic: got %d devices removed in all, want %d", cleaners, rest, racers)
		}
		for i, d := range created {
			err := errs[cleaners+i]
			if taken := d.UserCode == expired[i].UserCode; taken && errors.Is(err, store.ErrExists) {
				err = t.CreateDevice(t.Context(), d)
			} else if !taken {
				t.noDevice(expired[i], "a device that was removed in a race")
			}
			t.must(err, "creating a device beside a cleanup")
			t.findsDevice(d, "a device that was created beside a cleanup")
			t.polls(d, time.Second, false, "the first poll of a device that was created beside a cleanup")
		}
		t.deletes(racers, t.after(deviceLifetime), 2*racers, "a cleanup of what was created beside cleanups")
	}
}

func raceOfStepsAndCleanup(t *trial) {
	for round := range rounds {
		d := t.createDevice()
		p, decision := t.poll(d, time.Minute), t.approval(d, time.Minute)
		errs := make([]error, racers)
		race(racers, func(i int) {
			switch {
			case i == round%racers:
				_, errs[i] = t.DeleteDevices(t.Context(), d.ExpiresAt, 10)
			case i%2 == 0:
				errs[i] = t.DecideDevice(t.Context(), decision)
			default:
				_, errs[i] = t.PollDevice(t.Context(), p)
			}
		})
		if _, other := tally(errs, store.ErrNotFound); other != nil || errors.Is(errs[round%racers], store.ErrNotFound) {
			t.fatalf("steps beside a cleanup: got error %v, and %v from the cleanup; want none but %q for the steps",
				other, errs[round%racers], store.ErrNotFound)
		}
		t.noDevice(d, "a device that was removed beside other steps")
		t.deletes(0, t.after(1000*time.Hour), 10, "a cleanup after a cleanup beside other steps")
	}
}
