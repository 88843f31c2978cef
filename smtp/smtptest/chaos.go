package smtptest

import "math/rand/v2"

// Chaos makes anything go wrong with probability p at each stage where no
// fault of [Server.On] applies: a temporary refusal, 421, half a reply,
// garbage, or the end of the connection. The same seed gives the same faults
// to the same dialogues: what happens depends on the seed, the number of the
// connection and the place in it alone. p of 0 ends the chaos.
//
// Nothing is refused for good, so a sender that tries again gets every message
// through sooner or later, and some of them twice where the reply was lost.
func (s *Server) Chaos(seed uint64, p float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seed, s.chaos = seed, p
}

// chance is called under the server's lock.
func (d *dialogue) chance(st Stage) *action {
	d.places++
	p := d.srv.chaos
	if p <= 0 {
		return nil
	}
	r := rand.New(rand.NewPCG(d.srv.seed, uint64(d.number)<<32|uint64(d.places)))
	if r.Float64() >= p {
		return nil
	}
	return misfortune(r, st)
}

// misfortune is one of the things that happen to the best of servers.
func misfortune(r *rand.Rand, st Stage) *action {
	const kinds = 6
	kind := r.IntN(kinds)
	if st == Connect || st == TLS || st == Body {
		kind %= 2 // nobody waits for a reply there
	}
	switch kind {
	case 0:
		return &action{output: nothing, ending: dropFIN}
	case 1:
		return &action{output: nothing, ending: dropRST}
	case 2:
		return &action{output: half, ending: dropFIN}
	case 3:
		return &action{output: scripted, text: []byte(garbage), ending: dropFIN}
	case 4:
		return &action{output: scripted, text: formatReply(421, "4.3.2", "chaos"), ending: dropFIN}
	}
	if st == Banner || st == QUIT {
		return &action{output: scripted, text: formatReply(421, "4.3.2", "chaos"), ending: dropFIN}
	}
	return &action{output: scripted, text: formatReply(451, "4.3.0", "chaos")}
}
