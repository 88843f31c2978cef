package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/mx/relay"
	"github.com/postilion-mail/postilion/smtp"
)

// send sends the message and gives what became of each recipient.
func (o *options) send(ctx context.Context, draft *mime.Draft, out io.Writer) (smtp.Results, []smtp.Recipient, error) {
	env, err := smtp.EnvelopeOf(draft)
	if err != nil {
		return nil, nil, err
	}
	bar := &progress{out: out, size: draft.Size()}
	if o.client.Addr == "" {
		results, err := o.direct(ctx, env, draft, bar)
		bar.end()
		return results, env.To, err
	}
	defer o.client.Close()
	sent, err := o.client.Submit(ctx, watched{draft, bar})
	bar.end()
	if sent == nil {
		return nil, nil, err
	}
	return sent.Results, env.To, err
}

// direct speaks to the mail hosts of each domain. They are tried one after the
// other, each from the beginning, so the message is laid down in a file first.
func (o *options) direct(ctx context.Context, env smtp.Envelope, draft *mime.Draft, bar *progress) (smtp.Results, error) {
	f, err := os.CreateTemp("", "send*.eml")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := draft.WriteTo(f); err != nil {
		return nil, err
	}
	finder := &mx.Finder{Resolver: o.resolver}
	if o.loopback {
		finder.Allow = func(netip.Addr) bool { return true }
	}
	r := &relay.Relay{Finder: finder, Client: &o.client, Port: o.port}
	defer r.Close()
	results := r.Deliver(ctx, env, io.NewSectionReader(readerAt{f, bar}, 0, draft.Size()))
	return results, results.Err()
}

// watched is a message whose reading is seen.
type watched struct {
	*mime.Draft
	bar *progress
}

func (w watched) Reader() io.ReadSeeker {
	return &reader{w.Draft.Reader(), w.Draft.Size(), 0, w.bar}
}

type reader struct {
	io.ReadSeeker
	size, pos int64
	bar       *progress
}

// Size tells the server how much will come.
func (r *reader) Size() int64 { return r.size }

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.ReadSeeker.Read(b)
	r.pos += int64(n)
	r.bar.at(r.pos)
	return n, err
}

func (r *reader) Seek(offset int64, whence int) (int64, error) {
	at, err := r.ReadSeeker.Seek(offset, whence)
	r.pos = at
	return at, err
}

type readerAt struct {
	io.ReaderAt
	bar *progress
}

func (r readerAt) ReadAt(b []byte, at int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(b, at)
	r.bar.at(at + int64(n))
	return n, err
}

const (
	width = 40      // of the bar
	large = 1 << 20 // messages from here on have one
)

// progress draws a bar of what was read.
type progress struct {
	out  io.Writer
	size int64

	mu    sync.Mutex // guards drawn, and out while sending
	drawn int
}

func (p *progress) at(n int64) {
	if p.size < large {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if full := int(min(n*width/p.size, width)); full != p.drawn {
		p.drawn = full
		fmt.Fprintf(p.out, "\r[%-*s] %d of %d KB ", width, strings.Repeat("=", full), n>>10, p.size>>10)
	}
}

func (p *progress) end() {
	if p.drawn > 0 {
		fmt.Fprintln(p.out)
	}
}
