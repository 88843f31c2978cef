package mailbox_test

import (
	"fmt"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

func ExampleFlags() {
	f, err := mailbox.ParseFlags("$Forwarded", `\seen`)
	fmt.Println(f, err)
	fmt.Println(f.Has(`\Seen`), f.HasKeyword("$forwarded"), f.Sys == mailbox.Seen)
	_, err = mailbox.ParseFlags(`\Unheard`)
	fmt.Println(err != nil)
	// Output:
	// \Seen $Forwarded <nil>
	// true true true
	// true
}

func ExampleSysFlags() {
	f := mailbox.Flags{Sys: mailbox.Seen | mailbox.Answered}
	fmt.Println(f, f.Sys&mailbox.Deleted != 0)
	// Output: \Seen \Answered false
}

func ExampleFlagOp() {
	f := mailbox.Flags{Sys: mailbox.Seen}
	f = mailbox.AddFlags.Apply(f, mailbox.Flags{Sys: mailbox.Flagged})
	fmt.Println(f)
	fmt.Println(mailbox.ReplaceFlags.Apply(f, mailbox.Flags{}).String() == "")
	// Output:
	// \Seen \Flagged
	// true
}

func ExampleUID() {
	var next mailbox.UID = 7
	fmt.Println(next, next < mailbox.MaxUID)
	// Output: 7 true
}

func ExampleRange() {
	for _, r := range mailbox.SetOf(1, 2, 3, 7) {
		fmt.Println(r.From, "to", r.To)
	}
	// Output:
	// 1 to 3
	// 7 to 7
}

// A store keeps one spelling of each keyword.
func ExampleSpelling() {
	var s mailbox.Spelling
	first, _ := mailbox.ParseFlags("$Junk")
	again, _ := mailbox.ParseFlags("$JUNK")
	s.Fix(first, true)
	fmt.Println(s.Fix(again, true), s.Len())
	// Output: $Junk 1
}

// A store remembers what changed when.
func ExampleHistory() {
	var h mailbox.History
	h.Add(5, mailbox.SetOf(1, 2))
	h.Add(6, mailbox.SetOf(9))
	fmt.Println(h.Since(4))
	fmt.Println(h.Since(5))
	h.Forget(5)
	fmt.Println(h.Since(4))
	// Output:
	// 1:2,9 true
	// 9 true
	//  false
}

func ExampleChange() {
	var h mailbox.History
	h.Add(5, mailbox.SetOf(1, 2))
	for _, c := range h.Entries() {
		fmt.Println(c.Seq, c.UIDs)
	}
	// Output: 5 1:2
}

// A store tells those who watch it.
func ExampleWatchers() {
	var w mailbox.Watchers[mailbox.ID]
	stop, _ := w.Add(func(id mailbox.ID) { fmt.Println("news in", id) })
	w.Call("inbox")
	stop()
	w.Call("inbox")
	// Output: news in inbox
}

func ExampleRights() {
	r := mailbox.Rights("lrs")
	r = mailbox.AddFlags.ApplyRights(r, "it")
	fmt.Println(r, r.Has("r"), r.Has("ra"), mailbox.AllRights.Has(r))
	// Output: lrsit true false true
}

// What a search hands to a store with an index of texts.
func ExampleQuery() {
	q := mailbox.Query{Among: mailbox.SetOf(1, 2, 3), Terms: []mailbox.Term{
		{Where: mailbox.InField, Field: "Subject", Text: "lunch"},
		{Where: mailbox.InText, Text: "money", Not: true},
	}}
	fmt.Println(q.Among, len(q.Terms))
	// Output: 1:3 2
}

func ExampleTerm() {
	t := mailbox.Term{Where: mailbox.InField, Field: "List-Id"} // any value: the field is there
	fmt.Println(t.Field, t.Text == "")
	// Output: List-Id true
}

// The same word is looked for in a place of the message.
func ExampleWhere() {
	places := map[mailbox.Where]string{mailbox.InField: "header", mailbox.InBody: "body", mailbox.InText: "anywhere"}
	t := mailbox.Term{Where: mailbox.InBody, Text: "lunch"}
	fmt.Println(t.Text, "in", places[t.Where])
	// Output: lunch in body
}
