// Package smtp speaks SMTP, submission and LMTP, as a server and as a client,
// and holds the vocabulary of a message on its way: [Path], [Envelope],
// [Reply], [Results] and [DeliverFunc].
package smtp
