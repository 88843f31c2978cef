package imap

import (
	"context"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// ACL tells who may do what in a mailbox (RFC 4314 §3.3). Rights are in the order
// of [mailbox.AllRights], without the letters that RFC 4314 §2.1.1 has made
// others of.
func (c *Conn) ACL(ctx context.Context, name string) ([]mailbox.Grant, error) {
	var grants []mailbox.Grant
	err := c.aclCall(ctx, "GETACL", name, nil, "ACL", func(v *reader) bool {
		grants = nil // an answer holds all of them
		for v.more() {
			who := v.next().text()
			grants = append(grants, mailbox.Grant{Who: who, Rights: rightsOf(v.next())})
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	return grants, nil
}

// SetACL changes what somebody may do in a mailbox (RFC 4314 §3.1): a user,
// "anyone", or with "-" in front what the user may not do.
func (c *Conn) SetACL(ctx context.Context, name, who string, op mailbox.FlagOp, r mailbox.Rights) error {
	rights := string(r)
	switch op {
	case mailbox.AddFlags:
		rights = "+" + rights
	case mailbox.RemoveFlags:
		rights = "-" + rights
	}
	return c.aclCall(ctx, "SETACL", name, []string{who, rights}, "", nil)
}

// DeleteACL takes somebody off the list of a mailbox (RFC 4314 §3.2).
func (c *Conn) DeleteACL(ctx context.Context, name, who string) error {
	return c.aclCall(ctx, "DELETEACL", name, []string{who}, "", nil)
}

// MyRights tells what this user may do in a mailbox (RFC 4314 §3.5).
func (c *Conn) MyRights(ctx context.Context, name string) (mailbox.Rights, error) {
	var r mailbox.Rights
	err := c.aclCall(ctx, "MYRIGHTS", name, nil, "MYRIGHTS", func(v *reader) bool {
		r = rightsOf(v.next())
		return true
	})
	if err != nil {
		return "", err
	}
	return r, nil
}

// ListRights tells what can be granted to somebody (RFC 4314 §3.4): always are the
// rights it has in any case, each of optional is a group that can only be given
// together.
func (c *Conn) ListRights(ctx context.Context, name, who string) (always mailbox.Rights, optional []mailbox.Rights, err error) {
	err = c.aclCall(ctx, "LISTRIGHTS", name, []string{who}, "LISTRIGHTS", func(v *reader) bool {
		if !strings.EqualFold(v.next().text(), who) { // some tell it in the case they know it in
			return false
		}
		always, optional = rightsOf(v.next()), nil
		for v.more() {
			if r := rightsOf(v.next()); r != "" {
				optional = append(optional, r)
			}
		}
		return true
	})
	if err != nil {
		return "", nil, err
	}
	return always, optional, nil
}

// aclCall runs a command about a mailbox and gives what is behind the name in its
// answer to take, which reports whether it is about what was asked. Where rights
// are concerned a guess is worse than none: an answer that does not come, is about
// something else or makes no sense is an error.
func (c *Conn) aclCall(ctx context.Context, verb, name string, args []string, answer string, take func(*reader) bool) error {
	if err := c.known(ctx); err != nil {
		return err
	}
	x := (&call{verb: verb}).mailbox(c, name)
	for _, a := range args {
		x.str(c, a)
	}
	told, bad := answer == "", false
	x.data = func(r *response) (bool, error) {
		if answer == "" || r.word != answer {
			return false, nil
		}
		v := c.values(r.args)
		if !c.names(v.next(), name) {
			return false, nil
		}
		mine := take(&v)
		if v.bad {
			bad = true
			return true, c.malformed(answer)
		}
		told = told || mine
		return mine, c.gather(r)
	}
	if err := c.do(ctx, x); err != nil {
		return err
	}
	switch {
	case bad:
		return ProtocolError("malformed " + answer)
	case !told:
		return ProtocolError(verb + " without an answer")
	}
	return nil
}

// names reports whether a server means a mailbox by v.
func (c *Conn) names(v value, name string) bool {
	return v.kind != isList && infoKey(c.mailboxName(v.text())) == infoKey(name)
}

// rightsOf reads rights. Servers that know what c and d of RFC 2086 have become
// tell those beside them, and they are left out; elsewhere they stand for all of it
// (RFC 4314 §2.1.1). Letters that nobody knows are left out too.
func rightsOf(v value) mailbox.Rights {
	known := string(mailbox.AllRights)
	if !strings.ContainsAny(v.text(), "kxte") {
		known += "cd"
	}
	r, _ := mailbox.ParseRights(strings.Map(func(c rune) rune {
		if !strings.ContainsRune(known, c) {
			return -1
		}
		return c
	}, v.text()))
	return r
}
