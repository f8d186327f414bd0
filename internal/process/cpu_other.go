//go:build !unix

package process

import "time"

// CPUTime returns how long the process has worked, on all cores together; zero where nobody knows.
func CPUTime() time.Duration { return 0 }
