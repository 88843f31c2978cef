package imap

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/memnet"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// dialServer logs in to s over a pipe.
func dialServer(t testing.TB, s *Server, c Client) *Conn {
	t.Helper()
	near, far := memnet.Pair(memnet.Addr("client"), memnet.Addr("server"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.ServeConn(t.Context(), far)
	}()
	conn, err := c.NewConn(t.Context(), near)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(); <-done })
	require.NoError(t, conn.Auth(t.Context(), &sasl.Credentials{User: "alice", Password: "secret", Cleartext: true, Mechanisms: []string{"PLAIN"}}))
	return conn
}

// corpus reads the test mail beside this module, or skips the test.
func corpus(t testing.TB) (paths, texts []string) {
	t.Helper()
	dir := os.Getenv("POSTILION_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "corpora")
	}
	err := filepath.WalkDir(filepath.Join(dir, "mail"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), "LICENSE") || strings.HasSuffix(path, ".json") {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && len(b) > 0 && len(b) < 1<<20 && !strings.ContainsRune(string(b), 0) {
			paths, texts = append(paths, path), append(texts, string(b))
		}
		return err
	})
	if err != nil {
		t.Skipf("no corpora: set POSTILION_CORPORA to their folder (%v)", err)
	}
	return paths, texts
}

// What the client makes of ENVELOPE and BODYSTRUCTURE is what package mime makes
// of the message itself, for every message of the corpora.
func TestClientUnderstandsCorpora(t *testing.T) {
	paths, texts := corpus(t)
	store := testStore()
	require.NoError(t, store.Put(t.Context(), "INBOX", mailbox.Flags{}, texts...))
	conn := dialServer(t, serverOf(store), Client{Strict: true})
	_, err := conn.Select(t.Context(), "INBOX")
	require.NoError(t, err)
	n := 0
	for m, err := range conn.Fetch(t.Context(), AllUIDs(), Items{Envelope: true, Structure: true, Bodies: []Section{{}}}) {
		require.NoError(t, err)
		body, ok := m.Body(Section{})
		require.True(t, ok)
		compareWithMIME(t, paths[n], m, mime.Parse(body))
		n++
	}
	assert.Equal(t, len(paths), n)
	assert.Greater(t, n, 200)
}

func compareWithMIME(t *testing.T, path string, m *Message, want *mime.Message) {
	t.Helper()
	h := want.Header()
	assert.Equal(t, h.Subject(), m.Envelope.Subject, "%s: subject", path)
	date, _ := h.Date()
	if !strings.HasSuffix(path, "malformed/019.eml") { // whose first Date of several is none
		assert.True(t, date.Equal(m.Envelope.Date), "%s: date %v, not %v", path, m.Envelope.Date, date)
	}
	for name, got := range map[string][]mime.Address{"From": m.Envelope.From, "To": m.Envelope.To, "Cc": m.Envelope.Cc} {
		assert.Equal(t, addresses(h.Addresses(name)), addresses(got), "%s: %s", path, name)
	}
	parts := map[string]*Part{}
	m.Structure.Walk(func(p *Part) bool { parts[p.Number+" "+p.MediaType()] = p; return true })
	for number, p := range want.Walk() {
		if number == "" && !p.IsMultipart() {
			number = "1" // RFC 9051 §6.4.5.1
		}
		kind := p.Type().Type + "/" + p.Type().Subtype
		if p.Type().Type == "multipart" && !p.IsMultipart() {
			continue // without parts it is text to the server
		}
		q := parts[number+" "+kind]
		if q == nil {
			t.Errorf("%s: no part %q %s: %v", path, number, kind, parts)
			continue
		}
		// The structure has backslashes undone, and nothing of a disposition
		// without a type.
		if d := p.Header().Get("Content-Disposition"); !strings.Contains(d, `\`) && !strings.HasPrefix(d, ";") {
			assert.Equal(t, p.Filename(), q.Filename(), "%s: %s: name", path, number)
		}
		if len(q.Parts) == 0 {
			assert.EqualValues(t, len(p.RawBody()), q.Size, "%s: %s: size", path, number)
		}
	}
}

// addresses are those that can be mailed to, as ENVELOPE can tell of no others.
func addresses(list []mime.Address) (s []string) {
	for _, a := range list {
		if strings.Contains(a.Addr, "@") {
			s = append(s, a.Name+" <"+a.Addr+">")
		}
	}
	return slices.Clip(s)
}
