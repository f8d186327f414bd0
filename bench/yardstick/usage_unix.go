//go:build unix

package yardstick

import (
	"os"
	"runtime"
	"syscall"
)

// Peak returns the largest resident set of a process that has ended, in bytes.
func Peak(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	switch {
	case !ok:
		return 0
	case runtime.GOOS == "darwin":
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) << 10
}
