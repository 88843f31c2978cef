package sasl_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// A server offers what it can check.
func ExampleAuthenticator() {
	auth := &sasl.Authenticator{
		Password: func(_ context.Context, l sasl.Login, password string) error {
			if l.User != "alice" || password != "secret" {
				return sasl.ErrCredentials
			}
			return nil
		},
		Authorize: func(_ context.Context, l sasl.Login) (string, error) {
			return l.User + "@crepes.fr", nil
		},
	}
	fmt.Println(auth.Mechanisms(sasl.Login{Protocol: "smtp"}))

	l, err := auth.Check(context.Background(), sasl.Login{Protocol: "pop3", User: "alice"}, "secret")
	fmt.Println(l.Identity, err)
	_, err = auth.Check(context.Background(), sasl.Login{Protocol: "pop3", User: "alice"}, "wrong")
	fmt.Println(err)
	// Output:
	// [PLAIN LOGIN]
	// alice@crepes.fr <nil>
	// sasl: authentication credentials invalid
}

// The loops of both sides of SMTP, without the sockets: each line goes to
// the other side.
func ExampleExchange() {
	auth := &sasl.Authenticator{
		Secret: func(_ context.Context, l sasl.Login) (sasl.Secret, error) {
			return sasl.Secret{Plain: "pencil"}, nil
		},
	}
	toServer, toClient := make(chan string), make(chan string)
	b64 := base64.StdEncoding.Strict()

	go func() { // the server
		var mechanism, initial string
		n, _ := fmt.Sscanf(<-toServer, "AUTH %s %s", &mechanism, &initial)
		x, err := auth.Start(sasl.Login{Protocol: "smtp", Mechanism: mechanism})
		if err != nil {
			toClient <- "504 5.5.4 no such mechanism"
			return
		}
		var in []byte // nil: no initial response
		if n == 2 && initial == "=" {
			in = []byte{}
		} else if n == 2 {
			in, _ = b64.DecodeString(initial) // 501 5.5.2 if it is not base64
		}
		for {
			challenge, done, err := x.Next(context.Background(), in)
			if err != nil {
				toClient <- "535 5.7.8 " + err.Error()
				return
			}
			if done {
				toClient <- "235 2.7.0 welcome, " + x.Login().Identity
				return
			}
			toClient <- "334 " + b64.EncodeToString(challenge)
			line := <-toServer
			if line == "*" {
				toClient <- "501 5.7.0 cancelled"
				return
			}
			in, _ = b64.DecodeString(line)
		}
	}()

	// The client.
	c := &sasl.Credentials{User: "alice", Password: "pencil"}
	mechanism, x, err := c.Start(sasl.Login{Protocol: "smtp"}, []string{"PLAIN", "SCRAM-SHA-256"})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, done, err := x.Next(context.Background(), nil)
	command := "AUTH " + mechanism
	if len(out) > 0 {
		command += " " + b64.EncodeToString(out)
	} else if out != nil {
		command += " ="
	}
	toServer <- command
	for err == nil {
		reply := <-toClient
		if reply[:3] != "334" {
			fmt.Println(mechanism, done, reply) // a 235 without done is a fraud
			return
		}
		challenge, _ := b64.DecodeString(reply[4:])
		if out, done, err = x.Next(context.Background(), challenge); err == nil || out != nil {
			toServer <- b64.EncodeToString(out)
		} else {
			toServer <- "*"
		}
	}
	// Output:
	// SCRAM-SHA-256 true 235 2.7.0 welcome, alice
}

func ExampleCredentials() {
	c := &sasl.Credentials{User: "alice", Password: "secret"}
	mechanism, _, err := c.Start(sasl.Login{TLS: &tls.ConnectionState{}}, []string{"LOGIN", "PLAIN"})
	fmt.Println(mechanism, err)

	_, _, err = c.Start(sasl.Login{}, []string{"LOGIN", "PLAIN"})
	fmt.Println(errors.Is(err, sasl.ErrMechanism), err)

	slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})).Info("dialling", "auth", c)
	// Output:
	// PLAIN <nil>
	// true sasl: authentication mechanism not available: of "LOGIN PLAIN" none fits the credentials without TLS
	// level=INFO msg=dialling auth="sasl.Credentials{User: \"alice\", ***}"
}

