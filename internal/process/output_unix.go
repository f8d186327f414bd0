//go:build unix

package process

import (
	"os"

	"golang.org/x/sys/unix"
)

// replaced tells whether the file is what the runtime opens in place of a standard stream that is closed: the null
// device, for reading and writing. A shell's > /dev/null is for writing alone.
func replaced(file *os.File) bool {
	info, err := file.Stat()
	null, nullErr := os.Stat(os.DevNull)
	if err != nil || nullErr != nil || !os.SameFile(info, null) {
		return false
	}
	flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR
}
