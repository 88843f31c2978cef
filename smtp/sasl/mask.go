package sasl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const masked = "***"

// String masks all but the user.
func (c Credentials) String() string {
	return fmt.Sprintf("sasl.Credentials{User: %q, %s}", c.User, masked)
}

// GoString masks all but the user, for %#v.
func (c Credentials) GoString() string { return c.String() }

// Format masks all but the user, whatever the verb and flags.
func (c Credentials) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue masks all but the user.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON masks all but the user: a JSON log would not ask the others.
func (c Credentials) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// errNoJSON is an error, and not a mask, lest somebody stores masks.
var errNoJSON = errors.New("sasl: secrets do not go into JSON as a whole; store their fields")

// String masks everything.
func (s Secret) String() string { return "sasl.Secret{" + masked + "}" }

// GoString masks everything, for %#v.
func (s Secret) GoString() string { return s.String() }

// Format masks everything, whatever the verb and flags.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue masks everything.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON fails: what is stored as JSON by mistake is logged so, too.
func (s Secret) MarshalJSON() ([]byte, error) { return nil, errNoJSON }

// String masks everything.
func (k Keys) String() string { return "sasl.Keys{" + masked + "}" }

// GoString masks everything, for %#v.
func (k Keys) GoString() string { return k.String() }

// Format masks everything, whatever the verb and flags.
func (k Keys) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// LogValue masks everything.
func (k Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON fails, as that of Secret.
func (k Keys) MarshalJSON() ([]byte, error) { return nil, errNoJSON }

// Format keeps what an exchange holds out of logs: fmt walks into unexported
// fields without asking their methods.
func (x *server) Format(f fmt.State, _ rune) { io.WriteString(f, "sasl.Exchange{"+masked+"}") }

// Format is as on the server's side.
func (x *client) Format(f fmt.State, _ rune) { io.WriteString(f, "sasl.Exchange{"+masked+"}") }
