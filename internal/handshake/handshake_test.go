package handshake_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/handshake"
	"github.com/lanyardctl/lanyardctl/store/storetest/certs"
)

// failed shakes hands with a server that then ends the connection, and returns how the client's side failed, with who
// watched it.
func failed(t *testing.T, own certs.Pair, client, server *tls.Config) (*handshake.Client, error) {
	t.Helper()
	conn, err := net.Dial("tcp", certs.Front(t, "", own, server))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	watched := handshake.Watch(client)
	c := tls.Client(conn, client)
	if err := c.Handshake(); err != nil {
		return watched, err
	}
	_, err = c.Read(make([]byte, 1))
	return watched, err
}

func TestReasonsThatNoServerOfTheOtherTestsHas(t *testing.T) {
	ca := certs.NewCA(t, "the CA")
	pair := ca.Sign([]string{"a"})
	var many []string
	for i := range 20 {
		many = append(many, fmt.Sprintf("host%d.example", i))
	}
	for rule, c := range map[string]struct {
		err    error
		reason error
		detail string
	}{
		"a name that the server has none for": {remote(112), handshake.ErrName, "none for the name"},
		"an alert of another kind":            {remote(80), handshake.ErrFailed, "internal error"},
		"an alert that nobody knows":          {remote(250), handshake.ErrFailed, "250"},
		"a broken connection":                 {io.EOF, nil, ""},
		"something else":                      {errors.New("x"), nil, ""},
		"many names":                          {x509.HostnameError{Certificate: &x509.Certificate{DNSNames: many}, Host: "h"}, handshake.ErrName, "host7.example, and 12 more, and not for h"},
		"an authority without a name":         {x509.UnknownAuthorityError{Cert: &x509.Certificate{}}, handshake.ErrAuthority, "somebody without a name"},
		"an authority with a long name":       {x509.UnknownAuthorityError{Cert: longName()}, handshake.ErrAuthority, "…"},
	} {
		detail, reason := handshake.Explain(c.err, &handshake.Client{})
		if reason != c.reason || !strings.Contains(detail, c.detail) || len(detail) > 300 {
			t.Errorf("%s: %v, %q", rule, reason, detail)
		}
	}

	watched, err := failed(t, pair, &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "a"}, &tls.Config{})
	if _, reason := handshake.Explain(err, watched); reason != handshake.ErrAuthority || watched.Met() {
		t.Errorf("%v, met %t", reason, watched.Met())
	}
	watched, err = failed(t, pair, &tls.Config{InsecureSkipVerify: true}, &tls.Config{ClientAuth: tls.RequireAnyClientCert})
	if _, reason := handshake.Explain(err, watched); reason != handshake.ErrClientMissing || !watched.Met() || !watched.Asked() {
		t.Errorf("%v, met %t, asked %t", reason, watched.Met(), watched.Asked())
	}
	for _, ended := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, &net.OpError{Op: "write", Err: syscall.EPIPE}} {
		if _, reason := handshake.Explain(ended, watched); reason != handshake.ErrClientMissing {
			t.Errorf("%v after the server has asked: %v", ended, reason)
		}
	}
}

func remote(alert uint8) error {
	return fmt.Errorf("dial: %w", &net.OpError{Op: "remote error", Err: tls.AlertError(alert)})
}

func longName() *x509.Certificate {
	return &x509.Certificate{Issuer: pkix.Name{CommonName: strings.Repeat("é", 1000)}}
}

// scripted is a connection whose reads are given.
type scripted struct {
	net.Conn
	reads []string
}

func (s *scripted) Read(b []byte) (int, error) {
	if len(s.reads) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.reads[0])
	s.reads = s.reads[1:]
	return n, nil
}

func (s *scripted) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestOnlyWhatFailsBeforeTheFirstAnswerIsAskedAbout(t *testing.T) {
	why := errors.New("why")
	for rule, c := range map[string]struct {
		reads []string
		plain bool
		want  error // of the read after all of them
	}{
		"an end before any answer":     {nil, true, why},
		"an end after one":             {[]string{"+OK\r\n"}, true, io.EOF},
		"an alert":                     {[]string{"\x15\x03\x03\x00\x02\x02\x46"}, true, why},
		"an alert's bytes later on":    {[]string{"+", "\x15\x03\x03"}, true, io.EOF},
		"the same bytes inside TLS":    {[]string{"\x15\x03\x03"}, false, io.EOF},
		"a length that begins as such": {[]string{"\x15\x03\x00\x00"}, true, io.EOF},
	} {
		f := &handshake.FirstAnswer{Conn: &scripted{reads: c.reads}, Plain: c.plain, Why: func(error) error { return why }}
		var err error
		for err == nil {
			_, err = f.Read(make([]byte, 100))
		}
		if err != c.want {
			t.Errorf("%s: %v", rule, err)
		}
		_, err = f.Write(nil)
		if (err == why) != (c.want == why) {
			t.Errorf("%s: a write fails with %v", rule, err)
		}
	}
}
