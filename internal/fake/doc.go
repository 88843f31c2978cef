// Package fake stands between the clients of a test and a real server: it
// hands on one command at a time and waits for its reply, does the faults that
// the test asked for, and writes down what was said. pop3test and imaptest are
// made of it.
//
// What a command and a reply are says a [Protocol]. TLS ends here, on both
// sides: towards the client with the configuration under test, towards the
// server by a handshake of our own, so that the server has TLS exactly when the
// client has. Client certificates and channel bindings do not get through.
package fake
