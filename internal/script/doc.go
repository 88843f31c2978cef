// Package script runs golden dialogues: conversations of a line protocol,
// written down as a text file, that are played against a server and, from the
// same file, as a fake server against a client.
//
// # The file
//
// Each line of a file is one of
//
//	# text          a comment; C# and S# likewise; empty lines too
//	C: line         the client sends this line and CRLF
//	S: line         the server sends this line and CRLF
//	C! "bytes"      the client sends exactly these bytes, a Go string literal
//	C! "bytes" 400  the same bytes 400 times
//	S! "bytes"      the server sends exactly these bytes
//	+TLS            both sides start TLS here
//	-C              the client closes the connection
//	-S              the server closes the connection
//
// Exactly one space after the colon belongs to the mark, not to the line. A
// message body is nothing special: its lines are C: lines, dot-stuffed as on
// the wire, up to and including "C: .". Client lines that stand together are
// pipelined: they leave in one write, before any answer is read. The same
// holds for server lines played to a client.
//
// # Patterns
//
// In a line that is received, * stands for any run of characters, also none;
// ** is one literal star; and a star followed by a space at the very start of
// a line is literal, because that is how IMAP marks its untagged responses.
// A line that is sent goes out as written, with ** sent as one star.
//
// # Playing
//
// [Player.PlayClient] speaks the client's lines and compares the server's;
// [Player.PlayServer] does the opposite. The first difference ends the play
// with an [*Error] that shows place, want, got and the conversation so far.
// [Player.Rewrite] returns the file as the server would have it. [Dir] and
// [Replay] do all this for each file of a directory within a test.
//
// The package does not import testing, so that fakes can use [Match],
// [Transcript] and [Compare].
package script
