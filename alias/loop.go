package alias

import (
	"slices"

	"github.com/postilion-mail/postilion/smtp"
)

// visit is the state of a node in the search for loops.
type visit uint8

const (
	unseen visit = iota
	onPath       // the search came through it and has not left it: a way back is a loop
	done         // left again: another way to it is a diamond, which is none
)

const maxLoops = 20

// check refuses an expansion in which a recipient of the message leads to
// nobody. Without a name met twice every way ends at an address.
func (e *expansion) check() error {
	if !e.repeats {
		return nil
	}
	e.spread()
	for _, n := range e.roots {
		if !n.live {
			return e.search(n)[0]
		}
	}
	return nil
}

// spread marks every name from which an address can be reached.
func (e *expansion) spread() {
	from := make(map[*node][]*node)
	var todo []*node
	for _, n := range e.names {
		for _, kid := range n.kids {
			from[kid] = append(from[kid], n)
		}
		if n.live {
			todo = append(todo, n)
		}
	}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, up := range from[n] {
			if !up.live {
				up.live = true
				todo = append(todo, up)
			}
		}
	}
}

// loops finds the references that lead back to a name on their own way.
func (e *expansion) loops() []error {
	if !e.repeats {
		return nil
	}
	return e.search(e.roots...)
}

// search goes depth first, which finds a way back in every loop there is.
func (e *expansion) search(roots ...*node) []error {
	var found []error
	var way []smtp.Path
	var walk func(n *node)
	walk = func(n *node) {
		n.state = onPath
		way = append(way, n.path)
		for _, kid := range n.kids {
			switch {
			case kid.state == unseen:
				walk(kid)
			case kid.state == onPath && len(found) < maxLoops:
				found = append(found, &LoopError{append(slices.Clone(way), kid.path)})
			}
		}
		way = way[:len(way)-1]
		n.state = done
	}
	for _, n := range roots {
		if n.state == unseen {
			walk(n)
		}
	}
	return found
}
