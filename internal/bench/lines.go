package main

import "slices"

// The folders of benchmarks.
const (
	smtpDir  = "./smtpbench"
	mimeDir  = "./mimebench"
	spfDir   = "./spfbench"
	pop3Dir  = "./pop3bench"
	imapDir  = "./imapbench"
	spoolDir = "github.com/postilion-mail/postilion/spool/dirspool"
)

// suites are the calls of go test, in the order in which they are made.
var suites = []suite{
	{smtpDir, "^BenchmarkServer|^BenchmarkClient", "1x"},
	{mimeDir, "^BenchmarkParse|^BenchmarkHeaders|^BenchmarkBuild", "300ms"},
	{spfDir, "^BenchmarkCheck", "300ms"},
	{pop3Dir, "^BenchmarkRetrieve", "5x"},
	{pop3Dir, "^BenchmarkIdle", "1x"},
	{imapDir, "^BenchmarkServers|^BenchmarkTen", "3x"},
	{imapDir, "^BenchmarkAppend", "1000x"},
	{imapDir, "^BenchmarkIdle", "1x"},
	{spoolDir, "^BenchmarkPut|^BenchmarkSMTP", "2000x"},
	{spoolDir, "^BenchmarkRecover", "1x"},
}

// figure is one number of a benchmark, named as go test prints it.
type figure struct{ bench, unit string }

// line is one line of the table.
type line struct {
	pkg, what    string
	suite        string
	ours, theirs figure
	peer         string // what theirs is
	more         bool   // more is better
	scale        float64
	unit         string // of the figure times scale
}

func (l line) title() string { return l.pkg + ": " + l.what }

// The others.
const (
	goSMTP  = "emersion/go-smtp"
	stdlib  = "standard library"
	enmime  = "jhillyerd/enmime"
	blitiri = "blitiri.com.ar/go/spf"
	goIMAP  = "emersion/go-imap v2, in memory"
	dovecot = "Dovecot, Maildir"
	disk    = "the disk: write, sync, rename, sync"
)

// lines is the table, as it is printed.
var lines = slices.Concat(smtpLines(), mimeLines(), spfLines(), spoolLines(), pop3Lines(), imapLines())

// pair is a line whose two figures are metrics of one benchmark.
func pair(pkg, what, suite, bench, ours, theirs, peer string, more bool, scale float64, unit string) line {
	return line{pkg, what, suite, figure{bench, ours}, figure{bench, theirs}, peer, more, scale, unit}
}

func smtpLines() []line {
	cpu := func(what, bench, per string, scale float64, unit string) line {
		return pair("smtp", what, smtpDir, bench, "ours-cpu-s/"+per, "go-smtp-cpu-s/"+per, goSMTP, false, scale, unit)
	}
	return []line{
		cpu("server CPU for 1,000 messages of 1 KB, a command a packet", "ServerSmall/command-a-packet", "1000msg", 1000, "ms"),
		cpu("the same, loaded by smtp-source", "ServerSmall/smtp-source", "1000msg", 1000, "ms"),
		cpu("the same, pipelined", "ServerSmall/pipelined", "1000msg", 1000, "ms"),
		cpu("server CPU for 1 GB of DATA", "ServerData", "GB", 1, "s"),
		{"smtp", "memory of an idle connection", smtpDir, figure{"ServerIdle/postilion", "B/conn"}, figure{"ServerIdle/go-smtp", "B/conn"}, goSMTP, false, 0, "B"},
		pair("smtp", "client, one connection, server without CHUNKING", smtpDir, "Client/no-chunking", "ours-msg/s", "go-smtp-msg/s", goSMTP, true, 0, "msg/s"),
		pair("smtp", "client, one connection, server with CHUNKING", smtpDir, "Client/chunking", "ours-msg/s", "go-smtp-msg/s", goSMTP, true, 0, "msg/s"),
	}
}

