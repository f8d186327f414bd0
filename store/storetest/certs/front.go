package certs

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
)

// Front listens by TLS in front of a server that speaks none, and returns its address. Where to is empty, it ends each
// connection after the handshake.
func Front(t testing.TB, to string, own Pair, config *tls.Config) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(own.Cert, own.Key)
	if err != nil {
		t.Fatal(err)
	}
	config.Certificates = []tls.Certificate{pair}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { pass(in.(*tls.Conn), to) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

// pass hands a connection on until either side ends it.
func pass(in *tls.Conn, to string) {
	defer in.Close()
	if err := in.Handshake(); err != nil || to == "" {
		return
	}
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(in, out)
		_ = in.Close()
	})
	_, _ = io.Copy(out, in)
	_ = out.Close()
	back.Wait()
}
