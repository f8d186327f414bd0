package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/handshake"
)

// TLS says how a server proves who it is, and the client in turn. The files are PEM.
type TLS struct {
	CA         string // file of the authorities that may sign the server's certificate; empty for those of the system
	Cert, Key  string // files of the client certificate and its key, for a server that asks for it
	ServerName string // the name in the server's certificate; empty for the host of each address
}

// apply makes config heed t.
func (t TLS) apply(config *tls.Config) error {
	// A Sentinel's master and a Cluster's masters are on hosts of their own, which the dialer names.
	config.ServerName, config.MinVersion = t.ServerName, tls.VersionTLS12
	if t.CA != "" {
		text, err := os.ReadFile(t.CA)
		if err != nil {
			return failure("", ErrTLSFile, err.Error())
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return failure("", ErrTLSFile, t.CA+" holds no PEM certificate")
		}
	}
	if t.Cert == "" {
		return nil
	}
	cert, err := os.ReadFile(t.Cert)
	if err != nil {
		return failure("", ErrTLSFile, err.Error())
	}
	key, err := os.ReadFile(t.Key)
	if err != nil {
		return failure("", ErrTLSFile, err.Error())
	}
	pair, err := tls.X509KeyPair(cert, key)
	switch {
	case err == nil:
		config.Certificates = []tls.Certificate{pair}
		return nil
	case !holds(cert, func(b *pem.Block) bool { return b.Type == "CERTIFICATE" }):
		return failure("", ErrTLSFile, t.Cert+" holds no PEM certificate")
	case !holds(key, func(b *pem.Block) bool { return strings.HasSuffix(b.Type, "PRIVATE KEY") }):
		return failure("", ErrTLSFile, t.Key+" holds no PEM key")
	case holds(key, func(b *pem.Block) bool { return strings.Contains(b.Type+b.Headers["Proc-Type"], "ENCRYPTED") }):
		return failure("", ErrTLSFile, t.Key+" is encrypted with a password: decrypt it (openssl pkey -in FILE -out FILE)")
	}
	return failure("", ErrTLSFile, fmt.Sprintf("the key in %s does not fit the certificate in %s (%s)",
		t.Key, t.Cert, strings.TrimPrefix(err.Error(), "tls: ")))
}

// holds reports whether a block of the PEM text is such a one.
func holds(text []byte, such func(*pem.Block) bool) bool {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return false
		}
		if such(block) {
			return true
		}
		text = rest
	}
}

// Unverified reports whether the URI says that the server's certificate is not to be checked.
func (o Options) Unverified() bool {
	t, err := Options{URI: o.URI}.parse()
	return err == nil && t.tls() != nil && t.tls().InsecureSkipVerify
}

// tls returns how TLS is spoken with the target; nil for not at all.
func (t target) tls() *tls.Config {
	switch {
	case t.single != nil:
		return t.single.TLSConfig
	case t.cluster != nil:
		return t.cluster.TLSConfig
	}
	return t.failover.TLSConfig
}

// peer is a server that is talked to. Where that fails, it is asked once more what it wants.
type peer struct {
	dialer        *net.Dialer
	network, addr string
	config        *tls.Config // nil for no TLS
}

// probing is how long it may take to ask a server what it wants.
const probing = 2 * time.Second

// patience is how long a server may leave a handshake without an answer before it is asked whether it is a Redis without
// TLS: that one takes the handshake for a line, and waits for its end.
func (p peer) patience() time.Duration { return min(time.Second, p.dialer.Timeout/4) }

// converse returns conn, by TLS where that is wanted. What fails before the server's first answer has a reason.
func (p peer) converse(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if p.config == nil {
		return &handshake.FirstAnswer{Conn: conn, Plain: true, Why: p.whyPlain}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.dialer.Timeout)
	defer cancel()
	secured, client, err := p.handshake(ctx, conn)
	if err != nil {
		_ = conn.Close() // it is of no use any more
		return nil, err
	}
	return &handshake.FirstAnswer{Conn: secured, Why: func(err error) error { return p.whySecure(err, client) }}, nil
}

func (p peer) handshake(ctx context.Context, conn net.Conn) (*tls.Conn, *handshake.Client, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel(nil)
	asking.Go(func() {
		select {
		case <-ctx.Done():
		case <-time.After(p.patience()):
			if p.speaksPlainly(ctx) {
				cancel(handshake.ErrNoTLS)
			}
		}
	})
	secured, client := p.client(conn)
	err := secured.HandshakeContext(ctx)
	if err == nil {
		return secured, client, nil
	}
	detail, reason := handshake.Explain(err, client)
	if reason == nil && (context.Cause(ctx) == handshake.ErrNoTLS || handshake.Ended(err) && p.speaksPlainly(ctx)) {
		reason = handshake.ErrNoTLS
	}
	if reason == nil {
		return nil, nil, err
	}
	return nil, nil, failure(p.addr, reason, detail)
}

// client returns the client's side of a conversation by TLS on conn.
func (p peer) client(conn net.Conn) (*tls.Conn, *handshake.Client) {
	config := p.config.Clone()
	if host, _, err := net.SplitHostPort(p.addr); err == nil && config.ServerName == "" {
		config.ServerName = host
	}
	client := handshake.Watch(config)
	return tls.Client(conn, config), client
}

// whySecure returns the reason for which a server did not answer after the handshake, else err itself. The server's alert
// is lost where it had not read everything that was sent to it, so it is listened to once more without a word.
func (p peer) whySecure(err error, client *handshake.Client) error {
	if !client.Asked() || !handshake.Alerted(err) && !handshake.Ended(err) {
		return err
	}
	heard := err
	if handshake.Ended(err) {
		p.again(context.Background(), func(ctx context.Context, conn net.Conn) {
			var secured *tls.Conn
			secured, client = p.client(conn)
			if heard = secured.HandshakeContext(ctx); heard == nil {
				_, heard = secured.Read(make([]byte, 1))
			}
		})
	}
	if detail, reason := handshake.Explain(heard, client); reason != nil {
		return failure(p.addr, reason, detail)
	}
	return err
}

// whyPlain returns the reason for which a server did not answer without TLS, else err itself.
func (p peer) whyPlain(err error) error {
	speaksTLS := errors.Is(err, handshake.ErrOnlyTLS)
	if handshake.Ended(err) {
		p.again(context.Background(), func(ctx context.Context, conn net.Conn) {
			speaksTLS = handshake.SpeaksTLS(ctx, conn)
		})
	}
	if speaksTLS {
		return failure(p.addr, handshake.ErrOnlyTLS, "")
	}
	return err
}

// speaksPlainly reports whether the server answers as Redis does without TLS.
func (p peer) speaksPlainly(ctx context.Context) bool {
	answer := make([]byte, 1)
	p.again(ctx, func(_ context.Context, conn net.Conn) {
		if _, err := conn.Write([]byte("PING\r\n")); err == nil {
			_, _ = conn.Read(answer) // no answer is one, too
		}
	})
	return answer[0] == '+' || answer[0] == '-'
}

// again connects to the server once more, for a short while.
func (p peer) again(ctx context.Context, talk func(context.Context, net.Conn)) {
	ctx, cancel := context.WithTimeout(ctx, probing)
	defer cancel()
	conn, err := p.dialer.DialContext(ctx, p.network, p.addr)
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	talk(ctx, conn)
}
