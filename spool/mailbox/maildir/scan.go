package maildir

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// entry is a file that was found.
type entry struct {
	name string
	bits bits // inNew or not
}

func (e entry) path() string { return path.Join(dirOf(e.bits), e.name) }

func dirOf(b bits) string {
	if b&inNew != 0 {
		return "new"
	}
	return "cur"
}

// scan compares the directories with the index, which has what others delivered,
// flagged, moved or removed from then on. s is what the directories looked like
// before.
func (f *folder) scan(s stamps) error {
	if err := f.loadKeywords(); err != nil {
		return err
	}
	found, double, err := f.readDirs()
	if err != nil {
		return err
	}
	names, err := f.idx.names()
	if err != nil {
		return err
	}
	t := f.begin()
	missing := f.compare(t, found, names)
	if err := f.vanish(t, missing); err != nil {
		return err
	}
	if err := f.arrive(t, found); err != nil {
		return err
	}
	for _, e := range double {
		f.removeDouble(e, found)
	}
	return f.scanned(t, s)
}

// scanned commits what was found and decides how long it is believed.
func (f *folder) scanned(t *tx, before stamps) error {
	after, err := f.look()
	if err != nil {
		return err
	}
	sure := after == before && (f.trusted(before) || before == stamps{})
	if t.state != f.idx.state {
		// What others changed and sessions are told is not to come back after a
		// crash, whether they synced it or not.
		t.touched["new"], t.touched["cur"] = true, true
	}
	if sure && before != f.idx.stamps {
		t.stamp(before)
	}
	if err := t.commit(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	// If they changed meanwhile the next look finds stamps that differ.
	f.seen, f.sure, f.since = before, sure, f.now()
	return nil
}

// readDirs lists both directories, new first: a file that is moved to cur
// meanwhile is then seen in cur. The files are by their unique part; of two with
// the same the one that the index knows counts, or the one in cur, and the other
// is double.
func (f *folder) readDirs() (found map[string]*entry, double []entry, err error) {
	found = make(map[string]*entry, len(f.idx.recs))
	for _, b := range []bits{inNew, 0} {
		all, err := f.readNames(f.at(dirOf(b)))
		if err != nil {
			return nil, nil, err
		}
		for _, name := range all {
			base, _ := splitName(name)
			if !validBase(base) || len(name) > maxFile {
				continue
			}
			e := &entry{name, b}
			if old := found[base]; old != nil {
				if f.prefers(old, e) {
					old, e = e, old
				}
				double = append(double, *old)
			}
			found[base] = e
		}
	}
	return found, double, nil
}

// readNames lists a directory, without a look at its files where that is possible.
func (f *folder) readNames(dir string) ([]string, error) {
	if r, ok := f.fs().(interface {
		ReadNames(string) ([]string, error)
	}); ok {
		return r.ReadNames(dir)
	}
	all, err := f.fs().ReadDir(dir)
	names := make([]string, len(all))
	for i, e := range all {
		names[i] = e.Name()
	}
	return names, err
}

// prefers reports whether of two files with one unique part the first is the
// message.
func (f *folder) prefers(a, b *entry) bool {
	i := slices.IndexFunc(f.idx.recs, func(r rec) bool {
		m, err := f.idx.message(&r)
		return err == nil && m.bits&inNew == a.bits && m.name == a.name
	})
	return i >= 0
}

// compare takes in the files that are known, which it removes from found, and
// returns the messages whose file is not there.
func (f *folder) compare(t *tx, found map[string]*entry, names []string) (missing []int) {
	var seq mailbox.ModSeq
	for i := range f.idx.recs {
		r := &f.idx.recs[i]
		base, _ := splitName(names[i])
		e := found[base]
		if e == nil {
			missing = append(missing, i)
			continue
		}
		delete(found, base)
		if e.name == names[i] && e.bits == r.bits&inNew {
			continue
		}
		seq = f.renamed(t, r, names[i], e, seq)
	}
	return missing
}

// renamed takes in another name of a message. Its ModSeq, one for all of a scan,
// changes only with its flags.
func (f *folder) renamed(t *tx, r *rec, old string, e *entry, seq mailbox.ModSeq) mailbox.ModSeq {
	m := &message{f.idx.meta(r), r.bits&^inNew | e.bits, e.name}
	_, was := splitName(old)
	_, is := splitName(e.name)
	if flags := f.words.decodeInfo(is, m.meta.Flags); was != is && flags != m.meta.Flags {
		if seq == 0 {
			seq = t.next()
		}
		m.meta.Flags, m.meta.ModSeq = f.spelling.Fix(flags, true), seq
	}
	t.put(m)
	return seq
}

// vanish takes out the messages whose file is gone. A directory that is read
// while others rename in it can miss a file: one that a second reading finds is
// not gone.
func (f *folder) vanish(t *tx, missing []int) error {
	if len(missing) == 0 {
		return nil
	}
	again, _, err := f.readDirs()
	if err != nil {
		return err
	}
	var gone mailbox.Set
	var seq mailbox.ModSeq
	for _, i := range missing {
		r := &f.idx.recs[i]
		m, err := f.idx.message(r)
		if err != nil {
			return err
		}
		base, _ := splitName(m.name)
		if e := again[base]; e != nil {
			seq = f.renamed(t, r, m.name, e, seq)
		} else {
			gone.Add(r.uid)
		}
	}
	if len(gone) > 0 {
		t.expunge(gone)
	}
	return nil
}

// arrive gives UIDs to files that are new, in the order in which they came as
// far as their names tell.
func (f *folder) arrive(t *tx, found map[string]*entry) error {
	type arrival struct {
		at   int64
		base string
		*entry
	}
	all := make([]arrival, 0, len(found))
	for base, e := range found {
		at, _ := timeIn(base)
		all = append(all, arrival{at, base, e})
	}
	slices.SortFunc(all, func(a, b arrival) int {
		return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.base, b.base))
	})
	var seq mailbox.ModSeq
	for _, a := range all {
		m, err := f.measure(a.base, a.entry)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoFile) {
			continue // gone again or moved, as the next scan tells, or never a message
		}
		if err != nil {
			return err
		}
		if m.meta.UID, err = t.uid(); err != nil {
			return err
		}
		if seq == 0 {
			seq = t.next()
		}
		m.meta.ModSeq = seq
		t.put(m)
		f.quota.add(m.meta.Size, 1)
	}
	return nil
}

