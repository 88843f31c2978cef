package main

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// filter chooses messages. The zero filter takes all.
type filter struct {
	to, from      string // an address, or a local part; in lower case
	subject, text string // anywhere; in lower case
	id, after     int64
}

// filterOf reads the parameters of a request. A parameter that nobody knows is a
// mistake: a test that waits for ?too=bob would get somebody else's mail.
func filterOf(q url.Values, more ...string) (f filter, err error) {
	for name := range q {
		v := strings.ToLower(q.Get(name))
		switch name {
		case "to":
			f.to = v
		case "from":
			f.from = v
		case "subject":
			f.subject = v
		case "q":
			f.text = v
		case "after":
			if f.after, err = strconv.ParseInt(v, 10, 64); err != nil {
				return f, fmt.Errorf("after: not an ID: %.40q", v)
			}
		default:
			if !slices.Contains(more, name) {
				return f, fmt.Errorf("no such parameter: %.40q", name)
			}
		}
	}
	return f, nil
}

func (f filter) matches(e *entry) bool {
	return e.ID > f.after && (f.id == 0 || e.ID == f.id) &&
		(f.to == "" || slices.ContainsFunc(e.To, func(a string) bool { return isAddress(a, f.to) })) &&
		(f.from == "" || isAddress(e.From, f.from)) &&
		(f.subject == "" || strings.Contains(strings.ToLower(e.Subject), f.subject)) &&
		(f.text == "" || strings.Contains(e.search, f.text))
}

// isAddress compares an address with one of a filter.
func isAddress(a, want string) bool {
	a = strings.ToLower(a)
	if a == want {
		return true
	}
	i := strings.LastIndexByte(a, '@')
	return i >= 0 && a[:i] == want
}
