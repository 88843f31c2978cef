package mime

import (
	"cmp"
	"fmt"
	"slices"
)

// A Severity says what a defect means to whoever acts on the message.
type Severity uint8

const (
	Info      Severity = iota // harmless; readers agree on the meaning
	Warn                      // malformed, but there is one likely meaning
	Ambiguous                 // readers may see different mail: a matter for gateways
	Lost                      // something is not shown, because it is cut or beyond a limit
)

var severityNames = [...]string{"info", "warn", "ambiguous", "lost"}

// String returns the name of s in lower case, such as "ambiguous".
func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return fmt.Sprintf("severity %d", uint8(s))
}

// A Code names one kind of oddity. The numbers are stable, so that they may be
// stored and counted.
type Code uint8

// The codes of the header section (RFC 5322 §2.2).
const (
	LeadingContinuation Code = iota + 1 // the first line begins with white space
	NoColon                             // a line that is no field; kept as a field without a name
	BadName                             // a field name with octets outside 33 to 126
	SpaceBeforeColon                    // white space between name and colon (RFC 5322 §4.5)
	MissingSeparator                    // no empty line between header and body
	Raw8bit                             // octets above 127 in a header
	NUL                                 // a NUL in a header
	BareCR                              // a CR without LF in a header
	BareLF                              // a line ended by LF alone; reported once
	LineTooLong                         // a header line over 998 octets (RFC 5322 §2.1.1)
	DuplicateSingleton                  // a field that may occur once occurs again (RFC 5322 §3.6)
	BodyInHeader                        // the header ends where text begins
	FromLine                            // an mbox "From " line
	ByteOrderMark                       // U+FEFF before the first field, which some readers take for its name
)

// The codes of the structure (RFC 2046 §5.1).
const (
	NoBoundaryParam     Code = iota + 32 // a multipart without a boundary; read as one part
	BoundaryNotFound                     // a multipart whose boundary never comes; read as one part
	NotClosed                            // a multipart without its closing delimiter
	ClosedByParent                       // a multipart ended by the delimiter of one around it
	BoundaryTooLong                      // a boundary over 70 characters (RFC 2046 §5.1.1)
	BoundaryIllegalChar                  // a boundary with characters it must not have
	EmptyMultipart                       // a multipart without parts
	PartWithoutHeader                    // a part whose first line is no field
	TextAfterClose                       // text after the closing delimiter
	DelimiterAfterClose                  // text there that looks like another part
	EncodedMultipart                     // a multipart with base64 or quoted-printable (RFC 2045 §6.4)
	EncodedMessage                       // the same for message/rfc822
	DepthLimit                           // nested deeper than Limits.Depth; the rest is one part
	PartLimit                            // more parts than Limits.Parts; the rest is one part
	HeaderLimit                          // a header over Limits.HeaderBytes or Limits.Fields
	Truncated                            // the message ends inside a header
)

// The codes of field values, which Inspect finds.
const (
	BadMediaType     Code = iota + 64 // a Content-Type that is none
	DupParam                          // a parameter twice with two values; the first counts
	EqualParam                        // a parameter twice with the same value
	BadParam                          // something that is no parameter
	Param2047                         // an encoded-word in a parameter (RFC 2047 §5)
	Param2231Gap                      // a missing piece of a parameter (RFC 2231 §3); cut there
	Param2231Mixed                    // a parameter both whole and in pieces
	BadAddress                        // something that is no address
	EmptyAddress                      // nothing between two commas
	EncodedAddrSpec                   // an encoded-word inside an address (RFC 2047 §5); not decoded
	CommentInPhrase                   // a comment in a display name
	BadDate                           // a date nobody can read
	BadMsgID                          // a message id without its brackets or "@"
	UnknownEncoding                   // a Content-Transfer-Encoding nobody knows; not decoded
	UnknownCharset                    // a charset nobody knows
	BadEncodedWord                    // an encoded-word with damage (RFC 2047 §2)
	SplitMultibyte                    // a character cut in two by adjacent encoded-words
	ControlInDecoded                  // a control character from an encoded-word, now a space
	FilenamesDiffer                   // filename and name give a part two names
)

// The codes of content, which Inspect finds.
const (
	B64Junk          Code = iota + 96 // characters outside the base64 alphabet, skipped
	B64Padding                        // padding missing or too much
	B64AfterPad                       // data after the padding, decoded as well
	B64Truncated                      // the last group is cut; some bits are lost
	QPBadEscape                       // "=" without two hexadecimal digits, kept
	QPSoftAtEnd                       // the last line ends in "="
	UUBad                             // a uuencoded line that is none
	InvalidInCharset                  // octets the charset does not define, now U+FFFD
	DecodedLimit                      // more decoded octets than Limits.Decoded; cut there
)

// codeInfo is one row of the table of codes.
type codeInfo struct {
	name     string
	severity Severity
}

