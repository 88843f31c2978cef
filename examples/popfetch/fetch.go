package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/postilion-mail/postilion/pop3"
)

// fetch downloads what is new and tells how many messages that was.
func (o *options) fetch(ctx context.Context, out io.Writer) (n int, err error) {
	seen, err := o.readSeen()
	if err != nil {
		return 0, err
	}
	conn, err := o.client.Connect(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	list, err := conn.List(ctx)
	if err != nil {
		return 0, err
	}
	list = seen.New(list)
	p := progress{out: out, quiet: o.quiet, messages: len(list)}
	for _, m := range list {
		p.octets += m.Size
	}
	for d, err := range conn.Fetch(ctx, list) {
		if err != nil {
			return n, errors.Join(err, o.writeSeen(seen))
		}
		if err := o.save(d, &p); err != nil {
			return n, errors.Join(err, o.writeSeen(seen))
		}
		n++
		seen.Add(d.UID)
		if o.delete {
			if err := conn.Delete(ctx, d.Number); err != nil {
				return n, errors.Join(err, o.writeSeen(seen))
			}
		}
	}
	p.end()
	// First remember, then let the server delete: the other way round a crash
	// between the two would only cost a download, this way not even that.
	if err := o.writeSeen(seen); err != nil {
		return n, err
	}
	return n, conn.Quit(ctx)
}

// save writes one message. Its file gets its name when it is whole.
func (o *options) save(d pop3.Download, p *progress) (err error) {
	f, err := os.CreateTemp(o.dir, ".part*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // of no effect once it is renamed
	_, err = io.Copy(io.MultiWriter(f, p), d.Body)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("message %d: %w", d.Number, err)
	}
	p.done()
	return os.Rename(f.Name(), filepath.Join(o.dir, fileName(d.Message)))
}

// fileName makes a name of the unique id, which the server chose: letters,
// digits, dots and dashes stay, anything else is spelt out.
func fileName(m pop3.Message) string {
	if m.UID == "" {
		return fmt.Sprintf("message-%d.eml", m.Number)
	}
	var b strings.Builder
	for i, c := range []byte(m.UID) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String() + ".eml"
}

func (o *options) readSeen() (*pop3.Seen, error) {
	f, err := os.Open(filepath.Join(o.dir, "seen"))
	if errors.Is(err, fs.ErrNotExist) {
		return &pop3.Seen{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return pop3.ReadSeen(f)
}

func (o *options) writeSeen(seen *pop3.Seen) error {
	f, err := os.CreateTemp(o.dir, ".seen*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = seen.WriteTo(f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(o.dir, "seen"))
}

// progress draws a bar of the octets that have come.
type progress struct {
	out      io.Writer
	quiet    bool
	messages int // in all
	octets   int64
	got      int // messages
	n        int64
	drawn    int // columns of the bar on the screen
}

const width = 40

// Write counts octets: a progress stands beside the file.
func (p *progress) Write(b []byte) (int, error) {
	p.n += int64(len(b))
	if p.octets > 0 {
		if full := int(min(p.n*width/p.octets, width)); full != p.drawn {
			p.drawn = full
			p.draw()
		}
	}
	return len(b), nil
}

func (p *progress) done() { p.got++; p.draw() }

func (p *progress) draw() {
	if !p.quiet {
		fmt.Fprintf(p.out, "\r[%-*s] %d of %d messages, %d of %d KB ", width, strings.Repeat("=", p.drawn), p.got, p.messages, p.n>>10, p.octets>>10)
	}
}

func (p *progress) end() {
	if !p.quiet && p.messages > 0 {
		fmt.Fprintln(p.out)
	}
}
