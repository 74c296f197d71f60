package simulate

import "slices"

// audit looks at what works when the last day is over. Of the strings in a copy
// of the database, it tries those first that an attacker can try without changing
// anything, then presents all refresh tokens that were ever handed out, and last
// what else is in the copy.
func (w *world) audit() error {
	kept, err := w.server.Copy()
	if err != nil {
		return err
	}
	slices.Sort(kept)
	kept = slices.Compact(kept)
	inCopy, handedOut := map[string]bool{}, map[string]bool{}
	for _, s := range kept {
		inCopy[s] = true
		taken, err := w.server.takes(s)
		if err != nil {
			return err
		}
		if taken {
			w.result.Secrets++
		}
	}
	for _, s := range w.sessions {
		for i, tokens := range s.signIns {
			working, second, err := w.server.chains(tokens)
			if err != nil {
				return err
			}
			if second {
				w.result.SecondChains++
			}
			if len(working) > 0 && i < len(s.signIns)-1 {
				w.result.LeftBehind++
			}
			for _, token := range working {
				if inCopy[token] {
					w.result.Secrets++
				}
			}
			for _, token := range tokens {
				handedOut[token] = true
			}
		}
	}
	for _, s := range kept {
		// An error is another refusal: of what doesn't look like a token.
		if handedOut[s] {
			continue
		}
		if _, refused, err := w.server.refresh(s); err == nil && !refused {
			w.result.Secrets++
		}
	}
	return nil
}

// chains presents the refresh tokens that were handed out after a sign-in, and
// returns those that work, and whether two of them lead to different tokens that
// both go on working. The newest is presented first, because an old one may end
// them all.
func (s *Server) chains(handedOut []string) (working []string, second bool, err error) {
	head := "" // of the chain that was found
	presented := map[string]bool{}
	for _, token := range slices.Backward(handedOut) {
		if presented[token] {
			continue // A retry was answered with it once more.
		}
		presented[token] = true
		next, refused, err := s.refresh(token)
		if err != nil {
			return nil, false, err
		}
		if refused {
			continue
		}
		working = append(working, token)
		if head == "" {
			head = next.refresh
			continue
		}
		if next.refresh == head || second {
			continue
		}
		// There are two, if the first goes on and the other does so afterwards.
		along, refused, err := s.refresh(head)
		if err != nil {
			return nil, false, err
		}
		if refused {
			head = next.refresh // The one took the other's place.
			continue
		}
		head = along.refresh
		other, refused, err := s.refresh(next.refresh)
		if err != nil {
			return nil, false, err
		}
		second = !refused && other.refresh != head
	}
	return working, second, nil
}
