// Package authres builds and parses the Authentication-Results header field of RFC
// 8601, by which a receiving server tells mail readers and filters behind it what
// it found out about a message.
//
//	f := authres.Field{ID: "mx.example.org", Results: []authres.Result{
//		{Method: "spf", Value: "pass", Props: [][2]string{{"smtp.helo", "m.example.com"}}},
//	}}
//	t.AddField(f.Field())
//	// Authentication-Results: mx.example.org; spf=pass smtp.helo=m.example.com
//
// The field is worth something only if nobody else can write one with our id. So
// [Strip] goes in front of everything that a server accepts from outside (RFC 8601
// §5), and [Field.Field] cannot be made to write more than one field.
//
// [Parse] reads what other servers write, with comments, folding and quoting.
// Values are plain: use them as values, not as parts of header text.
//
// # Limits
//
// Parse takes at most 64 KiB and 100 results; Strip holds one field of 64 KiB in
// memory, and drops what is longer; a value that is written has at most 256 octets.
//
// # Concurrency
//
// The functions keep no state; a reader made by Strip is for one goroutine.
//
// # Standards
//
// RFC 8601; RFC 5322 §3.2.2 (comments and folding); RFC 2045 §5.1
// (values).
package authres
