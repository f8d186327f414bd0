package redis_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy passes connections on to a server and cuts them on demand, in the middle of a command.
type proxy struct {
	addr string
	cut  atomic.Int32 // how many of the next commands to cut
	cuts atomic.Int32 // how many were
}

func startProxy(t *testing.T, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				_ = in.Close()
				continue
			}
			all.Go(func() { p.pass(in, out) })
			all.Go(func() {
				_, _ = io.Copy(in, out)
				_ = in.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return p
}

func (p *proxy) pass(in, out net.Conn) {
	defer in.Close()
	defer out.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := in.Read(b)
		if err != nil {
			return
		}
		if p.cut.Load() > 0 {
			p.cut.Add(-1)
			p.cuts.Add(1)
			return
		}
		if _, err := out.Write(b[:n]); err != nil {
			return
		}
	}
}
