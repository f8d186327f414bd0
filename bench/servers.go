package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/bench/countingserver"
	"github.com/lanyardctl/lanyardctl/bench/yardstick"
)

// patience is how long a server may take to start.
const patience = 30 * time.Second

// startRedis starts an empty redis-server on a free port, which keeps nothing on disk but what SAVE writes to dump.rdb.
func (b *bench) startRedis(ctx context.Context) (*goredis.Client, string, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, "", fmt.Errorf("%w; `make bench` installs it, or: apt-get install -y redis-server", err)
	}
	// Between the choice of a port and its use, another process may take it.
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return nil, "", err
		}
		cmd := exec.Command(path, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", b.dir, "--save", "", "--appendonly", "no")
		s, stdout, err := start(cmd)
		if err != nil {
			return nil, "", err
		}
		go func() { _, _ = io.Copy(s.log, stdout) }()
		client := goredis.NewClient(&goredis.Options{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), ReadTimeout: yardstick.Patience})
		if err = untilReady(ctx, client, s); err == nil {
			b.servers = append(b.servers, s)
			return client, "redis://" + client.Options().Addr, nil
		}
		_ = client.Close()
		s.stop()
		if attempt == 5 || ctx.Err() != nil {
			return nil, "", fmt.Errorf("start redis-server: %w\n%s", err, s.log)
		}
	}
}

func untilReady(ctx context.Context, client *goredis.Client, s *server) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		// Where nobody listens yet, the client would log that.
		conn, err := net.Dial("tcp", client.Options().Addr)
		if err == nil {
			_ = conn.Close()
			err = client.Ping(ctx).Err()
		}
		if err == nil {
			return nil
		}
		select {
		case <-s.exited:
			return err
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// startCounting starts a counting server and returns its URI.
func (b *bench) startCounting() (string, error) {
	return b.startTarget(exec.Command(b.self, asCountingServer))
}

// startFerretDB starts the embedded server on a folder of its own and returns its URI.
func (b *bench) startFerretDB() (string, error) {
	return b.startTarget(exec.Command(b.binary, "embedded", "serve", filepath.Join(b.dir, "embedded"), "--create", "--listen", "127.0.0.1:0"))
}

func (b *bench) startTarget(cmd *exec.Cmd) (string, error) {
	s, uri, err := startWithLine(cmd)
	if err != nil {
		return "", err
	}
	b.servers = append(b.servers, s)
	return uri, nil
}

// serveCounting is what the counting server's process does. It prints the URI.
func serveCounting(ctx context.Context, stdout, stderr io.Writer) error {
	// The documents of a run are many: they are not to be looked through all the time.
	debug.SetGCPercent(300)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	if _, err := fmt.Fprintf(stdout, "mongodb://%s\n", listener.Addr()); err != nil {
		return err
	}
	new(countingserver.Server).Serve(listener, func(err error) { fmt.Fprintln(stderr, err) })
	return nil
}
