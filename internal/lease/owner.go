package lease

import (
	"crypto/rand"
	"errors"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// Self returns this process as an owner, another one at each call.
func Self() record.Owner {
	host, _ := os.Hostname() // without a name, only the heartbeat tells whether an owner lives
	return record.Owner{Host: host, PID: os.Getpid(), Run: rand.Text()}
}

// HeartbeatEvery is how often an owner has to show that it lives.
const HeartbeatEvery = 2 * time.Second

// Alive reports whether the owner, whose last heartbeat is given, still runs, as seen from self at now. On the
// owner's own host its process is asked for; elsewhere only the heartbeat can tell.
func Alive(owner record.Owner, heartbeat time.Time, self record.Owner, now time.Time) bool {
	silence := now.Sub(heartbeat)
	if owner.Host != "" && owner.Host == self.Host && runtime.GOOS != "windows" {
		// Process ids are used again, so one that was silent for long is another's.
		return owner.PID != self.PID && processExists(owner.PID) && silence < 4*record.HeartbeatLasts
	}
	return silence < record.HeartbeatLasts
}

func processExists(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = process.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}
