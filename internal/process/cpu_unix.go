//go:build unix

package process

import (
	"syscall"
	"time"
)

// CPUTime returns how long the process has worked, on all cores together; zero where nobody knows.
func CPUTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
