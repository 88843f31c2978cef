package mime

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func written(t *testing.T, e *Editor) string {
	t.Helper()
	var b bytes.Buffer
	n, err := e.WriteTo(&b)
	require.NoError(t, err)
	assert.Equal(t, e.Size(), n)
	return b.String()
}

func TestEditorChangesNothingByItself(t *testing.T) {
	for name, b := range corpusMail(t) {
		assert.True(t, written(t, Edit(Parse(b))) == string(b), name)
	}
}

func TestEditorFields(t *testing.T) {
	const in = "A: 1\r\nB: 2\r\nb: 3\r\nC: 4\r\n\r\nbody"
	e := Edit(Parse([]byte(in)))
	require.NoError(t, e.Prepend("X", "first"))
	require.NoError(t, e.Prepend("Y", "second,\r\n\tfolded"))
	assert.Equal(t, "Y: second,\r\n\tfolded\r\nX: first\r\n"+in, written(t, e))
	e = Edit(Parse([]byte(in)))
	root := e.m.Root()
	require.NoError(t, e.Set(root, "B", "new"))
	e.Remove(root, "a")
	require.NoError(t, e.Add(root, "D", "5"))
	require.NoError(t, e.Set(root, "E", "6"))
	assert.Equal(t, "B: new\r\nC: 4\r\nD: 5\r\nE: 6\r\n\r\nbody", written(t, e))
	assert.Equal(t, written(t, e), written(t, e))

	// The line breaks are those of the message.
	e = Edit(Parse([]byte("A: 1\n\nbody")))
	require.NoError(t, e.Prepend("X", "a\r\n b"))
	assert.Equal(t, "X: a\n b\nA: 1\n\nbody", written(t, e))
	// A message without a header gets one.
	e = Edit(Parse([]byte("body\r\nmore\r\n")))
	require.NoError(t, e.Add(e.m.Root(), "X", "a"))
	assert.Equal(t, "X: a\r\n\r\nbody\r\nmore\r\n", written(t, e))
}

// TestEditorCannotBeInjected: nothing that is given as a field becomes two.
func TestEditorCannotBeInjected(t *testing.T) {
	e := Edit(Parse([]byte("A: 1\r\n\r\n")))
	for _, c := range [][2]string{
		{"", "x"}, {"X Y", "x"}, {"X:", "x"}, {"X\r\nY", "x"}, {"X\n", "x"}, {"Ü", "x"}, {" X", "x"},
		{"X", "a\nBcc: b"}, {"X", "a\rb"}, {"X", "a\r\nBcc: b"}, {"X", "a\r\n"}, {"X", "a\r\n \r\n\r\nbody"}, {"X", "a\r\n\t\r\n b"},
		{"X", "a\x00b"}, {"X", "a\u0085b"}, {"X", "a\u2028b"}, {"X", "\xff"}, {"X", strings.Repeat("x", 1000)},
	} {
		assert.ErrorIs(t, e.Prepend(c[0], c[1]), errField, "%q", c)
		assert.ErrorIs(t, e.Add(e.m.Root(), c[0], c[1]), errField, "%q", c)
		assert.ErrorIs(t, e.Set(e.m.Root(), c[0], c[1]), errField, "%q", c)
	}
	assert.Equal(t, "A: 1\r\n\r\n", written(t, e))
}

func TestEditorParts(t *testing.T) {
	in := strings.ReplaceAll(mixed("pre\n--b\nX: 1\n\none\n--b\n\ntwo\n--b\n\nthree\n--b--\npost\n"), "\n", "\r\n")
	edit := func(change func(e *Editor) error) string {
		e := Edit(Parse([]byte(in)))
		require.NoError(t, change(e))
		return strings.ReplaceAll(written(t, e), "\r\n", "\n")
	}
	assert.Equal(t, mixed("pre\n--b\n\ntwo\n--b\n\nthree\n--b--\npost\n"), edit(func(e *Editor) error { return e.RemovePart(e.m.Part(1)) }))
	assert.Equal(t, mixed("pre\n--b\nX: 1\n\none\n--b\n\nthree\n--b--\npost\n"), edit(func(e *Editor) error { return e.RemovePart(e.m.Part(2)) }))
	assert.Equal(t, mixed("pre\n--b\nX: 1\n\none\n--b\n\ntwo\n--b--\npost\n"), edit(func(e *Editor) error { return e.RemovePart(e.m.Part(3)) }))
	assert.Equal(t, mixed("pre\n--b\nX: 1\n\nnew\n--b\n\ntwo\n--b\n\nthree\n--b--\npost\n"), edit(func(e *Editor) error { return e.ReplaceBody(e.m.Part(1), []byte("new")) }))
	assert.Equal(t, mixed("pre\n--b\nY: 2\n\nnew\n--b\n\ntwo\n--b\n\nthree\n--b--\npost\n"),
		edit(func(e *Editor) error { return e.ReplacePart(e.m.Part(1), []byte("Y: 2\r\n\r\nnew")) }))
	assert.Equal(t, mixed("pre\n--b\n\n\n--b\n\ntwo\n--b\n\nthree\n--b--\npost\n"), edit(func(e *Editor) error { return e.ReplacePart(e.m.Part(1), nil) }))

	// What a removed part holds is gone with its own changes.
	e := Edit(Parse([]byte(in)))
	require.NoError(t, e.Set(e.m.Part(1), "X", "2"))
	require.NoError(t, e.RemovePart(e.m.Part(1)))
	assert.NotContains(t, written(t, e), "X: ")

	// Each result has the parts it should have.
	assert.Equal(t, 3, Parse([]byte(edit(func(e *Editor) error { return e.RemovePart(e.m.Part(2)) }))).Len())

	e = Edit(Parse([]byte(mixed("--b\n\none\n--b--\n"))))
	require.NoError(t, e.RemovePart(e.m.Part(1)))
	assert.Equal(t, "multipart/mixed(text/plain\"\")", shape(Parse([]byte(written(t, e))).Root()))

	assert.Error(t, e.RemovePart(e.m.Root()))
	assert.Error(t, e.ReplaceBody(e.m.Part(1), []byte("x\n--b\ny")))
	assert.Error(t, e.ReplacePart(e.m.Part(1), []byte("\n--b--\n")))
	assert.NoError(t, e.ReplaceBody(e.m.Part(1), []byte("x\n--bb\ny")))
}
