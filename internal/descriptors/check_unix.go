//go:build unix

package descriptors

import (
	"os"
	"strconv"
	"syscall"
)

// needed is how many files and connections may be open at a time: those of an embedded server count twice, as its
// clients are in the same process.
const needed = 100

func init() {
	var taken []int
	for len(taken) < needed {
		fd, err := syscall.Dup(syscall.Stderr)
		if err != nil {
			// Where stderr cannot be written to, the exit code has to do.
			_, _ = syscall.Write(syscall.Stderr, []byte("lanyardctl: "+strconv.Itoa(len(taken))+" file descriptors are left, and "+
				strconv.Itoa(needed)+" are needed: "+err.Error()+"\nhint: ulimit -n 1024 allows more\n"))
			os.Exit(1)
		}
		taken = append(taken, fd)
	}
	for _, fd := range taken {
		_ = syscall.Close(fd) // it is a copy
	}
}
