package embedded

import "errors"

// Options says where a server keeps its files and where it listens.
type Options struct {
	// Dir is the folder of the server's files.
	Dir string

	// Listen is a loopback TCP address, such as "127.0.0.1:0" for a free port. Empty, the server listens on a Unix
	// socket that only this user can reach.
	Listen string
}

// Errors of [Start], to be told apart with [errors.Is].
var (
	// ErrInUse says that another server, most likely in another process, has the folder.
	ErrInUse = errors.New("in use by another lanyardctl")

	// ErrForeign says that the folder holds something else than a database of ours.
	ErrForeign = errors.New("it is not empty, and no lanyardctl has made it")

	// ErrNotLoopback says that Options.Listen is no address that is confined to this machine.
	ErrNotLoopback = errors.New("not a loopback address (the embedded server has no authentication)")

	// ErrNotIncluded says that this build has no embedded server.
	ErrNotIncluded = errors.New("built without the embedded server (build it without -tags noembedded)")
)

// FolderError says why a folder cannot be used. [ErrInUse] and [ErrForeign] are among the errors it wraps.
type FolderError struct {
	Dir string // as in Options
	Err error
}

// Error names the folder and what is the matter with it.
func (e *FolderError) Error() string { return "embedded folder " + e.Dir + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *FolderError) Unwrap() error { return e.Err }
