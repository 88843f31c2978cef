// Package dovecot starts a Dovecot of Debian's package as a peer for
// benchmarks and differential tests: one that runs on loopback ports, over a
// directory of Maildirs, with one password for all.
package dovecot

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Password is that of every user.
const Password = "secret"

// Server runs until the end of the test.
type Server struct {
	IMAP, POP3 string // addresses
	Mail       string // the directory of the Maildirs, one for each user; after Give
	UID, GID   int    // of the owner
	PID        int    // of the master process
}

const config = `
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
listen = 127.0.0.1
protocols = imap pop3
ssl = no
disable_plaintext_auth = no
mail_location = maildir:%[1]s/mail/%%u
first_valid_uid = 1
mail_max_userip_connections = 0
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=%[2]d gid=%[3]d home=%[1]s/mail/%%u
}
service imap-login {
  service_count = 0
  client_limit = 4000
  inet_listener imap {
    port = %[4]d
  }
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  service_count = 0
  client_limit = 4000
  inet_listener pop3 {
    port = %[5]d
  }
  inet_listener pop3s {
    port = 0
  }
}
service imap {
  process_limit = 3000
}
service pop3 {
  process_limit = 3000
}
service auth {
  client_limit = 8000
}
service anvil {
  client_limit = 8000
}
`

// Extensions is a configuration for [StartWith]: quotas, access lists, annotations
// and NOTIFY. Each user may have 10 MiB in 100 messages.
const Extensions = `
mailbox_list_index = yes
mail_plugins = acl quota
mail_attribute_dict = file:%h/dovecot-attributes
protocol imap {
  mail_plugins = acl quota imap_acl imap_quota
  imap_metadata = yes
}
plugin {
  acl = vfile
  acl_anyone = allow
  quota = maildir:User quota
  quota_rule = *:storage=10M:messages=100
}
`

// Start skips the test where Dovecot is not installed or cannot run: it wants
// to be started by root.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartWith(t, "")
}

// StartWith is Start with more lines of configuration, such as [Extensions].
func StartWith(t testing.TB, extra string) *Server {
	t.Helper()
	program, err := exec.LookPath("dovecot")
	if err != nil {
		t.Skip("dovecot is not installed")
	}
	if os.Geteuid() != 0 {
		t.Skip("dovecot wants root")
	}
	owner, err := user.Lookup("mail")
	if err != nil {
		t.Skip("no user mail")
	}
	dir, err := os.MkdirTemp("", "dovecot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{Mail: filepath.Join(dir, "mail")}
	s.UID, _ = strconv.Atoi(owner.Uid)
	s.GID, _ = strconv.Atoi(owner.Gid)
	imap, pop3 := freePort(t), freePort(t)
	s.IMAP, s.POP3 = fmt.Sprintf("127.0.0.1:%d", imap), fmt.Sprintf("127.0.0.1:%d", pop3)
	s.prepare(t, dir, fmt.Sprintf(config, dir, s.UID, s.GID, imap, pop3)+extra)
	cmd := exec.Command(program, "-F", "-c", filepath.Join(dir, "conf"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.PID = cmd.Process.Pid
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	s.await(t, dir, s.POP3)
	s.await(t, dir, s.IMAP)
	return s
}

// prepare makes the directories, which the owner of the mail must reach.
func (s *Server) prepare(t testing.TB, dir, conf string) {
	t.Helper()
	for _, err := range []error{
		os.Chmod(dir, 0o755),
		os.Mkdir(filepath.Join(dir, "run"), 0o755),
		os.Mkdir(filepath.Join(dir, "state"), 0o755),
		os.Mkdir(s.Mail, 0o700),
		os.WriteFile(filepath.Join(dir, "conf"), []byte(conf), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// await tries to connect until somebody listens.
func (s *Server) await(t testing.TB, dir, addr string) {
	t.Helper()
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return
		}
		time.Sleep(100 * time.Millisecond) // another program's pace: nothing to wait on
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	t.Skipf("dovecot does not start:\n%s", log)
}

// freePort finds a port that nobody listens on.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Give hands the Maildirs that a benchmark has made in Mail to their owner.
func (s *Server) Give(t testing.TB) {
	t.Helper()
	err := filepath.WalkDir(s.Mail, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, s.UID, s.GID)
	})
	if err != nil {
		t.Fatal(err)
	}
}
