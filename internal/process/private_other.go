//go:build !unix

package process

// KeepFilesPrivate does nothing where a folder's rights decide who reads the files in it.
func KeepFilesPrivate() {}
