package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const message = "From: =?utf-8?q?Bob_M=C3=BCller?= <bob@hamburger.edu>\r\n" +
	"To: Friends: alice@example.org, \"Doe, Carol\" <carol@example.net>;\r\n" +
	"Date: Mon, 23 Nov 2026 09:12:40 +0100\r\nSubject: =?utf-8?q?Z=C3=BCrich?=\r\nMessage-ID: <1@hamburger.edu>\r\n" +
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=utf-8; format=flowed\r\n\r\nWe meet \r\nat nine.\r\n\r\n" +
	"--b\r\nContent-Type: text/x-log\r\nContent-Disposition: attachment; filename=\"../../evil.txt\"\r\n" +
	"Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n\r\n" +
	"--b\r\nContent-Type: text/x-log\r\nContent-Disposition: attachment; filename=evil.txt\r\n\r\nagain\r\n--b--\r\n"

func file(t *testing.T, content string) string {
	name := filepath.Join(t.TempDir(), "message.eml")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestShow(t *testing.T) {
	var b strings.Builder
	if err := run(&b, file(t, message), false, ""); err != nil {
		t.Fatal(err)
	}
	want := "From:    Bob Müller <bob@hamburger.edu>\n" +
		"To:      Friends: alice@example.org, \"Doe, Carol\" <carol@example.net>;\n" +
		"Date:    Mon, 23 Nov 2026 09:12:40 +0100\nSubject: Zürich\n\nWe meet at nine.\n\n" +
		"Attachments:\n  evil.txt (text/x-log, 5 octets)\n  evil.txt (text/x-log, 5 octets)\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestJSON(t *testing.T) {
	var b strings.Builder
	if err := run(&b, file(t, message), true, ""); err != nil {
		t.Fatal(err)
	}
	var d description
	if err := json.Unmarshal([]byte(b.String()), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.To) != 2 || d.To[1] != (person{"Doe, Carol", "carol@example.net"}) || d.Date != "2026-11-23T09:12:40+01:00" {
		t.Errorf("%+v", d)
	}
	if d.Text != "We meet at nine.\n" || d.HTML != "" || len(d.Parts) != 4 || d.Parts[2].Path != "2" || d.Parts[2].Filename != "../../evil.txt" {
		t.Errorf("%+v", d)
	}
	if len(d.Attachments) != 2 || d.Attachments[0] != (attachment{"evil.txt", "text/x-log", 5}) || d.Defects == nil {
		t.Errorf("%+v", d)
	}
}

// TestAnyFile checks that whatever a file holds is printed without an error.
func TestAnyFile(t *testing.T) {
	for _, content := range []string{"", "\x00\xff", "no header", strings.Repeat("--\r\n", 100), "Content-Type: multipart/mixed; boundary=x\n\n--x\n--x\n"} {
		for _, asJSON := range []bool{false, true} {
			var b strings.Builder
			if err := run(&b, file(t, content), asJSON, ""); err != nil {
				t.Errorf("%q: %v", content, err)
			}
		}
	}
	if run(&strings.Builder{}, filepath.Join(t.TempDir(), "absent"), false, "") == nil {
		t.Error("no error for a file that is not there")
	}
}

func TestSaveNeverLeavesTheFolder(t *testing.T) {
	folder := t.TempDir()
	if err := run(&strings.Builder{}, file(t, message), false, folder); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"evil.txt": "hello", "evil-2.txt": "again"} {
		if b, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}
