package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// It connects by name and port, by a path, and as it is told to.
func TestDialer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for network, addr := range map[string]string{"tcp": "127.0.0.1:0", "unix": path} {
		l, err := net.Listen(network, addr)
		require.NoError(t, err)
		defer l.Close()
		nc, err := Dialer{Addr: l.Addr().String()}.Connect(t.Context())
		require.NoError(t, err)
		nc.Close()
	}
	refused := errors.New("refused")
	_, err := Dialer{Addr: "mail.example:25", Dial: func(_ context.Context, network, addr string) (net.Conn, error) {
		assert.Equal(t, "tcp mail.example:25", network+" "+addr)
		return nil, refused
	}}.Connect(t.Context())
	assert.ErrorIs(t, err, refused)
}

// A peer that takes the connection and then says nothing does not hold up TLS.
func TestDialerTimeout(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	d := Dialer{Timeout: 10 * time.Millisecond, Implicit: ClientTLS(nil, "mail.example:465"),
		Dial: func(context.Context, string, string) (net.Conn, error) { return ours, nil }}
	_, err := d.Connect(t.Context())
	assert.Error(t, err)
	_, err = ours.Write([]byte("x"))
	assert.Error(t, err, "the connection is closed")
}

func TestClientTLS(t *testing.T) {
	conf := ClientTLS(nil, "mail.example:465")
	assert.Equal(t, "mail.example", conf.ServerName)
	assert.Equal(t, uint16(tls.VersionTLS12), conf.MinVersion)
	given := &tls.Config{ServerName: "other.example"}
	conf = ClientTLS(given, "mail.example:465")
	assert.Equal(t, "other.example", conf.ServerName)
	assert.NotSame(t, given, conf)
}
