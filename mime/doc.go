// Package mime reads any mail ever sent and writes mail that everything reads.
//
// # Reading
//
//	m := mime.Parse(b)
//	fmt.Println(m.Header().Subject(), m.Header().Addresses("From"))
//	for _, p := range m.TextBody() {
//		fmt.Println(p.Text())
//	}
//	for _, p := range m.Attachments() {
//		save(p.SafeFilename(), p.Open())
//	}
//
// Parsing never fails. A message is what someone has sent, and the reader wants
// to see it: whatever is odd about it becomes a [Defect], with a code, a place
// and a severity, and the rest of the message is read all the same. There are
// errors of the medium a message is read from, and no others.
//
// [Parse] indexes a message in memory, [ParseAt] one in a file, [Scan] one that
// streams by. The three find the same, octet for octet. They go over the
// message once and note where things are: nothing is copied, decoded or looked
// at again before someone asks. A [Message] is a tree of [Part] values, small
// handles to be passed around freely. Asking the same thing twice does the
// work twice, which is why a Message needs no locks; keep what is needed often.
//
// [ReadHeader] reads the header alone, for servers that pass a message on.
//
// # Writing
//
//	b := mime.Builder{
//		From:    mime.To("Bob <bob@hamburger.edu>"),
//		To:      mime.To("alice@example.org"),
//		Subject: "The minutes",
//		Text:    "Here they are.",
//		Files:   []mime.File{mime.AttachFile("minutes.pdf")},
//	}
//	draft, err := b.Build()
//
// A [Builder] holds plain values; [Builder.Build] is the only call that fails,
// with all mistakes at once. A [Draft] can be read and written again and again,
// knows its size, its recipients and what it needs of a server, and is what an
// SMTP client submits.
//
// Nothing put into a Builder can become a field, a part or a line of its own:
// what could is refused. Text gets the encoding that suits it: as it is where
// it travels unharmed, else quoted-printable, or base64 where little of it is
// ASCII. Text whose lines end in white space, or begin with "From ", is encoded,
// so that a signature survives. A header is folded at 78, never within a word,
// an id or a URL; names beyond ASCII go by RFC 2231. A header is ASCII but for
// local-parts that are not, which is when [Draft.Needs] asks for SMTPUTF8.
//
// Files are read when the message is: 2 GB attached cost some 50 KB of memory.
// A file that has another length then is an error, never a message cut short.
// Messages are attached as they are but for their line ends; a lone CR, a NUL or
// a line over 998 is a mistake, as they may not be encoded (RFC 2046 §5.2.1). A
// text that is the whole message gets a line break at its end.
//
// [Message.Reply] and [Message.Forward] begin an answer to any message. They
// take over at most 256 KiB of text, 30 levels of quotation, 25 message ids,
// 1,000 octets of subject and 200 of each name.
//
// [DSN], [MDN] and [ARF] are read and written by one struct each. What others
// have said in them is made fit; what must be there is asked for. Of a message
// that cannot be returned whole the header is, up to 256 KiB; of fields 4 MiB
// and 10,000 groups are read.
//
// # Texts
//
// Everything the package calls text is valid UTF-8. Out of a header comes no
// control character either: an encoded-word may hide a line break, and would
// be a way to inject fields where the text is used again. What was replaced so
// is a defect. The octets as sent are always there too: [Header.Raw],
// [Field.Raw], [Part.Raw].
//
// Structured fields are split into tokens first and decoded after that, as RFC
// 2047 §6.2 has it, so that no encoded-word brings a comma, a bracket or an "@"
// into an address. An address is never decoded at all (RFC 2047 §5).
//
// # Where readers disagree
//
// Odd mail is read differently by different programs, and senders of spam and
// malware live on that. These are the rules here:
//
//   - A delimiter is a line of its own: "--", the boundary, perhaps "--", white
//     space (RFC 2046 §5.1.1). It is neither found within a line, nor by the
//     start of a longer line. The line break before it is part of it.
//   - A delimiter of an outer multipart ends all inner parts (RFC 2046 §5.1.2).
//     It also ends a header, where the empty line was forgotten.
//   - What follows a closing delimiter is no part of the message, even if it
//     looks like one.
//   - A multipart without a boundary, or whose boundary never comes, is one
//     part. A multipart in base64 or quoted-printable is read as if it were not
//     encoded.
//   - Of several Content-Type, Content-Transfer-Encoding or
//     Content-Disposition fields the last counts; of all other fields the
//     first. Of several parameters of a name the first counts, but the form of
//     RFC 2231 goes before the plain one.
//   - A line of a header that is no field stays in the header. Two of them, or
//     one at its start, are the start of the body.
//   - A continuation line is joined by taking out its line break and nothing
//     else (RFC 5322 §2.2.3).
//
// [Message.Ambiguous] tells a gateway that a message has something which
// other programs may read differently.
//
// # Limits
//
// [Limits] bounds what a message can make the parser do; the zero value holds
// these defaults:
//
//	one header section        1 MiB, 10,000 fields; 16 MiB in all sections
//	parts                     10,000
//	nesting                   100
//	parameters of a field     256, with their pieces
//	index of a piece          999
//	boundary                  998 octets; over 70 is a defect
//	delimiter with padding    2,048 octets
//	encoded messages          3 inside each other
//	defects kept              1,000; all are counted
//
// What is beyond a limit stays readable as one part without structure. Time and
// memory are linear in the size of the message for whatever is in it.
// ParseAt and Scan read in pieces of 64 KiB, and keep the headers.
//
// # IMAP
//
// [Message.AppendEnvelope], [Message.AppendBodyStructure] and [Message.Section]
// give what a server needs for FETCH, as text and offsets.
//
// # Changing a message
//
// An [Editor] puts fields on top, replaces fields and parts, and copies all
// else as it is: signatures stay valid.
//
// # Concurrency
//
// Message, Part, Header, Field and all plain values may be used by many
// goroutines at once, as long as nobody writes to the bytes they were made of.
// Scanner, Editor and the readers of [Part.Open] are for one goroutine. A Draft
// is for many; a Builder, a Draft's readers and the report structs are for one.
//
// # Standards
//
// Header and addresses: RFC 5322, RFC 6532, RFC 6854. MIME: RFC 2045, RFC 2046,
// RFC 2047, RFC 2049, RFC 2183, RFC 2231. Flowed text: RFC 3676. Views: RFC
// 8621 §4.1.4. Previews: RFC 8970. Content ids: RFC 2392. Lists: RFC 2369, RFC
// 2919, RFC 8058. Trace: RFC 5321 §4.4. IMAP: RFC 3501, RFC 9051. Writing: RFC
// 1847, RFC 2387, RFC 6047, RFC 6409 §8. Reports: RFC 6522, RFC 3464, RFC 6533,
// RFC 8098, RFC 5965, RFC 3834.
//
// Charsets: UTF-8, UTF-16, UTF-32 and UTF-7 (RFC 2152), ISO 8859, the code
// pages of Windows and DOS, KOI8, ISO-2022-JP, ISO-2022-KR, Shift_JIS, EUC-JP,
// EUC-KR, GB 18030 with its subsets, HZ and Big5, under the names senders use.
// Text without a charset is UTF-8; octets that are none become U+FFFD, and
// [Part.TextIn] and [Field.TextIn] read them in a charset the caller knows.
//
// # Other than the sketch
//
// Parser has no strict mode: strict callers look at Defects or Inspect. There
// are two lists of defects because values and contents are decoded on demand
// only. Addresses gives a flat list, which is what most callers want, and
// Groups the same list with its groups. Reply and Forward are structs given to
// methods of Message, as their choices would be many arguments. Supplement falls
// back to crypto/rand and "localhost".
//
// # Testing
//
// Tests that need other people's mail look for it in ../shared/corpora beside
// the module, or in $POSTILION_CORPORA, and skip where it is absent. With
// POSTILION_LONG=1 every message is cut at every 64th octet.
package mime
