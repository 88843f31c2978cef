package spf

import (
	"cmp"
	"sync"
	"time"
)

// maxCached is how long a record may be to be kept. Parsed it takes ten times as
// much, and honest ones are shorter.
const maxCached = 2 << 10

// RecordCache keeps parsed records for as long as the DNS allows, so that the
// record of a large sender is neither asked for nor parsed again for each mail.
// What was wrong with a record is kept as well; DNS errors are not, and records of
// more than 2 KiB, right or wrong, are not either. The zero RecordCache is ready, and
// may be used by several Checkers and goroutines.
type RecordCache struct {
	Max int // domains kept; 0 means 4096

	mu      sync.Mutex // guards entries
	entries map[string]compiled
}

// compiled is what a domain publishes.
type compiled struct {
	record    *Record // nil if it publishes none
	err       error   // a permerror, with all the faults of a broken record in it
	size      int     // octets that it was made of
	ttl       time.Duration
	authentic bool
	expires   time.Time
}

// get finds the record of a domain that still lives; its ttl is what is left.
func (k *RecordCache) get(domain string, now time.Time) (compiled, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.entries[domain]
	if !ok {
		return compiled{}, false
	}
	if c.ttl = c.expires.Sub(now); c.ttl <= 0 {
		delete(k.entries, domain)
		return compiled{}, false
	}
	return c, true
}

// put keeps what a domain publishes, within the limits on time, size and number.
func (k *RecordCache) put(domain string, c compiled, now time.Time) {
	const most = time.Hour // negative answers and records alike: policies do change
	if c.ttl <= 0 || c.size > maxCached {
		return
	}
	c.expires = now.Add(min(c.ttl, most))
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.entries == nil {
		k.entries = make(map[string]compiled)
	}
	if len(k.entries) >= max(1, cmp.Or(k.Max, 4096)) {
		k.makeRoom(now)
	}
	k.entries[domain] = c
}

// makeRoom drops what has expired among a few entries, or else one of them: the
// order of a map is as good as random, and no list has to be kept.
func (k *RecordCache) makeRoom(now time.Time) {
	looked := 0
	victim := ""
	for domain, c := range k.entries {
		if !c.expires.After(now) {
			delete(k.entries, domain)
			victim = ""
		} else if victim == "" || c.expires.Before(k.entries[victim].expires) {
			victim = domain
		}
		if looked++; looked == 8 {
			break
		}
	}
	if len(k.entries) >= max(1, cmp.Or(k.Max, 4096)) {
		delete(k.entries, victim)
	}
}
