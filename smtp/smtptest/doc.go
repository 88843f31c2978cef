// Package smtptest is a mail server for tests of programs that send mail, and
// a suite that finds out whether a server can be smuggled to.
package smtptest
