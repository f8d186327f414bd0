//go:build !unix

package ownfile

import "io/fs"

// plainly adds nothing where links to files are rare, and need a right of their own to be made.
const plainly = 0

// otherOwner knows of no other owner where a folder's rights decide who reads the files in it.
func otherOwner(fs.FileInfo) (string, bool) { return "", false }
