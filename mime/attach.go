package mime

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// File is an attachment, or with [File.Inline] an image within the HTML. Make
// one with [Attach], [AttachBytes], [AttachFile] or [AttachFS]. It is a value;
// what it opens is read once to size it when the message is built, unless it
// can be asked, and again each time the message is read, with a few kilobytes
// of memory however large it is.
type File struct {
	name string
	typ  string // "" by the name
	cid  string
	open func() (io.ReadCloser, error)
	data []byte // instead of open

	charset string // of text; "" utf-8 if it is that
}

// errNothing is the zero File, or one that cannot be opened.
var errNothing = errors.New("nothing to attach")

// Attach attaches what open gives, each time from its start: open is called for
// every reading of the message, perhaps by several goroutines at once. A reader
// that is an io.Seeker too makes seeking in the message cheap.
func Attach(name string, open func() (io.ReadCloser, error)) File {
	return File{name: name, open: open}
}

// AttachBytes attaches data, which must not change as long as the message is
// used.
func AttachBytes(name string, data []byte) File {
	if data == nil {
		data = []byte{}
	}
	return File{name: name, data: data}
}

// AttachFile attaches a file of the system under its base name. That it cannot
// be read is told by Build, never by a message without it.
func AttachFile(file string) File {
	return File{name: filepath.Base(file), open: func() (io.ReadCloser, error) { return os.Open(file) }}
}

// AttachFS attaches a file of f under its base name.
func AttachFS(f fs.FS, name string) File {
	return File{name: path.Base(name), open: func() (io.ReadCloser, error) { return f.Open(name) }}
}

// Inline makes f part of the HTML, which shows it as <img src="cid:…"> with
// this content id (RFC 2392).
func (f File) Inline(cid string) File { f.cid = cid; return f }

// As gives f another media type than its name suggests, without parameters.
func (f File) As(mediaType string) File { f.typ = mediaType; return f }

// Named gives f another name.
func (f File) Named(name string) File { f.name = name; return f }

// reader opens f.
func (f *File) reader() (io.ReadCloser, error) {
	switch {
	case f.data != nil:
		return io.NopCloser(bytes.NewReader(f.data)), nil
	case f.open == nil:
		return nil, errNothing
	}
	r, err := f.open()
	if err == nil && r == nil {
		err = errNothing
	}
	return r, err
}

// size asks f, or reads it.
func (f *File) size() (int64, error) {
	if f.data != nil {
		return int64(len(f.data)), nil
	}
	r, err := f.reader()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	if s, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		switch info, err := s.Stat(); {
		case err != nil:
		case info.IsDir():
			return 0, errors.New("is a directory")
		case !info.Mode().IsRegular():
			return 0, errors.New("not a regular file") // a device may never end
		case info.Size() > 0: // files that the system makes up say 0
			return info.Size(), nil
		}
	}
	return io.Copy(io.Discard, r)
}

// textSize reads a text, and tells its charset too: what is not UTF-8 has none
// that could be known.
func (f *File) textSize() (size int64, charset string, err error) {
	r, err := f.reader()
	if err != nil {
		return 0, "", err
	}
	defer r.Close()
	charset = "us-ascii"
	buf := make([]byte, textBlock)
	held := 0 // octets of a character that was cut
	for err == nil {
		var n int
		n, err = r.Read(buf[held:])
		size += int64(n)
		b := buf[:held+n]
		held = cutRune(b)
		if err != nil {
			held = 0
		}
		switch whole := b[:len(b)-held]; {
		case charset == "" || isASCII(whole):
		case utf8.Valid(whole):
			charset = "utf-8"
		default:
			charset, held = "", 0
		}
		copy(buf, b[len(b)-held:])
	}
	if err == io.EOF {
		err = nil
	}
	return size, charset, err
}

const textBlock = 8 << 10

// cutRune is how many octets at the end of b begin a character that goes on.
func cutRune(b []byte) int {
	for i := 1; i <= min(len(b), utf8.UTFMax-1); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-i:]) {
				return i
			}
			return 0
		}
	}
	return 0
}

// mediaType is what was asked for, or what the name suggests.
func (f *File) mediaType() string {
	if f.typ != "" {
		return f.typ
	}
	ext := strings.ToLower(path.Ext(f.name))
	for _, row := range fileTypes {
		if row.ext == ext {
			return row.typ
		}
	}
	return "application/octet-stream"
}

// fileTypes are the endings that mail is full of. The system's own table is
// left alone, since it differs from one host to the next.
var fileTypes = [...]struct{ ext, typ string }{
	{".pdf", "application/pdf"}, {".zip", "application/zip"}, {".gz", "application/gzip"}, {".json", "application/json"},
	{".xml", "application/xml"}, {".rtf", "application/rtf"}, {".doc", "application/msword"}, {".xls", "application/vnd.ms-excel"},
	{".ppt", "application/vnd.ms-powerpoint"}, {".odt", "application/vnd.oasis.opendocument.text"},
	{".ods", "application/vnd.oasis.opendocument.spreadsheet"}, {".odp", "application/vnd.oasis.opendocument.presentation"},
	{".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{".pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
	{".png", "image/png"}, {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"}, {".gif", "image/gif"}, {".webp", "image/webp"},
	{".svg", "image/svg+xml"}, {".avif", "image/avif"}, {".heic", "image/heic"}, {".bmp", "image/bmp"}, {".tif", "image/tiff"}, {".tiff", "image/tiff"},
	{".txt", "text/plain"}, {".log", "text/plain"}, {".csv", "text/csv"}, {".html", "text/html"}, {".htm", "text/html"}, {".md", "text/markdown"},
	{".ics", "text/calendar"}, {".vcf", "text/vcard"}, {".mp3", "audio/mpeg"}, {".ogg", "audio/ogg"}, {".wav", "audio/x-wav"},
	{".mp4", "video/mp4"}, {".webm", "video/webm"}, {".mov", "video/quicktime"}, {".eml", "message/rfc822"},
}
