package dns

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// udpSize is the largest UDP answer we ask for: what passes every path unbroken
// in IPv6 with its headers taken off.
const udpSize = 1232

// errForeign marks a message that does not answer our question. Over UDP anyone
// may send one, so it is passed over and the wait goes on: RFC 5452 §9.1.
var errForeign = errors.New("answer to another question")

// question is one query as it goes on the wire.
type question struct {
	id   uint16
	name string // folded
	typ  Type
	edns bool
	ad   bool // ask for the AD bit without asking for signatures: RFC 6840 §5.7
}

// pack writes the query with two octets in front for the length that TCP wants
// (RFC 1035 §4.2.2). The message is short enough to be written by hand: header and
// question of RFC 1035 §4.1, and the OPT record of RFC 6891 §6.1.2.
func (q question) pack() ([]byte, error) {
	if err := CheckName(q.name); err != nil {
		return nil, err
	}
	const recursionDesired, authentic = 0x01, 0x20
	flags := [2]byte{recursionDesired, 0}
	if q.ad {
		flags[1] = authentic
	}
	b := make([]byte, 2, 2+12+len(q.name)+2+4+11)
	b = append(b, byte(q.id>>8), byte(q.id), flags[0], flags[1], 0, 1, 0, 0, 0, 0, 0, 0)
	b = appendName(b, q.name)
	b = append(b, byte(q.typ>>8), byte(q.typ), 0, 1) // class IN
	if q.edns {
		b[2+11] = 1                                                         // one additional record,
		b = append(b, 0, 0, 41, udpSize>>8, udpSize&0xff, 0, 0, 0, 0, 0, 0) // OPT of the root
	}
	n := len(b) - 2
	b[0], b[1] = byte(n>>8), byte(n)
	return b, nil
}

// appendName writes a checked name as labels, each behind its length (RFC 1035
// §3.1).
func appendName(b []byte, name string) []byte {
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label != "" { // the root has none
			b = append(b, byte(len(label)))
			b = append(b, label...)
		}
	}
	return append(b, 0)
}

// reply is an answer and what the client has to know beside it.
type reply struct {
	Answer
	truncated bool
	open      bool // the chain of CNAMEs leads out of the message
}

// record is one resource record before we know whether it is of use.
type record struct {
	RR
	owner string
}

// parse reads msg as the answer to q. It returns errForeign if it answers
// something else, an *Error with the server's code, or one of ErrMalformed,
// ErrLame and ErrLoop.
func (q question) parse(msg []byte) (reply, error) {
	var p dnsmessage.Parser
	h, err := p.Start(msg)
	if err != nil || h.ID != q.id || !h.Response || h.OpCode != 0 {
		return reply{}, errForeign
	}
	if err := q.match(&p, RCode(h.RCode)); err != nil {
		return reply{}, err
	}
	if h.Truncated {
		return reply{truncated: true}, nil
	}
	if rc := RCode(h.RCode); rc != NoError && rc != NXDomain {
		return reply{}, &Error{RCode: rc}
	}
	records, err := q.records(&p)
	if err != nil {
		return reply{}, ErrMalformed
	}
	r, err := q.follow(records)
	if err != nil {
		return reply{}, err
	}
	r.RCode, r.Authentic = RCode(h.RCode), h.AuthenticData
	if len(r.RRs) > 0 {
		// With the data there the code says nothing more: an NXDOMAIN belongs to
		// the end of the chain (RFC 6604 §3).
		r.RCode, r.open = NoError, false
		return r, extended(&p)
	}
	return r, q.negative(&p, &r, h)
}

// match checks that the question section repeats our question. A server that did
// not understand the query may leave it out.
func (q question) match(p *dnsmessage.Parser, rc RCode) error {
	got, err := p.Question()
	if errors.Is(err, dnsmessage.ErrSectionDone) && (rc == FormErr || rc == NotImp) {
		return nil
	}
	if err != nil || !EqualNames(got.Name.String(), q.name) ||
		Type(got.Type) != q.typ || got.Class != dnsmessage.ClassINET {
		return errForeign
	}
	if _, err := p.Question(); !errors.Is(err, dnsmessage.ErrSectionDone) {
		return errForeign
	}
	return nil
}

// records reads the answer section: the records of the type asked for, and the
// CNAMEs.
func (q question) records(p *dnsmessage.Parser) ([]record, error) {
	var all []record
	for {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		t := Type(h.Type)
		if h.Class != dnsmessage.ClassINET || t != q.typ && t != CNAME {
			if err := p.SkipAnswer(); err != nil {
				return nil, err
			}
			continue
		}
		name := trimDot(h.Name.String())
		rec := record{owner: Fold(name), RR: RR{Name: name, Type: t, TTL: seconds(h.TTL)}}
		ok, err := rec.decode(p, h.Length)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, rec)
		}
	}
}

