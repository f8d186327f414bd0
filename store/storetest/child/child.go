// Package child starts processes that end with this one, however it ends. It is for tests only.
package child

import (
	"os/exec"
	"runtime"
)

// Start starts the process and waits for its end in the background: exited is closed then, and cmd.ProcessState says how.
func Start(cmd *exec.Cmd) (exited <-chan struct{}, err error) {
	dieWithParent(cmd)
	done, started := make(chan struct{}), make(chan error)
	go func() {
		// A parent-death signal is bound to the thread that started the process, so this one has to stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // its state tells
		}
		close(done)
	}()
	return done, <-started
}
