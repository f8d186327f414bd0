// Package handshake says why TLS with a server fails: the reason as an error of its own, and what a person has to know
// of it. The same failure always has the same reason, whichever way it shows.
package handshake

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// The reasons.
var (
	ErrAuthority     = errors.New("the server's certificate is signed by an authority that is not known here")
	ErrExpired       = errors.New("the server's certificate has expired")
	ErrNotYetValid   = errors.New("the server's certificate is not valid yet")
	ErrName          = errors.New("the server's certificate is for another name")
	ErrCertificate   = errors.New("the server's certificate cannot be verified")
	ErrClientMissing = errors.New("the server asks for a client certificate, and none is given")
	ErrClientRefused = errors.New("the server refuses the client certificate")
	ErrNoCommon      = errors.New("the server takes no TLS version or cipher that is safe")
	ErrFailed        = errors.New("the TLS handshake failed")
	ErrNoTLS         = errors.New("the server does not speak TLS")
	ErrOnlyTLS       = errors.New("the server speaks TLS alone")
)

// Client knows how far a conversation by TLS came.
type Client struct {
	given *tls.Certificate // nil for none
	asked atomic.Bool
	met   atomic.Bool
}

// Watch makes config tell the returned Client how far it comes. The first of the config's
// certificates is the answer, whichever authority the server names: it then says itself that it refuses it.
func Watch(config *tls.Config) *Client {
	c := &Client{}
	if len(config.Certificates) > 0 {
		c.given = &config.Certificates[0]
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		c.asked.Store(true)
		if c.given == nil {
			return &tls.Certificate{}, nil
		}
		return c.given, nil
	}
	config.VerifyConnection = func(tls.ConnectionState) error {
		c.met.Store(true)
		return nil
	}
	return c
}

// Asked reports whether a server asked for a certificate.
func (c *Client) Asked() bool { return c.asked.Load() }

// Met reports whether a server has shown a certificate that was accepted.
func (c *Client) Met() bool { return c.met.Load() }

// reason says why a server that has asked for a certificate ended the conversation. With TLS 1.3 it does so after the
// handshake, in place of its first answer.
func (c *Client) reason() (detail string, reason error) {
	if c.given == nil {
		return "", ErrClientMissing
	}
	leaf := c.given.Leaf
	if leaf == nil {
		return "", ErrClientRefused
	}
	return fmt.Sprintf("that of %s, signed by %s, valid from %s to %s",
		name(leaf.Subject), name(leaf.Issuer), date(leaf.NotBefore), date(leaf.NotAfter)), ErrClientRefused
}

// The alerts of RFC 8446, section 6.2, that have a reason of their own.
const (
	alertHandshakeFailure     = 40
	alertBadCertificate       = 42
	alertCertificateUnknown   = 46
	alertUnknownCA            = 48
	alertAccessDenied         = 49
	alertDecryptError         = 51
	alertProtocolVersion      = 70
	alertInsufficientSecurity = 71
	alertUnrecognizedName     = 112
	alertCertificateRequired  = 116
)

// Explain returns the reason of a failed conversation by TLS, in which c was asked or not, and the detail. It returns
// nothing where TLS is not to blame.
func Explain(err error, c *Client) (detail string, reason error) {
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		header    tls.RecordHeaderError
	)
	alert, alerted := alertOf(err)
	switch {
	case errors.As(err, &authority) && authority.Cert != nil:
		return "it is signed by " + name(authority.Cert.Issuer), ErrAuthority
	case errors.As(err, &authority):
		return "", ErrAuthority
	case errors.As(err, &hostname):
		return "it is for " + names(hostname.Certificate) + ", and not for " + hostname.Host, ErrName
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert.NotBefore.After(time.Now()):
		return "not before " + date(invalid.Cert.NotBefore), ErrNotYetValid
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "since " + date(invalid.Cert.NotAfter), ErrExpired
	case errors.As(err, &verify):
		return verify.Err.Error(), ErrCertificate
	case errors.As(err, &header):
		return "", ErrNoTLS
	case alerted:
		return explainAlert(alert, c)
	case Ended(err) && c.Asked():
		return c.reason()
	}
	return "", nil
}

func explainAlert(alert tls.AlertError, c *Client) (detail string, reason error) {
	switch {
	case alert == alertCertificateRequired:
		return c.reason()
	case c.Asked() && (alert == alertHandshakeFailure || alert >= alertBadCertificate && alert <= alertCertificateUnknown ||
		alert == alertUnknownCA || alert == alertAccessDenied || alert == alertDecryptError):
		return c.reason()
	case alert == alertHandshakeFailure, alert == alertProtocolVersion, alert == alertInsufficientSecurity:
		return "", ErrNoCommon
	case alert == alertUnrecognizedName:
		return "it has none for the name that it was asked for", ErrName
	}
	return strings.TrimPrefix(alert.Error(), "tls: "), ErrFailed
}

// Alerted reports whether err is what a server says by TLS.
func Alerted(err error) bool {
	_, ok := alertOf(err)
	return ok
}

// alertOf returns the alert that a server sent. Package tls keeps the type of the error to itself.
func alertOf(err error) (tls.AlertError, bool) {
	var remote *net.OpError
	if !errors.As(err, &remote) || remote.Op != "remote error" {
		return 0, false
	}
	alert := reflect.ValueOf(remote.Err)
	if alert.Kind() != reflect.Uint8 {
		return 0, false
	}
	return tls.AlertError(alert.Uint()), true
}

// Ended reports whether err says that the server ended the connection.
func Ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE)
}

// mostNames is how many names of a certificate are told.
const mostNames = 8

// names returns what a certificate is for: DNS names and addresses.
func names(cert *x509.Certificate) string {
	list := append([]string(nil), cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		list = append(list, ip.String())
	}
	switch {
	case len(list) == 0:
		return "no name (" + name(cert.Subject) + " does not count as one)"
	case len(list) > mostNames:
		list = append(list[:mostNames], fmt.Sprintf("and %d more", len(list)-mostNames))
	}
	return strings.Join(list, ", ")
}

// longestName bounds what is shown of a name in a certificate, which anybody may have written.
const longestName = 100

func name(n pkix.Name) string {
	text := []rune(n.String())
	switch {
	case len(text) == 0:
		return "somebody without a name"
	case len(text) > longestName:
		return string(text[:longestName]) + "…"
	}
	return string(text)
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
