package mailboxtest

import (
	"fmt"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

var flagCases = []testCase{
	{"flags/operations", "SetFlags replaces, adds and removes as FlagOp.Apply does.", flagOps},
	{"flags/no change", "A message whose flags stay as they were keeps its ModSeq, and the mailbox its HighestModSeq.", flagsSame},
	{"flags/missing", "UIDs that are not there are left out in silence, and a huge set costs what is there.", flagsMissing},
	{"flags/unchanged since", "With unchangedSince, messages of a higher ModSeq are left alone and returned (RFC 7162 §3.1.3).", flagsUnchanged},
	{"flags/one ModSeq", "One call takes one ModSeq, higher than all before.", flagsOneSeq},
	{"flags/keywords", "A keyword is the same in any case, and keeps the spelling that came first.", keywordSpelling},
	{"flags/many keywords", "A mailbox has dozens of keywords, and each comes back.", manyKeywords},
	{"flags/survive", "Flags are there for a session that opens the mailbox later.", flagsSurvive},
}

func flagOps(h *harness) error {
	m, err := h.filled(3)
	if err != nil {
		return err
	}
	steps := []struct {
		uids  mailbox.Set
		op    mailbox.FlagOp
		names string
		want  [3]string
	}{
		{mailbox.SetOf(1, 2), mailbox.AddFlags, `\Seen $Junk`, [3]string{`\Seen $Junk`, `\Seen $Junk`, ``}},
		{mailbox.SetOf(2, 3), mailbox.AddFlags, `\Draft`, [3]string{`\Seen $Junk`, `\Seen \Draft $Junk`, `\Draft`}},
		{mailbox.SetOf(1, 3), mailbox.ReplaceFlags, `\Answered \Flagged x`, [3]string{`\Answered \Flagged x`, `\Seen \Draft $Junk`, `\Answered \Flagged x`}},
		{everything(), mailbox.RemoveFlags, `\Flagged \Draft x y`, [3]string{`\Answered`, `\Seen $Junk`, `\Answered`}},
		{everything(), mailbox.ReplaceFlags, ``, [3]string{}},
		{everything(), mailbox.AddFlags, `\Seen \Answered \Flagged \Deleted \Draft`, [3]string{
			`\Seen \Answered \Flagged \Deleted \Draft`, `\Seen \Answered \Flagged \Deleted \Draft`, `\Seen \Answered \Flagged \Deleted \Draft`}},
	}
	for i, s := range steps {
		if err := m.flag(s.uids, s.op, strings.Fields(s.names)...); err != nil {
			return err
		}
		d, err := m.changes(0)
		if err != nil {
			return err
		}
		for j, x := range d.Messages {
			if err := want(fmt.Sprintf("step %d: flags of %d", i+1, x.UID), x.Flags.String(), s.want[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

func flagsSame(h *harness) error {
	m, err := h.filled(2)
	if err != nil {
		return err
	}
	if err := m.flag(mailbox.SetOf(1), mailbox.AddFlags, `\Seen`, "k"); err != nil {
		return err
	}
	before, err := m.changes(0)
	if err != nil {
		return err
	}
	for _, op := range []mailbox.FlagOp{mailbox.AddFlags, mailbox.ReplaceFlags} {
		if err := m.flag(mailbox.SetOf(1), op, `\Seen`, "K"); err != nil {
			return err
		}
	}
	if err := m.flag(everything(), mailbox.RemoveFlags, `\Draft`); err != nil {
		return err
	}
	after, err := m.changes(0)
	return first(err,
		want("HighestModSeq", after.State.HighestModSeq, before.State.HighestModSeq),
		wantAll("messages", after.Messages, before.Messages))
}

func flagsMissing(h *harness) error {
	m, err := h.filled(3)
	if err != nil {
		return err
	}
	if err := m.Expunge(h.ctx, mailbox.SetOf(2)); err != nil {
		return err
	}
	if err := m.flag(everything(), mailbox.AddFlags, `\Seen`); err != nil {
		return err
	}
	before, err := m.changes(0)
	if err != nil {
		return err
	}
	if err := m.flag(mailbox.Set{{From: 2, To: 2}, {From: 4, To: mailbox.MaxUID}}, mailbox.AddFlags, `\Draft`); err != nil {
		return err
	}
	after, err := m.changes(0)
	return first(err,
		wantAll("messages", uidsOf(after), []mailbox.UID{1, 3}),
		want("flags of 3", after.Messages[1].Flags.String(), `\Seen`),
		want("HighestModSeq", after.State.HighestModSeq, before.State.HighestModSeq))
}

func flagsUnchanged(h *harness) error {
	m, err := h.filled(3)
	if err != nil {
		return err
	}
	before, err := m.changes(0)
	if err != nil {
		return err
	}
	if err := m.flag(mailbox.SetOf(2), mailbox.AddFlags, `\Seen`); err != nil {
		return err
	}
	skipped, err := m.SetFlags(h.ctx, everything(), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Flagged}, before.State.HighestModSeq)
	if err != nil {
		return fmt.Errorf("calling SetFlags: %w", err)
	}
	d, err := m.changes(0)
	if err != nil {
		return err
	}
	return first(
		want("what was skipped", skipped.String(), "2"),
		want("flags of 1", d.Messages[0].Flags.String(), `\Flagged`),
		want("flags of 2", d.Messages[1].Flags.String(), `\Seen`))
}

func flagsOneSeq(h *harness) error {
	m, err := h.filled(3)
	if err != nil {
		return err
	}
	before, err := m.changes(0)
	if err != nil {
		return err
	}
	if err := m.flag(mailbox.SetOf(1, 3), mailbox.AddFlags, `\Seen`); err != nil {
		return err
	}
	d, err := m.changes(before.State.HighestModSeq)
	if err != nil {
		return err
	}
	if err := wantAll("what changed", uidsOf(d), []mailbox.UID{1, 3}); err != nil {
		return err
	}
	return want("ModSeq of 1", d.Messages[0].ModSeq, d.Messages[1].ModSeq)
}

func keywordSpelling(h *harness) error {
	m, err := h.filled(2)
	if err != nil {
		return err
	}
	err = first(
		m.flag(mailbox.SetOf(1), mailbox.AddFlags, "$MDNSent", "work"),
		m.flag(mailbox.SetOf(2), mailbox.AddFlags, "WORK", "$mdnsent"))
	if err != nil {
		return err
	}
	d, err := m.changes(0)
	if err != nil {
		return err
	}
	err = first(
		want("flags of 1", d.Messages[0].Flags.String(), "$MDNSent work"),
		want("flags of 2", d.Messages[1].Flags.String(), "$MDNSent work"),
		m.flag(everything(), mailbox.RemoveFlags, "$MDNSENT"))
	if err != nil {
		return err
	}
	d, err = m.changes(0)
	return first(err, want("flags of 2 then", d.Messages[1].Flags.String(), "work"))
}

func manyKeywords(h *harness) error {
	m, err := h.filled(40)
	if err != nil {
		return err
	}
	word := func(i int) string { return fmt.Sprintf("keyword-%02d", i) }
	for i := range 40 {
		if err := m.flag(mailbox.SetOf(mailbox.UID(i+1)), mailbox.AddFlags, word(i), word(39-i)); err != nil {
			return err
		}
	}
	again, err := h.inbox()
	if err != nil {
		return err
	}
	d, err := again.changes(0)
	if err != nil {
		return err
	}
	for i, x := range d.Messages {
		if err := want("flags", x.Flags.String(), word(min(i, 39-i))+" "+word(max(i, 39-i))); err != nil {
			return err
		}
	}
	return nil
}

func flagsSurvive(h *harness) error {
	m, err := h.filled(2)
	if err != nil {
		return err
	}
	if err := m.flag(mailbox.SetOf(2), mailbox.ReplaceFlags, `\Seen`, `\Deleted`, "k"); err != nil {
		return err
	}
	before, err := m.changes(0)
	if err != nil {
		return err
	}
	if err := m.Close(); err != nil {
		return fmt.Errorf("calling Close: %w", err)
	}
	_, closed := m.Changes(h.ctx, 0)
	again, err := h.inbox()
	if err != nil {
		return err
	}
	after, err := again.changes(0)
	return first(err, m.Close(),
		wantErr("Changes after Close", closed, mailbox.ErrClosed),
		want("State", after.State, before.State),
		wantAll("messages", after.Messages, before.Messages))
}
