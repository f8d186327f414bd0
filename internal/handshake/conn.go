package handshake

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
)

// FirstAnswer is a connection of which a failure before the server's first answer may be about TLS.
type FirstAnswer struct {
	net.Conn

	// Plain is a connection without TLS. A server that speaks TLS alone answers it with an alert, which is
	// [ErrOnlyTLS].
	Plain bool

	// Why returns the reason of such a failure, else the failure itself.
	Why func(error) error

	heard atomic.Bool
}

// Read reads, and says why nothing was ever read.
func (f *FirstAnswer) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	switch {
	case f.heard.Load():
	case f.Plain && isAlert(b[:n]):
		return 0, f.Why(ErrOnlyTLS)
	case n > 0:
		f.heard.Store(true)
	case err != nil:
		err = f.Why(err)
	}
	return n, err
}

// Write writes, and says why nothing was ever read.
func (f *FirstAnswer) Write(b []byte) (int, error) {
	n, err := f.Conn.Write(b)
	if err != nil && !f.heard.Load() {
		err = f.Why(err)
	}
	return n, err
}

// isAlert reports whether an answer begins as a record of TLS does that holds an alert: with its type and a version.
func isAlert(b []byte) bool {
	const alertRecord, major, lastMinor = 21, 3, 4
	return len(b) >= 3 && b[0] == alertRecord && b[1] == major && b[2] > 0 && b[2] <= lastMinor
}

// SpeaksTLS reports whether the server at the other end of conn answers a handshake as one that speaks TLS does.
// Nothing is told to it, so that it need not prove who it is.
func SpeaksTLS(ctx context.Context, conn net.Conn) bool {
	config := &tls.Config{InsecureSkipVerify: true}
	client := Watch(config)
	err := tls.Client(conn, config).HandshakeContext(ctx)
	return err == nil || client.Asked() || Alerted(err)
}
