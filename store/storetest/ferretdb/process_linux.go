package ferretdb

import "syscall"

// endWithParent makes the system end a child when the test process dies, however it does.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
