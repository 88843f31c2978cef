package mime

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// endless is a file of any size whose octets are told by their place.
type endless struct{ at, size int64 }

func (e *endless) Read(p []byte) (int, error) {
	n := int(min(int64(len(p)), e.size-e.at))
	if n == 0 {
		return 0, io.EOF
	}
	for i := range p[:n] {
		p[i] = byte((e.at + int64(i)) % 251)
	}
	e.at += int64(n)
	return n, nil
}

func (e *endless) Seek(off int64, _ int) (int64, error) { e.at = off; return off, nil }
func (e *endless) Close() error                         { return nil }

// allocated is how many octets f asks the heap for.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A large file costs no more memory than a small one, to attach it, to write
// the message and to read it from any place. It is 64 MiB by default.
func TestLargeAttachmentIsStreamed(t *testing.T) {
	size := int64(64 << 20)
	if os.Getenv("POSTILION_LONG") != "" {
		size = 2 << 30
	}
	for name, file := range map[string]File{
		"sized by reading": Attach("big.bin", func() (io.ReadCloser, error) { return struct{ io.ReadCloser }{&endless{size: size}}, nil }),
		"seekable":         Attach("big.bin", func() (io.ReadCloser, error) { return &endless{size: size}, nil }),
	} {
		var d *Draft
		var err error
		cost := allocated(func() { d, err = fixed(&Builder{Text: "t", Files: []File{file}}).Build() })
		require.NoError(t, err)
		assert.Less(t, cost, uint64(100<<10), "%s: building", name)
		assert.Greater(t, d.Size(), size/3*4)

		h := &lastOctets{}
		cost = allocated(func() { _, err = d.WriteTo(h) })
		require.NoError(t, err)
		assert.Less(t, cost, uint64(100<<10), "%s: writing", name)
		assert.Equal(t, d.Size(), h.n)

		r := d.Reader()
		off := d.Size() - 100
		cost = allocated(func() { _, err = r.Seek(off, io.SeekStart) })
		require.NoError(t, err)
		assert.Less(t, cost, uint64(100<<10), "%s: seeking", name)
		end, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Equal(t, string(h.last[len(h.last)-100:]), string(end), name)
	}
}

// lastOctets keeps the end of what is written.
type lastOctets struct {
	n    int64
	last []byte
}

func (l *lastOctets) Write(p []byte) (int, error) {
	l.n += int64(len(p))
	l.last = append(l.last, p...)
	if n := len(l.last) - 128; n > 0 {
		l.last = l.last[:copy(l.last, l.last[n:])]
	}
	return len(p), nil
}

// many has files of all kinds.
func many(t testing.TB) (*Draft, []byte) {
	data := make([]byte, 10_000)
	rand.New(rand.NewSource(2)).Read(data)
	plain := func(b []byte) File {
		return Attach("plain.bin", func() (io.ReadCloser, error) { return io.NopCloser(struct{ io.Reader }{bytes.NewReader(b)}), nil })
	}
	return built(t, &Builder{Text: "t", Files: []File{AttachBytes("a.bin", data), plain(data[:57]), plain(nil), AttachBytes("e.bin", nil), plain(data[:1]), plain(data[:7777]),
		AttachBytes("m.eml", []byte("Subject: x\r\n\r\ny\r\n")), AttachBytes("lf.eml", []byte("Subject: x\n\ny\n"))}})
}

// Reader, WriteTo and Seek agree on every octet.
func TestDraftReader(t *testing.T) {
	d, raw := many(t)
	require.NoError(t, iotest.TestReader(d.Reader(), raw))
	r := d.Reader()
	for off := 0; off <= len(raw); off += 13 {
		at, err := r.Seek(int64(off), io.SeekStart)
		require.NoError(t, err)
		assert.Equal(t, int64(off), at)
		var head [100]byte
		n, err := io.ReadFull(iotest.OneByteReader(r), head[:])
		if off+100 <= len(raw) {
			require.NoError(t, err)
		}
		require.Equal(t, string(raw[off:off+n]), string(head[:n]), "from %d", off)
		back, err := r.Seek(-int64(n), io.SeekCurrent)
		require.NoError(t, err)
		require.Equal(t, int64(off), back)
		var rest bytes.Buffer
		_, err = r.(io.WriterTo).WriteTo(&rest)
		require.NoError(t, err)
		require.True(t, bytes.Equal(raw[off:], rest.Bytes()), "from %d", off)
	}
	end, err := r.Seek(0, io.SeekEnd)
	require.NoError(t, err)
	assert.Equal(t, d.Size(), end)
	assert.Equal(t, d.Size(), r.(interface{ Size() int64 }).Size())
	_, err = r.Seek(10, io.SeekEnd)
	require.NoError(t, err)
	_, err = r.Read(make([]byte, 1))
	assert.Equal(t, io.EOF, err)
	for _, whence := range []int{-1, 3} {
		_, err = r.Seek(0, whence)
		assert.Error(t, err)
	}
	_, err = r.Seek(-1, io.SeekStart)
	assert.Error(t, err)
	assert.NoError(t, r.(io.Closer).Close())
}