func ExampleLogin() {
	auth := &sasl.Authenticator{
		Password: func(_ context.Context, l sasl.Login, _ string) error {
			fmt.Println(l.Protocol, l.Mechanism, l.User, l.Remote)
			return sasl.ErrCredentials
		},
	}
	x, err := auth.Start(sasl.Login{
		Protocol: "imap", Mechanism: "plain", Remote: netip.MustParseAddrPort("192.0.2.1:1025"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _, err = x.Next(context.Background(), []byte("\x00alice\x00secret"))
	fmt.Println(err)
	fmt.Printf("%q failed, acts as %q\n", x.Login().User, x.Login().Identity)
	// Output:
	// imap PLAIN alice 192.0.2.1:1025
	// sasl: authentication credentials invalid
	// "alice" failed, acts as ""
}

// Keep keys, not passwords.
func ExampleSecret() {
	stored, err := sasl.NewSecret("pencil", 4096)
	if err != nil {
		fmt.Println(err)
		return
	}
	auth := &sasl.Authenticator{
		Secret: func(_ context.Context, l sasl.Login) (sasl.Secret, error) {
			if l.User != "alice" {
				return sasl.Secret{}, sasl.ErrCredentials
			}
			return stored, nil
		},
		Disable: []string{"CRAM-MD5"}, // it would need the password
	}
	auth.Password = sasl.Secrets(auth.Secret, stored.Iterations)
	fmt.Println(auth.Mechanisms(sasl.Login{}))
	fmt.Println(stored, stored.Check(context.Background(), "pencil"))
	// Output:
	// [SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN]
	// sasl.Secret{***} <nil>
}

func ExampleKeys() {
	k, err := sasl.Derive(crypto.SHA256, "pencil", []byte("salt of alice"), 4096)
	fmt.Println(len(k.Stored), len(k.Server), err)
	fmt.Println(k)
	// Output:
	// 32 32 <nil>
	// sasl.Keys{***}
}

func ExampleThrottle() {
	auth := sasl.Throttle(&sasl.Authenticator{
		Password: func(_ context.Context, _ sasl.Login, password string) error {
			if password != "secret" {
				return sasl.ErrCredentials
			}
			return nil
		},
	}, 2, time.Millisecond)
	l := sasl.Login{User: "alice", Remote: netip.MustParseAddrPort("192.0.2.1:1025")}
	for _, guess := range []string{"123456", "password", "secret"} {
		_, err := auth.Check(context.Background(), l, guess)
		fmt.Println(err)
	}
	// Output:
	// sasl: authentication credentials invalid
	// sasl: authentication credentials invalid
	// sasl: too many failures, try again later
}

// A refused token tells the client where to get one.
func ExampleTokenError() {
	auth := &sasl.Authenticator{
		Token: func(context.Context, sasl.Login, string) (string, error) {
			return "", &sasl.TokenError{Scope: "mail", Configuration: "https://crepes.fr/openid"}
		},
	}
	x, err := auth.Start(sasl.Login{Mechanism: "OAUTHBEARER"})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, _, err := x.Next(context.Background(), []byte("n,a=alice,\x01auth=Bearer old\x01\x01"))
	fmt.Printf("%s %v\n", out, err)
	_, _, err = x.Next(context.Background(), []byte("\x01"))
	fmt.Println(err)
	// Output:
	// {"status":"invalid_token","scope":"mail","openid-configuration":"https://crepes.fr/openid"} <nil>
	// sasl: token refused: "invalid_token"
}

func ExamplePrepare() {
	for _, s := range []string{"user", "I\u00adX", "\u2168"} {
		fmt.Println(sasl.Prepare(s))
	}
	_, err := sasl.Prepare("bell\a")
	fmt.Println(err)
	// Output:
	// user <nil>
	// IX <nil>
	// IX <nil>
	// sasl: has a character that SASLprep prohibits
}

func ExamplePlaintext() {
	auth := &sasl.Authenticator{
		Password: func(context.Context, sasl.Login, string) error { return nil },
		Secret: func(context.Context, sasl.Login) (sasl.Secret, error) {
			return sasl.Secret{Plain: "x"}, nil
		},
		Disable: []string{"CRAM-MD5"},
	}
	for _, m := range auth.Mechanisms(sasl.Login{}) {
		if !sasl.Plaintext(m) { // there is no TLS
			fmt.Println(m)
		}
	}
	// Output:
	// SCRAM-SHA-512
	// SCRAM-SHA-256
	// SCRAM-SHA-1
}

// What a server does around its handshake.
func ExampleTrackCertificate() {
	ca, err := testcert.New("mx.crepes.fr")
	if err != nil {
		fmt.Println(err)
		return
	}
	config := sasl.TrackCertificate(ca.Server()) // once
	handshake := func(conn *tls.Conn) (sasl.Login, error) {
		ctx, shown := sasl.WithCertificate(context.Background())
		if err := conn.HandshakeContext(ctx); err != nil {
			return sasl.Login{}, err
		}
		state := conn.ConnectionState()
		return sasl.Login{Protocol: "smtp", TLS: &state, ServerCert: shown()}, nil
	}
	l, err := overLoopback(config, ca.Client(), handshake)
	fmt.Println(l.ServerCert.DNSNames, err)
	// Output:
	// [mx.crepes.fr] <nil>
}
