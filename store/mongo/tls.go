package mongo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/internal/handshake"
	"github.com/lanyardctl/lanyardctl/internal/redact"
)

// secureOptions are the URI options that ask for TLS by being there, as the driver reads them.
var secureOptions = []string{
	"sslclientcertificatekeyfile", "tlscertificatekeyfile", "tlscertificatefile", "tlsprivatekeyfile", "sslcertificateauthorityfile", "tlscafile",
	"tlsdisablecertificaterevocationcheck", "tlsdisableocspendpointcheck",
}

// Security returns whether a URI asks for TLS, and whether it says that the server's certificate is not to be checked. It
// asks no name server.
func Security(uri redact.URI) (tls, unverified bool) {
	query, _ := url.ParseQuery(uri.Query) // what cannot be read, Open refuses
	given := make(map[string]string)
	for name, values := range query {
		given[strings.ToLower(name)] = values[len(values)-1]
	}
	tls = uri.Scheme == "mongodb+srv"
	for _, name := range secureOptions {
		_, ok := given[name]
		tls = tls || ok
	}
	for _, name := range []string{"tls", "ssl"} {
		if value, ok := given[name]; ok {
			tls = value == "true"
		}
	}
	return tls, given["tlsinsecure"] == "true" || given["sslinsecure"] == "true"
}

// nameServer makes o expect the name in the certificates of the servers, where it is not that of their addresses.
func nameServer(o *options.ClientOptions, name string) error {
	if name == "" {
		return nil
	}
	if o.TLSConfig == nil {
		return fmt.Errorf("%w: %w", ErrURI, errors.New("a name in the server's certificate is given, and the URI does not ask for TLS"))
	}
	o.TLSConfig.ServerName = name
	return nil
}

// TLSError says that TLS with a server failed. It unwraps to one of package handshake's reasons.
type TLSError struct{ reason error }

// Error returns the reason.
func (e *TLSError) Error() string { return e.reason.Error() }

// Unwrap returns the reason.
func (e *TLSError) Unwrap() error { return e.reason }

// tlsReason returns the reason, and a detail, where err is about TLS.
func (m *members) tlsReason(err error) (detail string, reason error) {
	switch {
	case err == nil:
		return "", nil
	case m.client == nil && errors.Is(err, handshake.ErrOnlyTLS):
		return "", handshake.ErrOnlyTLS
	case m.client == nil:
		return "", nil
	}
	if errors.Is(err, context.Canceled) && m.client.Asked() {
		err = io.EOF // the driver closes its connections to a server that has ended one
	}
	if handshake.Ended(err) && m.answered.Load() {
		return "", nil // a server that has answered has taken what it was shown
	}
	detail, reason = handshake.Explain(err, m.client)
	if reason == nil && handshake.Ended(err) && !m.client.Met() {
		reason = handshake.ErrNoTLS // it takes a handshake for a message that cannot be
	}
	return detail, reason
}

// probing is how long a server is asked whether it speaks TLS.
const probing = time.Second

// plainDialer connects without TLS, and finds out where the server speaks TLS alone.
type plainDialer struct{ net.Dialer }

// DialContext is what the driver calls.
func (d *plainDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.Dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &handshake.FirstAnswer{Conn: conn, Plain: true, Why: func(err error) error {
		if handshake.Ended(err) && d.speaksTLS(network, addr) {
			return handshake.ErrOnlyTLS
		}
		return err
	}}, nil
}

func (d *plainDialer) speaksTLS(network, addr string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), probing)
	defer cancel()
	conn, err := d.Dialer.DialContext(ctx, network, addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	return handshake.SpeaksTLS(ctx, conn)
}
