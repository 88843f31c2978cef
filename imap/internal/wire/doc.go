// Package wire has the tokens of IMAP (RFC 9051 §9), for the server and the
// client: a [Lexer] over one whole command or response, functions that append
// what goes out, number sets, dates, and the modified UTF-7 of mailbox names.
//
// A command or response is held in one slice: its lines with their CRLF, and
// each literal where it stands, right behind the "{n}" CRLF that announces it.
// [LiteralAt] tells whoever reads from the connection that a line ends in such
// an announcement. Parsers are therefore plain functions over bytes; they take
// no more steps than there are bytes and allocate no more than those.
//
// Nothing here is safe for concurrent use, and nothing keeps the bytes it was
// given, but for those functions that return []byte.
package wire
