package relay_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/mx/relay"
	"github.com/postilion-mail/postilion/smtp"
)

func ExampleRelay() {
	zone, err := dnstest.Parse("dogs.example MX 0 .\n") // a domain that takes no mail
	if err != nil {
		fmt.Println(err)
		return
	}
	agent := &relay.Relay{
		Finder: &mx.Finder{Resolver: zone},
		Client: &smtp.Client{LocalName: "mail.crepes.fr"},
	}
	defer agent.Close()

	env, err := smtp.NewEnvelope("alice@crepes.fr", "rex@dogs.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	body := strings.NewReader("Subject: Walkies\r\n\r\nNow?\r\n")
	results := agent.Deliver(context.Background(), env, io.NewSectionReader(body, 0, body.Size()))
	fmt.Println(results[0].Status, results[0].Reply.Code, results[0].Reply.Enhanced)
	// Output: permanent 556 5.1.10
}