var codes = [...]codeInfo{
	LeadingContinuation: {"LeadingContinuation", Warn},
	NoColon:             {"NoColon", Warn},
	BadName:             {"BadName", Warn},
	SpaceBeforeColon:    {"SpaceBeforeColon", Ambiguous},
	MissingSeparator:    {"MissingSeparator", Warn},
	Raw8bit:             {"Raw8bit", Warn},
	NUL:                 {"NUL", Ambiguous},
	BareCR:              {"BareCR", Ambiguous},
	BareLF:              {"BareLF", Warn},
	LineTooLong:         {"LineTooLong", Warn},
	DuplicateSingleton:  {"DuplicateSingleton", Ambiguous},
	BodyInHeader:        {"BodyInHeader", Warn},
	FromLine:            {"FromLine", Warn},
	ByteOrderMark:       {"ByteOrderMark", Ambiguous},

	NoBoundaryParam:     {"NoBoundaryParam", Ambiguous},
	BoundaryNotFound:    {"BoundaryNotFound", Ambiguous},
	NotClosed:           {"NotClosed", Warn},
	ClosedByParent:      {"ClosedByParent", Warn},
	BoundaryTooLong:     {"BoundaryTooLong", Ambiguous},
	BoundaryIllegalChar: {"BoundaryIllegalChar", Ambiguous},
	EmptyMultipart:      {"EmptyMultipart", Warn},
	PartWithoutHeader:   {"PartWithoutHeader", Warn},
	TextAfterClose:      {"TextAfterClose", Info},
	DelimiterAfterClose: {"DelimiterAfterClose", Ambiguous},
	EncodedMultipart:    {"EncodedMultipart", Ambiguous},
	EncodedMessage:      {"EncodedMessage", Warn},
	DepthLimit:          {"DepthLimit", Lost},
	PartLimit:           {"PartLimit", Lost},
	HeaderLimit:         {"HeaderLimit", Lost},
	Truncated:           {"Truncated", Warn},

	BadMediaType:     {"BadMediaType", Ambiguous},
	DupParam:         {"DupParam", Ambiguous},
	EqualParam:       {"EqualParam", Info},
	BadParam:         {"BadParam", Warn},
	Param2047:        {"Param2047", Warn},
	Param2231Gap:     {"Param2231Gap", Lost},
	Param2231Mixed:   {"Param2231Mixed", Ambiguous},
	BadAddress:       {"BadAddress", Warn},
	EmptyAddress:     {"EmptyAddress", Info},
	EncodedAddrSpec:  {"EncodedAddrSpec", Ambiguous},
	CommentInPhrase:  {"CommentInPhrase", Info},
	BadDate:          {"BadDate", Warn},
	BadMsgID:         {"BadMsgID", Warn},
	UnknownEncoding:  {"UnknownEncoding", Ambiguous},
	UnknownCharset:   {"UnknownCharset", Warn},
	BadEncodedWord:   {"BadEncodedWord", Warn},
	SplitMultibyte:   {"SplitMultibyte", Info},
	ControlInDecoded: {"ControlInDecoded", Ambiguous},
	FilenamesDiffer:  {"FilenamesDiffer", Ambiguous},

	B64Junk:          {"B64Junk", Warn},
	B64Padding:       {"B64Padding", Warn},
	B64AfterPad:      {"B64AfterPad", Ambiguous},
	B64Truncated:     {"B64Truncated", Lost},
	QPBadEscape:      {"QPBadEscape", Warn},
	QPSoftAtEnd:      {"QPSoftAtEnd", Info},
	UUBad:            {"UUBad", Warn},
	InvalidInCharset: {"InvalidInCharset", Warn},
	DecodedLimit:     {"DecodedLimit", Lost},
}

// String returns the name of the code as it is written in this package.
func (c Code) String() string {
	if int(c) < len(codes) && codes[c].name != "" {
		return codes[c].name
	}
	return fmt.Sprintf("code %d", uint8(c))
}

// Severity returns what defects of this code mean.
func (c Code) Severity() Severity {
	if int(c) < len(codes) {
		return codes[c].severity
	}
	return Info
}

// A Defect is one oddity of a message. Parsing never fails; it reports.
type Defect struct {
	Code     Code
	Severity Severity // that of Code
	Part     int      // index of the part, as in Message.Part
	Offset   int64    // where in the message; for content, the start of the damage within the encoded body
}

// String returns the defect for a log, such as "NotClosed (warn) at 120".
func (d Defect) String() string {
	return fmt.Sprintf("%s (%s) at %d", d.Code, d.Severity, d.Offset)
}

// maxDefects is how many defects are kept; more are counted only.
const maxDefects = 1000

// A defectList collects defects up to maxDefects.
type defectList struct {
	list      []Defect
	total     int
	ambiguous bool
}

// add keeps or counts one defect. Whether the message is ambiguous must not
// depend on how many other defects came first.
func (l *defectList) add(c Code, part int, off int64) {
	l.total++
	l.ambiguous = l.ambiguous || c.Severity() == Ambiguous
	if len(l.list) < maxDefects {
		l.list = append(l.list, Defect{Code: c, Severity: c.Severity(), Part: part, Offset: off})
	}
}

// sorted returns a copy in the order of the message.
func (l *defectList) sorted() []Defect {
	out := slices.Clone(l.list)
	slices.SortStableFunc(out, func(a, b Defect) int { return cmp.Compare(a.Offset, b.Offset) })
	return out
}