// removeDouble removes the second name of a message, which a crash may leave
// after a change of flags. It is only removed if it is the same file: nothing
// that is no link of the message is touched.
func (f *folder) removeDouble(e entry, found map[string]*entry) {
	base, _ := splitName(e.name)
	other := found[base]
	if other == nil {
		if other = f.known(base); other == nil {
			return
		}
	}
	a, err := f.fs().Lstat(f.at(e.path()))
	if err != nil {
		return
	}
	b, err := f.fs().Lstat(f.at(other.path()))
	if err == nil && sameFile(a, b) {
		f.fs().Remove(f.at(e.path()))
	}
}

// known is the file of a message in the index.
func (f *folder) known(base string) *entry {
	for i := range f.idx.recs {
		m, err := f.idx.message(&f.idx.recs[i])
		if err != nil {
			return nil
		}
		if b, _ := splitName(m.name); b == base {
			return &entry{m.name, m.bits & inNew}
		}
	}
	return nil
}

// sameFile reports whether two names are of one file. A file system in memory
// does not say; there are no others in it then.
func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) || a.Sys() == nil && b.Sys() == nil
}

const (
	keywordFile = "dovecot-keywords"
	maxWordFile = 64 << 10
)

// readKeywords reads which letter is which keyword.
func (f *folder) readKeywords() (keywords, error) {
	b, err := safeio.ReadFile(f.fs(), f.at(keywordFile), maxWordFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	words := parseKeywords(b)
	for _, w := range words {
		f.spelling.Fix(mailbox.Flags{Keywords: w}, true)
	}
	return words, nil
}

// loadKeywords takes in what others wrote there.
func (f *folder) loadKeywords() error {
	words, err := f.readKeywords()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.words = words
	return nil
}

// letters gives letters to keywords that have none, in the file that others read.
func (f *folder) letters(flags mailbox.Flags) error {
	if _, need := f.words.with(flags); !need {
		return nil
	}
	// Somebody else may have given letters since.
	if err := f.loadKeywords(); err != nil {
		return err
	}
	words, need := f.words.with(flags)
	if !need {
		return nil
	}
	if err := safeio.Replace(f.fs(), f.at(newPrefix+"keywords"), f.at(keywordFile), words.format(), 0o600); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.words = words
	return nil
}
