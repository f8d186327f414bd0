package child

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the process end with this one, also when this one is killed.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
