//go:build unix

package ownfile

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// plainly opens no symbolic link, and does not wait for the other end of a pipe.
const plainly = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// otherOwner returns who owns the file, and whether that is another user than this process's.
func otherOwner(info fs.FileInfo) (string, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return "", false
	}
	id := strconv.FormatUint(uint64(stat.Uid), 10)
	if known, err := user.LookupId(id); err == nil {
		return known.Username, true
	}
	return fmt.Sprintf("number %s", id), true
}
