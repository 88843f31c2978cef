package alias

import (
	"io"
	"strings"
)

// WriteTo writes the table in the format that [Parse] reads: whole addresses,
// one name a line, one target a line, what was included in its place. Parsed
// with the same options, and Commands where it has any, it is the same table.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	n := int64(0)
	for _, k := range t.order {
		var b strings.Builder
		b.WriteString(t.options.spell(k))
		b.WriteByte(':')
		for i, target := range t.entries[k].Targets {
			if i > 0 {
				b.WriteString(",\n\t")
			} else {
				b.WriteByte(' ')
			}
			b.WriteString(target.String())
		}
		b.WriteByte('\n')
		m, err := io.WriteString(w, b.String())
		if n += int64(m); err != nil {
			return n, err
		}
	}
	return n, nil
}

// spell writes a key of the table as a name.
func (o *ParseOptions) spell(k name) string {
	if k.local == "" {
		return "@" + k.domain
	}
	user, any := strings.CutSuffix(k.local, anyTag)
	if !any {
		return safeAddress(k.local, k.domain)
	}
	delimiter := "+"
	if o.Delimiter != "" {
		delimiter = o.Delimiter[:1]
	}
	return user + delimiter + "*@" + k.domain
}
