package smtp

import (
	"context"
	"net"
	"testing"
	"io"
	"fmt"
	"os"
	"strings"
	"time"
)

func TestSmoke(t *testing.T) {
	us, peer := net.Pipe()
	s := &Server{Name: "hamburger.edu", Handler: Chain(Handler{Message: func(ctx context.Context, t *Transaction, body io.Reader) error {
		b, err := io.ReadAll(t.Reader(body))
		fmt.Printf("GOT %q %v\n", b, err)
		return err
	}}, Received(ReceivedOptions{Name: "hamburger.edu"}))}
	go s.ServeConn(context.Background(), us)
	go io.Copy(os.Stdout, peer)
	io.WriteString(peer, strings.ReplaceAll("HELO crepes.fr\nMAIL FROM: <alice@crepes.fr>\nRCPT TO: <bob@hamburger.edu>\nDATA\nDo you like ketchup?\nHow about pickles?\n.\nEHLO x\nMAIL FROM:<a@b>\nRCPT TO:<b@c>\nBDAT 3\na\n", "\n", "\r\n"))
	io.WriteString(peer, "BDAT 2 LAST\r\nxyQUIT\r\n")
	time.Sleep(300*time.Millisecond)
}
