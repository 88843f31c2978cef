// Package postilion is the map of a library of mail protocol building blocks.
// It holds no identifiers itself; each noun of mail is a package below it, which
// stands alone and fits the others.
//
//	I want to …                                              use
//
//	receive mail, as a mail, submission or LMTP server       smtp.Server, smtp.Handler
//	decide about senders, recipients and messages            smtp.Handler, smtp.Middleware
//	scan messages while they stream                          smtp.Scan
//	send mail, to one server or to many                      smtp.Client
//	know what became of each recipient                       smtp.Results
//	speak the dialogue step by step                          smtp.NewConn
//	choose between delivery agents                           smtp.Mux, smtp.DeliverFunc
//	check logins, for every server alike                     sasl.Authenticator
//	log in                                                   sasl.Credentials
//	test code that sends mail                                smtptest.New
//	find out whether a server can be smuggled to             smtptest.CheckSmuggling
//
//	read any message                                         mime.Parse, mime.ParseAt, mime.Scan
//	read only the header of a message that streams           mime.ReadHeader
//	change a message and nothing else in it                  mime.Edit
//	write a message                                          mime.Builder
//	read or write a bounce, a receipt, a complaint           mime.DSN, mime.MDN, mime.ARF
//
//	find the mail hosts of a domain                          mx.Finder
//	deliver to them                                          relay.Relay
//	ask the DNS                                              dns.Client, dns.Cache
//	test without a network                                   dnstest.Zone
//	check who may send for a domain                          spf.Checker
//	say so in the header, and believe nobody else's          authres.Field, authres.Strip
//
//	expand aliases                                           alias.Expander, alias.Open
//	rewrite senders (SRS, VERP, BATV)                        alias.Rewriter
//	run mailing lists                                        list.Manager
//	keep accepted mail until it is delivered                 dirspool.Open, spool.Put, spool.Runner
//	check a store of one's own                               spooltest.Run, mailboxtest.Run, listtest.RunMembers
//
//	keep mail                                                maildir.Open, memory.Store
//	deliver into mailboxes                                   local.Agent, mailbox.Deliver
//	let users read it                                        imap.Server, pop3.Server
//	read mail from a server                                  imap.Client, pop3.Client
//	test code that reads mail                                imaptest.New, pop3test.New
//
// The packages are smtp, smtp/sasl, smtp/smtptest, mime, mx, mx/dns,
// mx/dns/dnstest, mx/relay, spf, spf/authres, alias, alias/list,
// alias/list/listtest, spool, spool/dirspool, spool/memspool, spool/spooltest,
// spool/local, spool/mailbox with maildir, memory and mailboxtest, pop3,
// pop3/pop3test, imap and imap/imaptest.
//
// One message keeps one envelope (smtp.Envelope) and one body from the first
// RCPT on; nothing is translated between the packages. They meet in func values
// such as smtp.DeliverFunc, and in errors that carry their SMTP reply by a
// method:
//
//	SMTP() (code int, enhanced, text string)
//
// Zero values work, every read has a limit, every wait a context, and no package
// has global state. The programs under examples compose them.
package postilion