// One draft is read, signed and put under other fields by many at once. The
// source of randomness, which is not made for that, is not asked again.
func TestDraftIsForManyGoroutines(t *testing.T) {
	d, raw := many(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			b, err := d.Bytes()
			assert.NoError(t, err)
			assert.True(t, bytes.Equal(raw, b))
			top, err := d.Prepend("X-Top", "1")
			assert.NoError(t, err)
			signed, err := top.Sign(pgp{new(bytes.Buffer)})
			assert.NoError(t, err)
			twice, err := signed.Sign(pgp{new(bytes.Buffer)})
			assert.NoError(t, err)
			for _, d := range []*Draft{top, signed, twice} {
				b, err = d.Bytes()
				assert.NoError(t, err)
				assert.False(t, Parse(b).Ambiguous())
				assert.Equal(t, int64(len(b)), d.Size())
			}
		})
	}
	wg.Wait()
}

// A file is never silently missing, cut or different, and whoever goes on
// reading after the error does not come to a peaceful end.
func TestFilesThatFail(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, f := range []File{
		Attach("x", func() (io.ReadCloser, error) { return nil, broken }),
		Attach("x", func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }),
		Attach("x.txt", func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }),
		Attach("x.eml", func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }),
	} {
		_, err := fixed(&Builder{Files: []File{f}}).Build()
		assert.ErrorIs(t, err, broken)
	}
	for _, f := range []File{{}, Attach("x", nil), Attach("x", func() (io.ReadCloser, error) { return nil, nil })} {
		_, err := fixed(&Builder{Files: []File{f}}).Build()
		assert.ErrorIs(t, err, errNothing)
	}
	for _, first := range []string{"", "as it was at first", strings.Repeat("x", 57), strings.Repeat("long ", 20_000)} {
		for _, ending := range []string{".bin", ".txt", ".eml"} {
			for _, later := range []string{"", "shorter", first + "longer by more than three octets"} {
				if later == first {
					continue
				}
				text := strings.ReplaceAll(first, "long long ", "long\r\nline")
				d, err := fixed(&Builder{Text: "t", Files: []File{Attach("x"+ending, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil })}}).Build()
				require.NoError(t, err)
				text = later
				_, err = d.WriteTo(io.Discard)
				assert.ErrorIs(t, err, errChanged, "%.20q%s, then %.20q", first, ending, later)
				r := d.Reader()
				_, err = io.Copy(io.Discard, struct{ io.Reader }{r})
				assert.ErrorIs(t, err, errChanged)
				_, err = io.Copy(io.Discard, struct{ io.Reader }{r})
				assert.ErrorIs(t, err, errChanged, "again")
			}
		}
	}
}

// Errors of the writer come through, with the count of what it took.
func TestDraftWriteError(t *testing.T) {
	d, _ := many(t)
	full := errors.New("full")
	for limit := range 200 {
		w := &shortWriter{left: limit * 100, err: full}
		n, err := d.WriteTo(w)
		if err == nil {
			assert.Equal(t, d.Size(), n)
			continue
		}
		assert.ErrorIs(t, err, full)
		assert.Equal(t, int64(limit*100), n)
	}
}

type shortWriter struct {
	left int
	err  error
}

func (w *shortWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	if w.left -= n; n < len(p) {
		return n, w.err
	}
	return n, nil
}

func TestAttachFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "Größe.pdf")
	require.NoError(t, os.WriteFile(file, []byte("pdf"), 0o600))
	fsys := fstest.MapFS{"dir/pic.PNG": {Data: []byte("png")}}
	_, raw := built(t, &Builder{HTML: `<img src="cid:logo">`, Files: []File{AttachFS(fsys, "dir/pic.PNG").Inline("logo"), AttachFile(file), AttachBytes("x", []byte("a")).Named("y.zip").As("Application/X-Y")}})
	m := Parse(raw)
	p, ok := m.ByContentID("logo")
	require.True(t, ok)
	assert.Equal(t, "pic.PNG", p.Filename())
	assert.Equal(t, "image/png", p.Type().String())
	assert.Equal(t, "Größe.pdf", m.Attachments()[1].Filename())
	assert.Equal(t, "y.zip", m.Attachments()[2].Filename())
	assert.Equal(t, "application/x-y", m.Attachments()[2].Type().String())
	_, err := fixed(&Builder{Files: []File{AttachFile(filepath.Join(dir, "none")), AttachFile(dir), AttachFS(fsys, "../x")}}).Build()
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "directory")
	assert.ErrorContains(t, err, "open ../x")
}

// A text file keeps its octets, and says its charset where that is known.
func TestTextFiles(t *testing.T) {
	for text, charset := range map[string]string{
		"a,b\n": "us-ascii", "größe\n": "utf-8", "gr\xfc\xdfe": "", "": "us-ascii", "cut \xe2\x82": "", strings.Repeat("€", 10_000): "utf-8", strings.Repeat("€", 10_000) + "\xe2": "",
	} {
		for _, r := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader} {
			f := Attach("x.csv", func() (io.ReadCloser, error) { return io.NopCloser(r(strings.NewReader(text))), nil })
			_, raw := built2(t, &Builder{Text: "t", Files: []File{f}})
			p := Parse(raw).Attachments()[0]
			assert.Equal(t, text, string(p.Bytes()))
			assert.Equal(t, charset, p.Type().Param("charset"), "%.20q", text)
		}
	}
}
