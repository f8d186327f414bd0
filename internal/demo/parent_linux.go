package demo

import (
	"os/exec"
	"syscall"
)

// endWithParent makes the process end with this one, also when this one is killed. A signal of the terminal does not reach it.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
