package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// ErrNoRedis tells that no redis-server is installed.
var ErrNoRedis = errors.New("there is no redis-server here")

// Redis is an empty redis-server of the demo's own, which can be reached by a socket in the demo's folder alone.
type Redis struct {
	process *os.Process
	ended   chan struct{}
	socket  string
}

// startsWithin is how long a redis-server may take to start.
const startsWithin = time.Minute

// StartRedis starts one that keeps what it holds in the folder.
func StartRedis(ctx context.Context, folder string) (*Redis, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrNoRedis
	}
	r := &Redis{ended: make(chan struct{}), socket: filepath.Join(folder, "redis.sock")}
	cmd := exec.Command(path, "--port", "0", "--unixsocket", r.socket, "--unixsocketperm", "700", "--dir", folder,
		"--dbfilename", "redis.rdb", "--save", "3600 1", "--appendonly", "no", "--daemonize", "no")
	endWithParent(cmd)
	started := make(chan error)
	go func() {
		// The server ends with the thread that started it, so this one has to stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is stopped by a signal
			close(r.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	r.process = cmd.Process
	if err := r.untilReady(ctx); err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

func (r *Redis) untilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startsWithin)
	defer cancel()
	for {
		conn, err := net.Dial("unix", r.socket)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-r.ended:
			return fmt.Errorf("start redis-server: it ended (%w)", err)
		case <-ctx.Done():
			return fmt.Errorf("start redis-server: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// URI names the server.
func (r *Redis) URI() string { return "unix://" + r.socket }

// Stop stops the server at once.
func (r *Redis) Stop() {
	_ = r.process.Kill() // fails where it is gone
	<-r.ended
}
