//go:build !unix

package yardstick

import (
	"os"
	"time"
)

// ownCPU returns 0: the system does not tell.
func ownCPU() time.Duration { return 0 }

// Peak returns 0: the system does not tell.
func Peak(*os.ProcessState) int64 { return 0 }
