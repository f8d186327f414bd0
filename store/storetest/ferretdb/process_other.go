//go:build !linux

package ferretdb

import "syscall"

// endWithParent changes nothing: the system cannot end a child with its parent.
func endWithParent() *syscall.SysProcAttr { return nil }
