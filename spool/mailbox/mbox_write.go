package mailbox

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
	"time"
)

// WriteMbox writes messages as an mbox file of the kind mboxrd, which [Mbox] reads
// back byte for byte, but that a message without a line end at its end gets one.
// Line ends become LF. uids nil is all messages; those that do not exist, or are
// expunged meanwhile, are left out. Flags are not written: programs keep them in
// fields, and a message is not changed here.
func WriteMbox(ctx context.Context, w io.Writer, m Mailbox, uids Set) error {
	if uids == nil {
		uids = Set{{1, MaxUID}}
	}
	metas, err := some(ctx, m, uids)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	for _, meta := range metas {
		b, err := m.Message(ctx, meta.UID)
		if isGone(err) {
			continue
		}
		if err != nil {
			return err
		}
		err = writeMbox(out, reader(b), returnPath(b), time.Unix(meta.Received, 0))
		b.Close()
		if err != nil {
			return err
		}
	}
	return out.Flush()
}

// returnPath is the sender that Return-Path at the top of a message names, in a
// form that can end nothing: "MAILER-DAEMON" for the null path and for what has
// spaces or control characters.
func returnPath(b Blob) string {
	const nobody = "MAILER-DAEMON"
	top := make([]byte, 512)
	n, _ := b.ReadAt(top, 0)
	line, _, _ := bytes.Cut(top[:n], []byte("\r\n"))
	name, value, ok := strings.Cut(string(line), ":")
	value = strings.Trim(strings.TrimSpace(value), "<>")
	if !ok || !strings.EqualFold(name, "Return-Path") || value == "" {
		return nobody
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || badInName(r) }) {
		return nobody
	}
	return value
}

// writeMbox writes one message and the empty line behind it.
func writeMbox(w *bufio.Writer, r io.Reader, sender string, at time.Time) error {
	w.WriteString("From " + sender + " " + at.UTC().Format(fromDates[0]) + "\n")
	in := bufio.NewReaderSize(r, mboxBuffer)
	atStart, crs := true, 0 // CRs that were read and not written yet
	for {
		line, err := in.ReadSlice('\n')
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return err
		}
		if atStart && (isFrom(line) || isQuoted(line)) {
			w.WriteByte('>')
		}
		text, ended := bytes.CutSuffix(line, []byte("\n"))
		if rest := bytes.TrimRight(text, "\r"); len(rest) > 0 {
			writeCRs(w, crs)
			w.Write(rest)
			crs = len(text) - len(rest)
		} else {
			crs += len(text)
		}
		if ended {
			// One CR is of the line end. Two would be read as one and its end.
			if crs > 1 {
				writeCRs(w, crs)
			}
			w.WriteByte('\n')
			crs = 0
		}
		if len(line) > 0 {
			atStart = ended
		}
		if err == io.EOF {
			break
		}
	}
	writeCRs(w, crs)
	if !atStart {
		w.WriteByte('\n')
	}
	// Errors of w stick: the last one tells of all.
	_, err := w.WriteString("\n")
	return err
}

func writeCRs(w *bufio.Writer, n int) {
	for range n {
		w.WriteByte('\r')
	}
}
