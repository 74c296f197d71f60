package simulate

import "slices"

// audit checks what works after the last day. First it tries the strings in a
// copy of the database that an attacker can try without changing anything, then
// all refresh tokens that were ever issued, and last the other strings of the
// copy.
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
		// An error is another kind of refusal, of a text that doesn't look like
		// a token.
		if handedOut[s] {
			continue
		}
		if _, refused, err := w.server.refresh(s); err == nil && !refused {
			w.result.Secrets++
		}
	}
	return nil
}

// chains presents the refresh tokens that were issued after a sign-in. It
// returns those that work, and whether two of them lead to different tokens
// that both keep working. It presents the newest first, because an old one may
// end all of them.
func (s *Server) chains(handedOut []string) (working []string, second bool, err error) {
	head := "" // of the chain that was found
	presented := map[string]bool{}
	for _, token := range slices.Backward(handedOut) {
		if presented[token] {
			continue // A retry got the same answer.
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
		// There are two if the first one continues, and then the other one too.
		along, refused, err := s.refresh(head)
		if err != nil {
			return nil, false, err
		}
		if refused {
			head = next.refresh // The new one replaced it.
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
