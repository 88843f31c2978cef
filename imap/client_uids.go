package imap

import (
	"strconv"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// All are all messages of a mailbox, whatever their UIDs.
var allUIDs = mailbox.Set{{From: 1, To: mailbox.MaxUID}}

// AllUIDs is the set of all messages of a mailbox.
func AllUIDs() mailbox.Set { return append(mailbox.Set(nil), allUIDs...) }

// parseUIDs reads a set of UIDs without "*", as servers send them.
func parseUIDs(s string) (mailbox.Set, bool) {
	set, err := wire.ParseSet(s)
	if err != nil {
		return nil, false
	}
	var uids mailbox.Set
	for _, r := range set.Resolve(uint32(mailbox.MaxUID)) {
		uids.AddRange(mailbox.UID(r.From), mailbox.UID(r.To))
	}
	return uids, true
}

// maxSet is how long the sets of one command may become: servers need not take
// lines of more than 8192 octets (RFC 7162 §4).
const maxSet = 7000

// setArgs writes a set as the arguments of as many commands as it takes.
func setArgs(uids mailbox.Set) (args []string) {
	for len(uids) > 0 {
		n := min(len(uids), maxSet/22) // digits of two numbers, colon and comma
		for n < len(uids) && len(uidArg(uids[:n+1])) <= maxSet {
			n = min(n+max(1, n/8), len(uids))
		}
		for n > 1 && len(uidArg(uids[:n])) > maxSet {
			n--
		}
		args, uids = append(args, uidArg(uids[:n])), uids[n:]
	}
	return args
}

// uidArg writes a set; one that reaches to the end does it by "*".
func uidArg(uids mailbox.Set) string {
	var b []byte
	for i, r := range uids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(r.From), 10)
		switch {
		case r.To == mailbox.MaxUID:
			b = append(b, ":*"...)
		case r.To != r.From:
			b = strconv.AppendUint(append(b, ':'), uint64(r.To), 10)
		}
	}
	return string(b)
}
