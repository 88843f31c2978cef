package spf

// Result is what a check comes to (RFC 7208 §2.6). The texts are those of the
// Received-SPF and Authentication-Results fields.
type Result string

// The seven results.
const (
	None      Result = "none"      // no domain to check, or it publishes no record
	Neutral   Result = "neutral"   // the domain says that it does not say
	Pass      Result = "pass"      // the client may use the domain
	Fail      Result = "fail"      // the client may not
	SoftFail  Result = "softfail"  // probably not
	TempError Result = "temperror" // could not find out; another try may
	PermError Result = "permerror" // the records of the domain cannot be understood
)

// Identity is what of the SMTP session was checked (RFC 7208 §2.2).
type Identity string

// The two identities.
const (
	Helo     Identity = "helo"     // the name in HELO or EHLO
	MailFrom Identity = "mailfrom" // the domain of the reverse-path
)
