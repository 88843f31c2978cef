package imap

// listing takes the arguments of LIST, with those of RFC 5258.
func (p *parser) listing() *listing {
	l := &listing{}
	p.SP()
	if p.Peek() == '(' {
		l.extended = true
		p.List(func() { p.selection(l) })
		p.SP()
		if l.recursive && !l.subscribed { // RFC 5258 §3: it modifies another
			p.Fail("SUBSCRIBED beside RECURSIVEMATCH")
		}
	}
	l.reference = p.AString()
	p.SP()
	if p.Peek() == '(' {
		l.extended = true
		p.List(func() { l.patterns = append(l.patterns, p.ListMailbox()) })
		if len(l.patterns) == 0 {
			p.Fail("pattern")
		}
	} else {
		l.patterns = []string{p.ListMailbox()}
	}
	if len(l.patterns) > maxPatterns {
		p.Fail("fewer patterns")
	}
	if p.Take(' ') {
		l.extended = true
		if p.Word() != "RETURN" {
			p.Fail("RETURN")
		}
		p.SP()
		p.List(func() { p.returning(l) })
	}
	return l
}

// maxPatterns bounds the patterns of one LIST: each is compared with each name.
const maxPatterns = 100

func (p *parser) selection(l *listing) {
	switch p.Word() {
	case "SUBSCRIBED":
		l.subscribed = true
	case "RECURSIVEMATCH":
		l.recursive = true
	case "REMOTE": // RFC 5258 §3.1: there are none
	case "SPECIAL-USE": // RFC 6154 §5.2
		l.special = true
	default:
		p.Fail("known selection option")
	}
}

func (p *parser) returning(l *listing) {
	switch word := p.Word(); {
	case word == "SUBSCRIBED":
		l.tellSubscribed = true
	case word == "CHILDREN", word == "SPECIAL-USE": // told in any case
	case word == "STATUS": // RFC 5819 §2
		p.SP()
		l.status = p.statusItems()
	case word == "MYRIGHTS" && p.c.has("LIST-MYRIGHTS"):
		l.rights = true
	case word == "METADATA" && p.c.has("LIST-METADATA"):
		p.SP()
		l.metadata = p.metadataEntries()
	default:
		p.Fail("known return option")
	}
}
