//go:build !unix

package yardstick

import "os"

// Peak returns 0: the system does not tell.
func Peak(*os.ProcessState) int64 { return 0 }
