package storetest

import (
	"net"
	"testing"
)

// NobodyAt returns a host:port on loopback that refuses connections until the test ends. The port of a listener that was
// closed would do so only until somebody else is given it. So this one is held, by the near end of a connection: nobody
// listens there, and nobody else can.
func NobodyAt(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}
