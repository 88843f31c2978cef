package mime

import "bytes"

// htmlCharset finds the charset that an HTML text names in a meta element of
// its first kilobyte. It is asked only where the header names none.
func htmlCharset(b []byte) string {
	b = b[:min(len(b), 1024)]
	lower := bytes.ToLower(b)
	for {
		i := bytes.Index(lower, []byte("<meta"))
		if i < 0 {
			return ""
		}
		lower = lower[i+5:]
		end := bytes.IndexByte(lower, '>')
		if end < 0 {
			end = len(lower)
		}
		tag := lower[:end]
		if j := bytes.Index(tag, []byte("charset=")); j >= 0 {
			value := bytes.TrimLeft(tag[j+len("charset="):], `"' `)
			if k := bytes.IndexAny(value, `"' ;/>`); k >= 0 {
				value = value[:k]
			}
			return string(value)
		}
	}
}
