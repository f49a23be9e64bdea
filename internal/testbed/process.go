package testbed

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Process is a program in a process group of its own: Ctrl-C at the terminal must not reach
// it while whoever started it still needs it.
type Process struct {
	// Ended is closed when the process is gone.
	Ended <-chan struct{}

	command *exec.Cmd
	err     error // how it ended; to be read once Ended is closed
}

// StartProcess starts a command. All that it says goes to log.
func StartProcess(command *exec.Cmd, log io.Writer) (*Process, error) {
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", filepath.Base(command.Path), err)
	}
	ended := make(chan struct{})
	p := &Process{Ended: ended, command: command}
	go func() {
		p.err = command.Wait()
		close(ended)
	}()
	return p, nil
}

// ID is the process ID.
func (p *Process) ID() int { return p.command.Process.Pid }

// Signal sends a signal. The error is [os.ErrProcessDone] if the process is gone.
func (p *Process) Signal(signal syscall.Signal) error { return p.command.Process.Signal(signal) }

// Stop asks the process to end, by SIGTERM, and waits for it. It is an error if it is still
// there after limit: then it is killed. For one that has ended before there is nothing to do.
func (p *Process) Stop(limit time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.Ended:
		return nil
	case <-time.After(limit):
		_ = p.command.Process.Kill()
		<-p.Ended
		return fmt.Errorf("%s did not end within %s, and was killed", filepath.Base(p.command.Path), limit)
	}
}
