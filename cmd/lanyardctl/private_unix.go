//go:build unix

package main

import "syscall"

// keepFilesPrivate makes every file that the process creates its owner's alone: an embedded database holds API keys, and
// FerretDB would let everybody read it.
func keepFilesPrivate() { syscall.Umask(0o077) }