func mimeLines() (all []line) {
	for _, c := range []struct{ name, what string }{
		{"2KB", "parse and decode 2 KB of text"}, {"20KB", "parse and decode 20 KB of text and HTML"}, {"1000parts", "parse and decode 1,000 parts"},
		{"5MB", "parse and decode an attachment of 5 MB"}, {"50MB", "parse and decode an attachment of 50 MB"},
	} {
		all = append(all, mimeLine(c.what, "Parse/"+c.name, "stdlib", stdlib, "MB/s"))
	}
	for _, n := range []string{"10", "100"} {
		all = append(all, mimeLine("read all fields of a header of "+n, "Headers/"+n, "stdlib", stdlib, "MB/s"))
	}
	return append(all, mimeLine("build text, HTML and 1 MB", "Build/1MB", "enmime", enmime, "msg/s"))
}

func mimeLine(what, bench, theirs, peer, unit string) line {
	return line{"mime", what, mimeDir, figure{bench + "/postilion", unit}, figure{bench + "/" + theirs, unit}, peer, true, 0, unit}
}

func spfLines() (all []line) {
	for _, c := range []struct{ name, what string }{{"ip4", "ip4"}, {"includes", "includes"}, {"exists", "exists and macros"}} {
		all = append(all, line{"spf", "check with " + c.what + ", record cache off", spfDir, figure{"Check/" + c.name + "/postilion", "ns/op"},
			figure{"Check/" + c.name + "/blitiri", "ns/op"}, blitiri, false, 1e-3, "µs"})
	}
	return all
}

func spoolLines() (all []line) {
	for _, c := range []struct{ bench, what string }{
		{"Put/writers=1", "Put, 1 writer"}, {"Put/writers=16", "Put, 16 writers"}, {"SMTP", "accepted by smtp.Server on 16 sessions"},
	} {
		all = append(all, pair("spool", c.what, spoolDir, c.bench, "ours/s", "disk/s", disk, true, 0, "msg/s"))
	}
	return append(all,
		line{"spool", "recover 100,000 queued messages", spoolDir, figure{"Recover", "s/100000"}, figure{}, "", false, 0, "s"},
		line{"spool", "memory of a queued message", spoolDir, figure{"Recover", "bytes/message"}, figure{}, "", false, 0, "B"})
}

func pop3Lines() []line {
	rate := func(what, name string) line {
		return pair("pop3", what, pop3Dir, "Retrieve/"+name, "ours-MB/s", "dovecot-MB/s", dovecot, true, 0, "MB/s")
	}
	return []line{
		rate("download 1,000 messages of 10 KB, Maildir", "1000x10KB"),
		rate("download one of 50 MB, Maildir", "1x50MB"),
		{"pop3", "memory of an idle session, Maildir", pop3Dir, figure{"Idle/maildir", "B/session"}, figure{}, "", false, 0, "B"},
	}
}

func imapLines() (all []line) {
	for _, c := range []struct{ ours, theirs, where, peer string }{
		{"postilion/memory", "go-imap/memory", "in memory", goIMAP},
		{"postilion/maildir", "dovecot/maildir", "Maildir", dovecot},
	} {
		for _, w := range []struct{ name, what string }{
			{"FetchFlags", "FETCH 10,000 FLAGS"}, {"FetchStructure", "FETCH 10,000 ENVELOPE BODYSTRUCTURE"}, {"FetchBody", "FETCH 10,000 BODY.PEEK[]"},
			{"SearchText", "SEARCH TEXT in 10,000"}, {"SearchSubject", "SEARCH SUBJECT in 10,000"}, {"Store", "STORE 10,000, there and back"},
		} {
			all = append(all, imapLine(w.what+", "+c.where, "Servers/10000/"+c.ours+"/"+w.name, "Servers/10000/"+c.theirs+"/"+w.name, c.peer))
		}
		all = append(all, imapLine("10 connections FETCH 10,000 ENVELOPE, "+c.where, "Ten/"+c.ours, "Ten/"+c.theirs, c.peer),
			imapLine("APPEND of 4 KB, "+c.where, "Append/"+c.ours, "Append/"+c.theirs, c.peer))
	}
	return append(all, line{"imap", "memory of a connection in IDLE", imapDir, figure{"Idle/postilion", "B/conn"}, figure{"Idle/go-imap", "B/conn"}, "emersion/go-imap v2", false, 0, "B"})
}

func imapLine(what, ours, theirs, peer string) line {
	return line{"imap", what, imapDir, figure{ours, "ns/op"}, figure{theirs, "ns/op"}, peer, false, 1e-6, "ms"}
}
