package mx

import "fmt"

// Kind is what is wrong with a domain.
type Kind string

// The kinds, with the reply that they become.
const (
	BadName   Kind = "not a domain name"           // 550 5.1.2
	NoDomain  Kind = "no such domain"              // 550 5.1.2
	NoAddress Kind = "no address to send to"       // 550 5.1.2; of a mail host 550 5.4.4
	NoHost    Kind = "no usable mail host"         // 550 5.4.4
	NullMX    Kind = "domain takes no mail"        // 556 5.1.10
	Loop      Kind = "mail would loop back to us"  // 554 5.4.6
	Temporary Kind = "DNS lookup failed"           // 451 4.4.3
	NoSender  Kind = "sender takes no mail itself" // 550 5.7.27
)

// Error says why mail cannot be sent to a domain, and whether to try again.
type Error struct {
	Kind   Kind
	Domain string // as it was asked for
	Host   string // the mail host concerned, "" if it is the domain
	Err    error  // the cause, nil if there is no other
}

// Error names domain, host and cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("mx: %q: ", e.Domain)
	if e.Host != "" {
		s += fmt.Sprintf("host %q: ", e.Host)
	}
	s += string(e.Kind)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Temporary says that it may work later.
func (e *Error) Temporary() bool { return e.Kind == Temporary }

// SMTP is the reply for the sender: codes of RFC 3463 and RFC 7505 §4, and a text
// that tells nothing of our DNS.
func (e *Error) SMTP() (code int, enhanced, text string) {
	text = string(e.Kind)
	switch {
	case e.Kind == Temporary:
		return 451, "4.4.3", text + ", try again later"
	case e.Kind == NullMX:
		return 556, "5.1.10", text
	case e.Kind == Loop:
		return 554, "5.4.6", text
	case e.Kind == NoSender:
		return 550, "5.7.27", text
	case e.Kind == NoHost, e.Kind == NoAddress && e.Host != "":
		return 550, "5.4.4", text
	}
	return 550, "5.1.2", text
}
