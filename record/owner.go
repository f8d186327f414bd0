package record

import (
	"crypto/rand"
	"errors"
	"os"
	"runtime"
	"syscall"
	"time"
)

// Owner is a process that runs.
type Owner struct {
	Host string
	PID  int
	Run  string // random, so that a reused PID is not taken for the same process
}

// NewOwner returns this process as an owner, another one at each call.
func NewOwner() Owner {
	host, _ := os.Hostname() // without a name, only the heartbeat tells whether an owner lives
	return Owner{Host: host, PID: os.Getpid(), Run: rand.Text()}
}

// heartbeatLasts is how long after its last heartbeat an owner on another host counts as alive.
const heartbeatLasts = 15 * time.Second

// HeartbeatEvery is how often an owner has to show that it lives.
const HeartbeatEvery = 2 * time.Second

// Alive reports whether the owner, whose last heartbeat is given, still runs, as seen from self at now. On the owner's own
// host its process is asked for; elsewhere only the heartbeat can tell.
func (o Owner) Alive(heartbeat time.Time, self Owner, now time.Time) bool {
	silence := now.Sub(heartbeat)
	if o.Host != "" && o.Host == self.Host && runtime.GOOS != "windows" {
		// Process ids are used again, so one that was silent for long is another's.
		return o.PID != self.PID && processExists(o.PID) && silence < 4*heartbeatLasts
	}
	return silence < heartbeatLasts
}

func processExists(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = process.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}
