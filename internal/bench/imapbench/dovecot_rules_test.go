package imapbench

// A rule is a difference from Dovecot that is meant, with what makes it so.
type rule struct {
	why string
	in  map[string]string // what differs in which message of the corpora
}

// What stands for what in a rule: a data item by its name, a section by its
// brackets, "fields" and "not" for those with names of fields.
const (
	structure = "BODY BODYSTRUCTURE "
	header    = "[HEADER] [TEXT] [TEXT]<10.50> "
)

// rules are all the differences in what FETCH tells. One that no rule has fails
// the test, and so does a rule for one that is not there.
var rules = []rule{
	{"RFC 2046 §5.1.1: a delimiter is a line of its own, and all of it", map[string]string{
		"enmime/testdata/mail/epilogue-sample.raw": structure + "[2]",
		"mail-parser/eml/malformed/007.eml":        structure + "[1] [2.MIME] [1.1.MIME]",
		"mail-parser/eml/malformed/016.eml":        structure + "[1] [2] [2.MIME] [1.1]",
	}},
	{"RFC 2046 §5.1.1: the line break before a delimiter belongs to it, whatever stands before that", map[string]string{
		"enmime/testdata/mail/mime-mixed-related.raw": "[2] [1.1]",
		"enmime/testdata/mail/mime-signed.raw":        "[1]",
		"enmime/testdata/parts/nestedmulti.raw":       "[2]",
		"enmime/testdata/parts/similar-boundary.raw":  "[2]",
		"mail-parser/eml/rfc/008.eml":                 structure + "[2]",
		"mailparser-js/fixtures/nested.eml":           "[2]",
	}},
	{"RFC 2046 §5.1.1: a multipart has a part at least; one without any delimiter is a text, so that it can be read", map[string]string{
		"enmime/testdata/mail/header-only.raw":           structure + "[1.MIME]",
		"enmime/testdata/mail/multipart-wo-boundary.raw": structure + "[1] [1.MIME]",
		"mail-parser/eml/malformed/001.eml":              structure,
		"mail-parser/eml/malformed/002.eml":              structure + "[1] [1.MIME]",
		"mail-parser/eml/malformed/004.eml":              structure + "[1] [1.1] [1.1.MIME]",
		"python-email/msg_17.txt":                        structure + "[1] [1.MIME]",
		"python-email/msg_25.txt":                        structure + "[1] [1.MIME]",
		"python-email/msg_31.txt":                        structure + "[1] [1.MIME]",
		"python-email/msg_41.txt":                        structure + "[1] [1.MIME]",
	}},
	{"RFC 2046 §5.1.1: a closing delimiter that lost its hyphens opens no part if nothing follows", map[string]string{
		"mail-parser/eml/malformed/013.eml": structure,
		"mail-parser/eml/malformed/014.eml": structure,
	}},
	{"RFC 5322 §2.2: a field has a colon; what begins with a line that has none is all text", map[string]string{
		"enmime/dsn/dsn_with_multipart_alternative.raw": structure,
		"enmime/dsn/multi_recipient_dsn.raw":            structure,
		"enmime/dsn/simple_dsn.raw":                     structure,
		"enmime/dsn/simple_dsn_with_html.raw":           structure,
		"enmime/testdata/mail/erroneous.raw":            structure + header + "[1] [1.MIME] not",
		"enmime/testdata/parts/multi-malformed.raw":     structure + "[2] [2.MIME]",
		"mail-parser/eml/malformed/019.eml":             structure,
		"mail-parser/eml/malformed/022.eml":             structure + "[2] [2.HEADER] [2.TEXT]",
		"python-email/msg_19.txt":                       structure + header + "[1] [1.MIME] not",
		"python-email/msg_38.txt":                       structure + "[1] [2] [2.MIME] [1.2] [1.2.MIME]",
	}},
	{"RFC 2046 §5.1.1: a delimiter ends a header, and the text before it", map[string]string{
		"enmime/testdata/mail/qp-utf8-header-no-break.raw": structure + header + "[1] [1.MIME] [2] [2.MIME] not",
	}},
	{"RFC 5322 §2.2: a field, and the empty line, keep their line breaks where a delimiter follows", map[string]string{
		"mail-parser/eml/malformed/000.eml":       "[2.MIME]",
		"mail-parser/eml/malformed/001.eml":       "[1.MIME]",
		"mail-parser/eml/malformed/007.eml":       "[1.MIME]",
		"mailparser-js/fixtures/decoderended.eml": "[2.MIME]",
		"python-email/msg_47.txt":                 "[1.MIME] [2.MIME]",
	}},
	{"RFC 9051 §6.4.5.1: no empty line in a header that has none, of a message without a body", map[string]string{
		"enmime/testdata/encode/build-qp-addr-headers.golden":             "fields",
		"enmime/testdata/encode/part-header-only-default-encoding.golden": "fields",
		"enmime/testdata/encode/part-header-only.golden":                  "fields",
		"enmime/testdata/mail/erroneous.raw":                              "fields",
		"enmime/testdata/mail/header-only.raw":                            "fields",
		"enmime/testdata/mail/qp-utf8-header-no-break.raw":                "fields",
		"python-email/msg_19.txt":                                         "fields",
		"python-email/msg_35.txt":                                         "fields",
	}},
	{"RFC 2045 §5.1: a parameter without its semicolon is a parameter", map[string]string{
		"enmime/testdata/mail/mime-bad-content-type.raw": structure,
		"enmime/testdata/mail/mime-blank-media-name.raw": structure,
		"mail-parser/eml/malformed/017.eml":              structure + "[1] [1.MIME]",
		"mail-parser/eml/rfc/001.eml":                    structure,
	}},
	{"RFC 2045 §5.1: a value that should have quotes is all of it; one whose quotes do not end is the rest", map[string]string{
		"enmime/testdata/parts/missing-closing-param-quote.raw":  structure,
		"enmime/testdata/parts/unquoted-ctype-param-special.raw": structure,
	}},
	{"RFC 2045 §5.2: what has no type or no subtype is a plain text", map[string]string{
		"enmime/testdata/parts/barren-content-type.raw":     structure,
		"enmime/testdata/parts/empty-ctype-bad-content.raw": structure,
		"python-email/msg_14.txt":                           structure,
	}},
	{"RFC 2046 §4.1.4: a text of a subtype that nobody knows is a text", map[string]string{
		"enmime/testdata/parts/ctype-invalid-characters.raw": structure,
	}},
	{"RFC 2045 §5.1: type and subtype in the case they were sent in", map[string]string{
		"python-email/msg_16.txt": structure,
	}},
	{"RFC 2045 §6.1: the encoding counts without a Content-Type", map[string]string{
		"enmime/testdata/encode/part-content-only-qp.golden": structure,
	}},
	{"RFC 2045 §3: one field of each; of several that describe the body the last counts", map[string]string{
		"mail-parser/eml/malformed/020.eml": structure + "[1] [1.1] [1.1.MIME]",
		"mail-parser/eml/malformed/021.eml": structure + "[1] [1.1] [1.1.MIME]",
	}},
	{"RFC 5322 §3.6: one Date; of several the first counts, which readers show", map[string]string{
		"mail-parser/eml/malformed/019.eml": "ENVELOPE",
	}},
	{"RFC 5322 §3.4: an address is one without its brackets, and without its comma", map[string]string{
		"enmime/testdata/encode/utf8-to.raw.golden":                         "ENVELOPE",
		"enmime/testdata/mail/malformed-multiple-address-header-values.raw": "ENVELOPE",
	}},
	{"RFC 2231 §4.1: where one piece is encoded the others become so when they are joined", map[string]string{
		"python-email/msg_29.txt": structure,
	}},
	{"RFC 2231 §4: charset* is the charset, boundary* the boundary", map[string]string{
		"python-email/msg_32.txt": structure,
		"python-email/msg_33.txt": structure + "[1] [1.MIME] [2] [2.MIME]",
	}},
	{"RFC 9051 §7.5.2: a message that is encoded is not looked into", map[string]string{
		"mail-parser/eml/rfc/008.eml": "[2.HEADER]",
	}},
	{"RFC 3501 §2.3.4: all octets that were sent count, a CR at the end too", map[string]string{
		"mail-parser/eml/legacy/049.eml": structure + "SIZE [] [1] [TEXT]",
	}},
}

