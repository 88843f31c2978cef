package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// quotaFile is the one that others keep too: limits in the first line, and then
// a sum and what came and went, as bytes and messages in each line. It is counted
// anew when it gets long, and before a message is refused.
const (
	quotaFile    = "maildirsize"
	maxQuotaFile = 5120
)

// quota is what is used of the account. It is guarded by the lock.
type quota struct {
	bytes, messages int64 // came and went since the last flush
	lost            bool  // what was not written: count anew
}

func (q *quota) add(bytes, messages int64) {
	q.bytes += bytes
	q.messages += messages
}

// limited reports whether there is a limit at all.
func (a *account) limited() bool { return a.maxBytes > 0 || a.maxMessages > 0 }

// limits is the first line of quotaFile.
func (a *account) limits() string {
	var parts []string
	if a.maxBytes > 0 {
		parts = append(parts, strconv.FormatInt(a.maxBytes, 10)+"S")
	}
	if a.maxMessages > 0 {
		parts = append(parts, strconv.FormatInt(a.maxMessages, 10)+"C")
	}
	return strings.Join(parts, ",")
}

// flush writes what came and went. The lock is held.
func (q *quota) flush(a *account) error {
	bytes, messages := q.bytes, q.messages
	q.bytes, q.messages = 0, 0
	if !a.limited() || bytes == 0 && messages == 0 {
		return nil
	}
	f, err := a.fs().OpenFile(quotaFile, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // whoever asks counts
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt(fmt.Appendf(nil, "%d %d\n", bytes, messages), info.Size())
	}
	return errors.Join(err, f.Close())
}

// used is what is in use, with what came and went just now. The lock is held.
func (a *account) used(anew bool) (bytes, messages int64, err error) {
	b, err := safeio.ReadFile(a.fs(), quotaFile, maxQuotaFile)
	bytes, messages, ok := parseQuota(b, a.limits())
	if err != nil || !ok || anew || a.quota.lost {
		if bytes, messages, err = a.count(); err != nil {
			return 0, 0, err
		}
		// What this change did to the directories is counted already.
		a.quota = quota{}
		text := fmt.Sprintf("%s\n%d %d\n", a.limits(), bytes, messages)
		err := safeio.Replace(a.fs(), newPrefix+"quota", quotaFile, []byte(text), 0o600)
		return bytes, messages, err
	}
	return bytes + a.quota.bytes, messages + a.quota.messages, nil
}

// parseQuota adds a file up; ok is false if it is for other limits or damaged.
func parseQuota(b []byte, limits string) (bytes, messages int64, ok bool) {
	first, rest, _ := strings.Cut(string(b), "\n")
	if first != limits {
		return 0, 0, false
	}
	for line := range strings.Lines(rest) {
		x, y, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseInt(x, 10, 64)
		m, err2 := strconv.ParseInt(strings.TrimSpace(y), 10, 64)
		if err != nil || err2 != nil {
			return 0, 0, false
		}
		bytes += n
		messages += m
	}
	return bytes, messages, bytes >= 0 && messages >= 0
}

// count goes through all directories.
func (a *account) count() (bytes, messages int64, err error) {
	all, err := a.list()
	if err != nil {
		return 0, 0, err
	}
	for _, l := range all {
		for _, d := range []string{"new", "cur"} {
			files, err := a.fs().ReadDir(path.Join(l.dir, d))
			if err != nil {
				return 0, 0, err
			}
			for _, e := range files {
				base, _ := splitName(e.Name())
				if !validBase(base) || e.Type()&fs.ModeType != 0 {
					continue
				}
				n, ok := sizeIn(base, ",W=")
				if !ok {
					info, err := e.Info()
					if err != nil {
						continue // gone meanwhile
					}
					n = info.Size()
				}
				bytes += n
				messages++
			}
		}
	}
	return bytes, messages, nil
}

// room reports whether there is room for so much more. The lock is held.
func (a *account) room(bytes, messages int64) error {
	if !a.limited() {
		return nil
	}
	for _, anew := range []bool{false, true} {
		b, m, err := a.used(anew)
		if err != nil {
			return err
		}
		if (a.maxBytes <= 0 || b+bytes <= a.maxBytes) && (a.maxMessages <= 0 || m+messages <= a.maxMessages) {
			return nil
		}
	}
	return mailbox.ErrOverQuota
}

// Quotas is the limit of the account, under the root ""; see [mailbox.Quota]. It
// needs the lock only to count.
func (s *store) Quotas(ctx context.Context, id mailbox.ID) ([]mailbox.QuotaRoot, error) {
	if err := ctx.Err(); err != nil || !s.limited() {
		return nil, err
	}
	b, err := safeio.ReadFile(s.fs(), quotaFile, maxQuotaFile)
	bytes, messages, ok := parseQuota(b, s.limits())
	if err != nil || !ok {
		err = s.locked(ctx, func() error {
			bytes, messages, err = s.used(false)
			return err
		})
		if err != nil {
			return nil, s.wrap(err)
		}
	}
	var root mailbox.QuotaRoot
	if s.maxBytes > 0 {
		root.Resources = append(root.Resources, mailbox.Resource{Name: mailbox.Storage, Used: bytes, Limit: s.maxBytes})
	}
	if s.maxMessages > 0 {
		root.Resources = append(root.Resources, mailbox.Resource{Name: mailbox.Messages, Used: messages, Limit: s.maxMessages})
	}
	return []mailbox.QuotaRoot{root}, nil
}
