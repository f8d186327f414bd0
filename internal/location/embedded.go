package location

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/embedded"
)

var embeddedScheme = TargetScheme{
	Scheme: Scheme{
		Schemes: []string{"embedded"}, Forms: []string{"embedded:DIR"}, Local: true,
		Check: func(at Location) error {
			folder := EmbeddedFolder(at.URI)
			if folder == "" {
				return exit.WrongUse(at.From+": embedded: names no folder", "give the folder, such as embedded:./lanyard-data")
			}
			return checkPath(at, folder)
		},
		Awaited: func(at Location) string { return "starting the embedded database in " + EmbeddedFolder(at.URI) },
	},
	Open:      func(ctx context.Context, o TargetOptions) (PairTarget, error) { return openEmbedded(ctx, o) },
	OpenWhole: openEmbedded,
	OpenItems: openMongoItems(openEmbedded),
	Explain:   explainMongo,
}

// EmbeddedFolder returns the folder of an "embedded:DIR" URI.
func EmbeddedFolder(uri string) string {
	return strings.TrimPrefix(uri[len("embedded:"):], "//")
}

// embeddedServer is a FerretDB of ours.
type embeddedServer struct {
	*embedded.Server
	scratch string // folder to remove; empty where there is none
}

// openEmbedded starts the database in the folder, and connects to it.
func openEmbedded(ctx context.Context, o TargetOptions) (Target, error) {
	s := &embeddedServer{}
	dir, err := s.folder(EmbeddedFolder(o.URI), o.Missing)
	if err != nil {
		return nil, err
	}
	if s.Server, err = embedded.Start(ctx, embedded.Options{Dir: dir}); err != nil {
		return nil, errors.Join(ExplainEmbedded(err), s.removeScratch())
	}
	return openMongo(ctx, s.URI(), o, s.close)
}

// folder returns the folder to use for the embedded database in dir.
func (s *embeddedServer) folder(dir string, missing MissingFolder) (string, error) {
	if missing == MakeFolder {
		return dir, nil
	}
	_, err := os.Stat(dir)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return dir, nil // what else is the matter with it, the server says better
	case missing == RefuseFolder:
		return "", exit.Failure(fmt.Errorf("the embedded folder %s does not exist", dir), "is the path right? A migration makes the folder")
	}
	if s.scratch, err = os.MkdirTemp("", "lanyardctl-dry-run-*"); err != nil {
		return "", fmt.Errorf("make a folder for the dry run: %w", err)
	}
	return s.scratch, nil
}

// close stops the server. It does not wait for one that hangs once ctx ends.
func (s *embeddedServer) close(ctx context.Context) error {
	var err error
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err = <-closed:
	case <-ctx.Done():
		err = errors.New("the embedded server is still busy")
	}
	return errors.Join(err, s.removeScratch())
}

func (s *embeddedServer) removeScratch() error {
	if s.scratch == "" {
		return nil
	}
	return os.RemoveAll(s.scratch)
}

// ExplainEmbedded gives an error that is about the folder or the build its exit code and the next step. It returns
// other errors as they are.
func ExplainEmbedded(err error) error {
	switch {
	case errors.Is(err, embedded.ErrInUse):
		return exit.Failure(err, "stop the other one, or name another folder")
	case errors.Is(err, embedded.ErrNotIncluded):
		return exit.Failure(err, "or give the URI of a MongoDB server")
	}
	if folder, ok := errors.AsType[*embedded.FolderError](err); ok {
		if errors.Is(err, embedded.ErrForeign) {
			return exit.Failure(err, "name a folder that is empty or does not exist yet, such as "+filepath.Join(folder.Dir, "lanyardctl-data"))
		}
		return exit.Failure(err, "name a folder that can be made and written")
	}
	return err
}