// A setRule says which messages a command about all of them finds, or puts,
// otherwise. Without them both servers say the same.
type setRule struct {
	why, command string
	without      []string
}

var setRules = []setRule{
	{"RFC 9051 §7.5.2: a host that is missing is empty, and has no text to be found", "SEARCH FROM a",
		[]string{"mail-parser/eml/rfc/001.eml", "python-email/msg_05.txt"}},
	{"RFC 2045 §5.2: what has no type is a text, and is searched", "SEARCH BODY the",
		[]string{"enmime/testdata/parts/empty-ctype-bad-content.raw"}},
	{"RFC 5256 §3: a mailbox that is missing sorts as the empty string", "SORT (FROM) UTF-8 ALL",
		[]string{"python-email/msg_43.txt"}},
	{"RFC 5322 §3.4: an address is one without its brackets", "SORT (FROM) UTF-8 ALL",
		[]string{"enmime/testdata/encode/utf8-to.raw.golden"}},
	{"RFC 5957 §1: without a host the local part sorts, and no text in its place", "SORT (DISPLAYFROM) UTF-8 ALL",
		[]string{"mail-parser/eml/rfc/001.eml", "python-email/msg_05.txt"}},
	{"RFC 5957 §1: without a host the local part sorts, and no text in its place", "SORT (DISPLAYTO) UTF-8 ALL",
		[]string{"mail-parser/eml/rfc/001.eml", "python-email/msg_05.txt"}},
	{oddDate, "SORT (DATE) UTF-8 ALL", oddDates},
	{oddDate, "THREAD REFERENCES UTF-8 ALL", oddDates},
	{oddDate, `THREAD ORDEREDSUBJECT UTF-8 NOT HEADER DATE "00:01+0000"`, oddDates},
}

// oddDate is about a Date without a space before its zone, and of two of which
// the first has no time.
const oddDate = "RFC 5322 §3.3: a date that can be read counts; §3.6: the first of several"

var oddDates = []string{"mail-parser/eml/malformed/019.eml", "python-email/msg_47.txt"}
