package mime

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
)

// headerOf reads a vector as the value of a field.
func headerOf(name, value string) Header {
	return Parse([]byte(name + ":" + value)).Header()
}

func TestVectors(t *testing.T) {
	dir := filepath.Join(corpora(t), "mail-parser")
	var c tally
	total := 0
	for _, kind := range []string{"address", "content_type", "date", "id", "list", "received", "unstructured"} {
		b, err := os.ReadFile(filepath.Join(dir, kind+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var vectors []struct {
			Header   string
			Expected json.RawMessage
		}
		if err := json.Unmarshal(b, &vectors); err != nil {
			t.Fatal(err)
		}
		for _, v := range vectors {
			total++
			got, want := compareVector(t, kind, v.Header, v.Expected)
			c.check(kind, v.Header, got, want)
		}
	}
	if total != 432 {
		t.Errorf("%d vectors, not 432", total)
	}
	c.report(t, 0)
}

func compareVector(t *testing.T, kind, header string, expected json.RawMessage) (got, want string) {
	t.Helper()
	decode := func(v any) {
		if err := json.Unmarshal(expected, v); err != nil {
			t.Fatal(header, err)
		}
	}
	switch kind {
	case "address":
		var w *wantAddress
		decode(&w)
		return groupsString(headerOf("To", header).Groups("To")), w.String()
	case "content_type":
		return contentTypeVector(header, expected)
	case "date":
		var w *wantDate
		decode(&w)
		return dateString(headerOf("Date", header).Date()), w.String()
	case "id":
		var w []string
		decode(&w)
		return strings.Join(slices.Collect(headerOf("References", header).References()), "|"), strings.Join(w, "|")
	case "list":
		var w []string
		decode(&w)
		got := headerOf("Keywords", header).TextList("Keywords")
		for i := range got {
			got[i] = words(got[i])
		}
		return strings.Join(got, "|"), strings.Join(w, "|")
	case "received":
		return receivedVector(header, expected)
	}
	var w string
	decode(&w)
	return words(headerOf("Subject", header).Subject()), words(w)
}

func contentTypeVector(header string, expected json.RawMessage) (got, want string) {
	var w *struct {
		Type       string  `json:"c_type"`
		Subtype    *string `json:"c_subtype"`
		Attributes [][2]string
	}
	json.Unmarshal(expected, &w)
	m := headerOf("Content-Type", header).ContentType()
	var g []string
	for _, p := range m.Params {
		g = append(g, p.Name+"="+p.Value)
		if p.Language != "" {
			g = append(g, p.Name+"-language="+p.Language)
		}
	}
	sort.Strings(g)
	got = strings.ToLower(m.String()) + " " + strings.Join(g, "; ")
	if w == nil {
		return got, " "
	}
	want = strings.ToLower(w.Type)
	if w.Subtype != nil {
		want += "/" + strings.ToLower(*w.Subtype)
	}
	var a []string
	for _, p := range w.Attributes {
		a = append(a, p[0]+"="+p[1])
	}
	sort.Strings(a)
	return got, want + " " + strings.Join(a, "; ")
}

func receivedVector(header string, expected json.RawMessage) (got, want string) {
	type host struct{ Name, IpAddr string }
	var w struct {
		From    host
		FromIP  string `json:"from_ip"`
		Iprev   string `json:"from_iprev"`
		By      host
		For     string `json:"for_"`
		With    string
		TLS     string `json:"tls_version"`
		Cipher  string `json:"tls_cipher"`
		ID      string
		Ident   string
		Helo    host
		HeloCmd string `json:"helo_cmd"`
		Via     string
		Date    *wantDate
	}
	json.Unmarshal(expected, &w)
	var r Received
	for r = range headerOf("Received", header).Received() {
	}
	ip := ""
	if r.FromIP.IsValid() {
		ip = r.FromIP.String()
	}
	got = fmt.Sprintf("from %q %q %q by %q for %q with %q tls %q %q id %q ident %q helo %q %q via %q at %s",
		r.From, ip, r.FromHost, r.By, r.For, strings.ToUpper(r.With), r.TLSVersion, r.TLSCipher, r.ID, r.Ident,
		r.Helo, r.Greeting, r.Via, dateString(r.Date, !r.Date.IsZero()))
	want = fmt.Sprintf("from %q %q %q by %q for %q with %q tls %q %q id %q ident %q helo %q %q via %q at %s",
		w.From.Name+w.From.IpAddr, w.FromIP, w.Iprev, w.By.Name+w.By.IpAddr, w.For, strings.ToUpper(w.With),
		strings.ReplaceAll(strings.TrimPrefix(w.TLS, "TLSv"), "_", "."), w.Cipher, w.ID, w.Ident,
		w.Helo.Name+w.Helo.IpAddr, strings.ToUpper(w.HeloCmd), w.Via, w.Date)
	return got, want
}
