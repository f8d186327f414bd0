//go:build !noembedded

package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// Included tells whether this build has the embedded server.
const Included = true

// stopTimeout bounds [Server.Close]. FerretDB gives connected clients three seconds, and a statement that hangs in it
// would hold it for good.
const stopTimeout = 10 * time.Second

// Server is a running server. Have one at a time in a process: FerretDB's start is not safe beside another server.
type Server struct {
	uri      string
	folder   *folder
	endpoint *endpoint
	cancel   context.CancelFunc
	stopped  chan struct{}
	close    func() error // closes once, and gives every caller the same answer
}

// Start opens or makes the folder and serves it until [Server.Close]. The context bounds the start alone, so that an
// interrupted run can still write what it has in flight. The errors are a [*FolderError], or wrap one of this package's
// sentinels or the failure to listen.
func Start(ctx context.Context, opts Options) (*Server, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	folder, err := openFolder(opts.Dir)
	if err != nil {
		return nil, err
	}
	endpoint, err := openEndpoint(opts.Listen)
	if err != nil {
		return nil, errors.Join(err, folder.close())
	}
	db, err := ferretdb.New(&ferretdb.Config{
		Listener:  endpoint.config,
		Logger:    slog.New(slog.DiscardHandler),
		Handler:   "sqlite",
		SQLiteURL: folder.uri(),
	})
	if err != nil {
		err = &FolderError{Dir: opts.Dir, Err: fmt.Errorf("start FerretDB: %w", err)}
		return nil, errors.Join(err, endpoint.close(), folder.close())
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{folder: folder, endpoint: endpoint, cancel: cancel, stopped: make(chan struct{})}
	s.close = sync.OnceValue(s.stop)
	go func() {
		defer close(s.stopped)
		// Run has no error to return: it ends with its context only.
		_ = db.Run(running)
	}()
	s.uri = db.MongoDBURI()
	return s, nil
}

// URI returns the server's mongodb:// URI, without a database.
func (s *Server) URI() string { return s.uri }

// Close stops the server, removes its socket and unlocks the folder. It returns at once when no client is connected,
// and else gives the clients three seconds. Where FerretDB does not stop at all, Close fails and the folder stays
// locked until the process ends. Closing again returns the first answer.
func (s *Server) Close() error { return s.close() }

func (s *Server) stop() error {
	s.cancel()
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-s.stopped:
		return errors.Join(s.endpoint.close(), s.folder.close())
	case <-timeout.C:
		return fmt.Errorf("stop the embedded server: still busy after %s", stopTimeout)
	}
}
