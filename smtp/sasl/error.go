package sasl

import "fmt"

// The errors of this package; those with more to say wrap one of them, so
// ask with errors.Is. Each has the method SMTP() (code int, enhanced, text
// string), by which servers answer; what wraps it is for the log only and
// never holds a secret.
var (
	// ErrCredentials means that the peer did not prove to be the user, or
	// may not act as the one asked for (535 5.7.8). An unknown user, a wrong
	// password and a locked account must all be this one error.
	ErrCredentials error = wrong

	// ErrThrottled means that the address has failed too often of late and
	// was not checked at all (454 4.7.0); see [Throttle].
	ErrThrottled error = throttled

	// ErrMalformed means that the client broke the mechanism's grammar or
	// order (501 5.5.2).
	ErrMalformed error = malformed

	// ErrMechanism means that the mechanism is unknown or not offered here
	// (504 5.5.4); from [Credentials.Start], that no mechanism fits.
	ErrMechanism error = unavailable

	// ErrServer is for clients: the server broke the mechanism's grammar,
	// asks for something unsafe, or did not prove that it knows the user.
	ErrServer error = impostor
)

type failure uint8

const (
	wrong failure = iota
	throttled
	malformed
	unavailable
	impostor
	unasked
)

var failures = [...]struct { // RFC 4954 §6, RFC 3463 §3.8
	code           int
	enhanced, text string
}{
	wrong:       {535, "5.7.8", "authentication credentials invalid"},
	throttled:   {454, "4.7.0", "too many failures, try again later"},
	malformed:   {501, "5.5.2", "malformed authentication message"},
	unavailable: {504, "5.5.4", "authentication mechanism not available"},
	impostor:    {454, "4.7.0", "server failed authentication"},
	unasked:     {501, "5.7.0", "mechanism takes no initial response"}, // RFC 4954 §4
}

func (f failure) Error() string { return "sasl: " + failures[f].text }

// SMTP is the reply that this failure becomes.
func (f failure) SMTP() (code int, enhanced, text string) {
	r := failures[f]
	return r.code, r.enhanced, r.text
}

// errUnasked is a case of ErrMalformed with a reply of its own.
var errUnasked = fmt.Errorf("%w: %w", unasked, ErrMalformed)

func badClient(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }
func badServer(what string) error { return fmt.Errorf("%w: %s", ErrServer, what) }
func denied(what string) error    { return fmt.Errorf("%w: %s", ErrCredentials, what) }

// TokenError is why a bearer token was refused (RFC 7628 §3.2.2). A Token
// func may return one to tell the client where to get a better token; a
// client's exchange returns what the server told. It wraps [ErrCredentials].
type TokenError struct {
	// Status is an OAuth error code; empty means "invalid_token".
	Status string
	// Scope is the scope a token needs here; empty means none.
	Scope string
	// Configuration is the https URL of the OpenID provider's document,
	// "openid-configuration" on the wire; empty means none is told.
	Configuration string
}

// Error tells the status alone.
func (e *TokenError) Error() string { return fmt.Sprintf("sasl: token refused: %.64q", e.status()) }

// Unwrap makes a refused token a case of [ErrCredentials].
func (e *TokenError) Unwrap() error { return ErrCredentials }

func (e *TokenError) status() string {
	if e.Status == "" {
		return "invalid_token"
	}
	return e.Status
}
