//go:build !linux

package child

import "os/exec"

// dieWithParent does nothing where the system cannot bind a process to its parent.
func dieWithParent(*exec.Cmd) {}
