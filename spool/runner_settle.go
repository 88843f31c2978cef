package spool

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// settleTimeout bounds one call of Settle. It does not end with the grace: what
// was delivered is to be recorded.
const settleTimeout = 30 * time.Second

func (j *job) settleOnce(out []Outcome, original bool, next []followup) error {
	ctx, cancel := context.WithTimeout(j.base, settleTimeout)
	defer cancel()
	var fs []Followup
	for _, write := range next {
		f, err := write(original)
		if err != nil {
			return err
		}
		if c, ok := f.Body.(io.Closer); ok {
			defer c.Close()
		}
		fs = append(fs, f)
	}
	return j.r.Store.Settle(ctx, j.claim.Lease, out, fs...)
}

// giveUp notes an outcome that was not recorded before the end.
func (j *job) giveUp(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lost = append(j.lost, fmt.Errorf("spool: outcome of %s not recorded: %w", j.claim.Item.ID, err))
}

// metaExpand marks a report whose recipient is still to be looked up. It is a
// mark on the item, and the lookup comes when the report is due: an alias table
// that is down then delays the report alone, and not the outcome.
const metaExpand = "spool.expand"

// report makes the follow-ups of the verdicts: none, or one that tells it all.
func (j *job) report(ctx context.Context) []followup {
	it := j.claim.Item
	rep := Report{Item: it, Name: j.r.Name, Time: j.r.now(), Body: j.body, ReturnBytes: j.r.ReturnBytes, Rand: j.r.Rand}
	// The same ID whenever this is told again, so that nobody is told twice.
	key := []string{"report", string(it.ID)}
	for _, v := range j.verdict {
		if v.action == "" {
			continue
		}
		rr := ReportRcpt{Rcpt: v.Rcpt, Action: v.action, Result: v.Result, Status: v.status}
		if v.action == "delayed" {
			rr.Until = j.retry.Until(it)
		}
		rep.Rcpts = append(rep.Rcpts, rr)
		key = append(key, strconv.Itoa(v.Rcpt), v.action)
	}
	if len(rep.Rcpts) == 0 {
		return nil
	}
	draft := j.draft(ctx, rep)
	if draft == nil {
		return nil
	}
	return []followup{func(original bool) (Followup, error) {
		d := draft
		if !original {
			bare := rep
			bare.Body = nil
			if short, err := bare.Draft(); err == nil {
				d = short
			}
		}
		return Followup{Items: []*Item{j.reportItem(d, DerivedID(key...))}, Body: d.Reader()}, nil
	}}
}

// draft asks Runner.Report, and does without it where it fails.
func (j *job) draft(ctx context.Context, rep Report) *mime.Draft {
	if j.r.Report != nil {
		d, err := j.r.Report(ctx, rep)
		if err == nil {
			return d
		}
		j.logger().Error("spool: cannot make a report as wanted", "err", err)
	}
	d, err := rep.Draft()
	if err != nil {
		rep.Body = nil
		d, err = rep.Draft()
	}
	if err != nil {
		j.logger().Error("spool: cannot make a report, the sender is not told", "err", err)
		return nil
	}
	return d
}

// reportItem addresses a report. Its sender is null whatever the draft says.
func (j *job) reportItem(d *mime.Draft, id ID) *Item {
	it := j.claim.Item
	env := smtp.Envelope{To: []smtp.Recipient{{Path: it.Envelope.From}}}
	utf8, eight := d.Needs()
	env.Params.UTF8 = utf8 || !it.Envelope.From.IsASCII()
	if eight {
		env.Params.Body = smtp.Body8BitMIME
	}
	env.Params.RequireTLS = it.Envelope.Params.RequireTLS // RFC 8689 §5
	env.Params.Priority = it.Envelope.Params.Priority     // RFC 6710 §4.6
	report := &Item{ID: id, Envelope: env, Class: it.Class}
	if j.r.Expand != nil {
		report.Meta = map[string]string{metaExpand: "1"}
	}
	return report
}

// expand looks up who gets a report that is marked, and puts one for each of
// them in its place. It reports false where there is nothing more to do than to
// deliver it.
func (j *job) expand(ctx context.Context) (done bool) {
	it := j.claim.Item
	if it.Meta[metaExpand] == "" || j.r.Expand == nil || j.body == nil {
		return false
	}
	envs, err := j.r.Expand(ctx, it.Envelope)
	if err == nil && itself(envs, it.Envelope) {
		return false
	}
	j.release(smtp.Result{Err: context.Canceled})
	var next []followup
	if err == nil {
		next = j.expanded(envs)
	}
	j.dead = time.Time{}
	j.judge(ctx, smtp.Failed(len(j.claim.Due), err))
	if j.settle(j.outcomes(), next...) && err != nil { // it was not sent: the others will be
		j.tell()
	}
	return true
}

// itself reports that an expansion changed nothing.
func itself(envs []smtp.Envelope, env smtp.Envelope) bool {
	return len(envs) == 1 && len(envs[0].To) == 1 && len(env.To) == 1 &&
		envs[0].To[0].Path == env.To[0].Path && len(envs[0].Prefix) == len(env.Prefix)
}

// expanded are the reports in the place of one. They stay reports, whatever the
// list says that they went through.
func (j *job) expanded(envs []smtp.Envelope) []followup {
	it := j.claim.Item
	var items []*Item
	for i, e := range envs {
		if len(e.To) == 0 {
			continue
		}
		e.From, e.ID = smtp.Path{}, ""
		items = append(items, &Item{ID: DerivedID("expanded", string(it.ID), strconv.Itoa(i)), Envelope: e, Class: it.Class})
	}
	if len(items) == 0 {
		return nil // all of it is discarded
	}
	blob := j.body
	if n := int64(len(it.Envelope.Prefix)); n > 0 { // the envelopes have it already
		blob = io.NewSectionReader(j.body, n, j.body.Size()-n)
	}
	return []followup{func(bool) (Followup, error) {
		return Followup{Items: items, Body: io.NewSectionReader(blob, 0, blob.Size())}, nil
	}}
}