// decode reads the RDATA of the record whose header was read last, and says
// whether the record is of use. One bad record never hides the others: a target
// with a dot inside a label cannot be written, so its record stays without it,
// and an address of a wrong length is left out.
func (r *record) decode(p *dnsmessage.Parser, length uint16) (ok bool, err error) {
	switch {
	case r.Type == MX || r.Type == CNAME || r.Type == PTR || r.Type == NS:
		name, err := r.target(p)
		if err != nil {
			return true, p.SkipAnswer()
		}
		r.Data = trimDot(name.String())
		return true, nil
	case r.Type == A && length == 4:
		a, err := p.AResource()
		r.Addr = netip.AddrFrom4(a.A)
		return true, err
	case r.Type == AAAA && length == 16:
		a, err := p.AAAAResource()
		r.Addr = netip.AddrFrom16(a.AAAA)
		return true, err
	case r.Type == A || r.Type == AAAA:
		return false, p.SkipAnswer()
	case r.Type == TXT:
		t, err := p.TXTResource()
		r.Data = strings.Join(t.TXT, "")
		return true, err
	}
	u, err := p.UnknownResource()
	r.Raw = u.Data
	return true, err
}

// target reads the name that a record points to.
func (r *record) target(p *dnsmessage.Parser) (dnsmessage.Name, error) {
	switch r.Type {
	case MX:
		m, err := p.MXResource()
		r.Pref = m.Pref
		return m.MX, err
	case CNAME:
		c, err := p.CNAMEResource()
		return c.CNAME, err
	case PTR:
		c, err := p.PTRResource()
		return c.PTR, err
	}
	c, err := p.NSResource()
	return c.NS, err
}

// follow goes along the chain of CNAMEs from the name asked for and keeps what
// stands at its end. A record of any other owner is not an answer to us: RFC 2181
// §5.4.1.
func (q question) follow(records []record) (reply, error) {
	r := reply{Answer: Answer{TTL: -1}}
	at := q.name
	for q.typ != CNAME {
		next := alias(records, at)
		if next == nil {
			break
		}
		if len(r.CNAMEs) == maxChain || next.Data == "" || next.Data == "." {
			return reply{}, ErrLoop
		}
		r.live(next.TTL)
		r.CNAMEs = append(r.CNAMEs, next.Data)
		at = Fold(next.Data)
	}
	for i := range records {
		if rec := &records[i]; rec.owner == at && rec.Type == q.typ {
			r.live(rec.TTL)
			r.RRs = append(r.RRs, rec.RR)
		}
	}
	r.TTL = max(r.TTL, 0)
	return r, nil
}

// live lets a record shorten the life of the answer.
func (r *reply) live(ttl time.Duration) {
	if r.TTL < 0 || ttl < r.TTL {
		r.TTL = ttl
	}
}

// alias finds the CNAME record of a name.
func alias(records []record, owner string) *record {
	for i := range records {
		if records[i].Type == CNAME && records[i].owner == owner {
			return &records[i]
		}
	}
	return nil
}

// negative settles an answer without data: how long it lives (RFC 2308 §5),
// whether it is lame, and whether the chain has to be followed by asking again.
func (q question) negative(p *dnsmessage.Parser, r *reply, h dnsmessage.Header) error {
	auth, err := authority(p)
	if err != nil {
		return ErrMalformed
	}
	if err := extended(p); err != nil {
		return err
	}
	r.open = len(r.CNAMEs) > 0 && r.RCode == NoError && !auth.soa
	switch {
	case r.open:
		return nil // it lives as long as its aliases, whatever comes of the rest
	case !auth.soa:
		r.TTL = 0 // RFC 2308 §5: without an SOA it should not be cached
	case len(r.CNAMEs) == 0 || auth.ttl < r.TTL:
		r.TTL = auth.ttl
	}
	referral := auth.ns && !auth.soa // RFC 2308 §2.2: NODATA has both or none
	if r.RCode == NoError && !h.Authoritative && (referral || !auth.soa && !h.RecursionAvailable) {
		return ErrLame // to others; or by a server that knows nothing and asks nobody
	}
	return nil
}

// said is what the authority section of a negative answer says.
type said struct {
	ttl     time.Duration // how long the answer may be kept: of the SOA
	soa, ns bool          // there are such records
}

// authority reads the authority section for the SOA that limits a negative
// answer: by its MINIMUM, and by its own TTL if that is less (RFC 2308 §5).
func authority(p *dnsmessage.Parser) (said said, err error) {
	if err := p.SkipAllAnswers(); err != nil {
		return said, err
	}
	for {
		h, err := p.AuthorityHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return said, nil
		}
		if err != nil {
			return said, err
		}
		if h.Type != dnsmessage.TypeSOA || h.Class != dnsmessage.ClassINET {
			said.ns = said.ns || h.Type == dnsmessage.TypeNS
			if err := p.SkipAuthority(); err != nil {
				return said, err
			}
			continue
		}
		soa, err := p.SOAResource()
		if err != nil {
			return said, err
		}
		said.ttl, said.soa = min(seconds(h.TTL), seconds(soa.MinTTL)), true
	}
}

// extended looks for the upper bits of the response code in the OPT record: a
// BADVERS reads as NOERROR without them (RFC 6891 §6.1.3).
func extended(p *dnsmessage.Parser) error {
	if p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return ErrMalformed
	}
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return nil // the end, or an additional section that nobody needs
		}
		if h.Type == dnsmessage.TypeOPT {
			if rc := RCode(h.ExtendedRCode(0)); rc != NoError {
				return &Error{RCode: rc}
			}
			return nil
		}
		if p.SkipAdditional() != nil {
			return nil
		}
	}
}

// seconds reads a TTL; one with its top bit set counts as zero: RFC 2181 §8.
func seconds(ttl uint32) time.Duration {
	if ttl > 1<<31-1 {
		return 0
	}
	return time.Duration(ttl) * time.Second
}
