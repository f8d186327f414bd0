//go:build unix

package process

import "syscall"

// KeepFilesPrivate makes every file that the process creates its owner's alone: an embedded database holds API keys,
// and FerretDB would let everybody read it.
func KeepFilesPrivate() { syscall.Umask(0o077) }
