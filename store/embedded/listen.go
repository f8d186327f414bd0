//go:build !noembedded

package embedded

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// maxSocketPath is the longest path of a Unix socket that every system takes, in bytes.
const maxSocketPath = 100

// endpoint is where a server listens.
type endpoint struct {
	config ferretdb.ListenerConfig
	dir    string // of the socket; empty for TCP
}

// openEndpoint decides where a server listens: on the TCP address, or without one on a Unix socket in a fresh folder.
func openEndpoint(listen string) (*endpoint, error) {
	if listen != "" {
		return tcpEndpoint(listen)
	}
	dir, err := socketFolder()
	if err != nil {
		return nil, fmt.Errorf("folder for the embedded server's socket: %w", err)
	}
	return &endpoint{config: ferretdb.ListenerConfig{Unix: socketPath(dir)}, dir: dir}, nil
}

// socketPath returns the socket's path in dir. Drivers know a socket by the end of its name.
func socketPath(dir string) string { return filepath.Join(dir, "mongo.sock") }

// socketFolder makes a folder that only this user can enter, at a short path.
func socketFolder() (string, error) {
	const pattern = "lanyardctl-*"
	dir, err := os.MkdirTemp("", pattern)
	if err != nil || len(socketPath(dir)) <= maxSocketPath {
		return dir, err
	}
	if err := os.Remove(dir); err != nil {
		return "", err
	}
	return os.MkdirTemp("/tmp", pattern)
}

func tcpEndpoint(listen string) (*endpoint, error) {
	addr, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", listen, err)
	}
	if !addr.IP.IsLoopback() {
		return nil, fmt.Errorf("listen on %s: %w", listen, ErrNotLoopback)
	}
	// A failure to listen inside ferretdb.New leaves its files open, and a finalizer panics over them: try it first.
	probe, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := probe.Close(); err != nil {
		return nil, err
	}
	return &endpoint{config: ferretdb.ListenerConfig{TCP: addr.String()}}, nil
}

func (e *endpoint) close() error {
	if e.dir == "" {
		return nil
	}
	return os.RemoveAll(e.dir)
}
