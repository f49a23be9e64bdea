package testbed

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"time"
)

const (
	// OperatorProgram is the operator, as make build names it: what [Build] makes of ".".
	OperatorProgram = "bin/manager"
	// OperatorGrace is how long an operator may take to end: longer than it allows itself,
	// by its --graceful-shutdown-timeout and for what it then still has to save.
	OperatorGrace = 35 * time.Second
	// lastWords is how much of its log is told of an operator that ended unasked, in bytes.
	lastWords = 2048
)

// Operator is an operator in a process of its own.
type Operator struct {
	*Process
	log   string
	asked atomic.Bool // to end
}

// StartOperator starts a command that is an operator, and does not wait until it is ready.
// All that it says goes into the file log, which is made anew.
func StartOperator(command *exec.Cmd, log string) (*Operator, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // the process keeps its own
	process, err := StartProcess(command, file)
	if err != nil {
		return nil, err
	}
	return &Operator{Process: process, log: log}, nil
}

// Log is what it has said so far.
func (o *Operator) Log() (string, error) {
	text, err := os.ReadFile(o.log)
	return string(text), err
}

// Failure tells that it has ended unasked, and its last words. It is nil as long as the
// operator runs, and once Stop was called.
func (o *Operator) Failure() error {
	select {
	case <-o.Ended:
	default:
		return nil
	}
	if o.asked.Load() {
		return nil
	}
	words, _ := os.ReadFile(o.log)
	words = words[max(0, len(words)-lastWords):]
	return fmt.Errorf("the operator ended by itself (%s); the end of %s:\n%s", o.command.ProcessState, o.log, bytes.TrimSpace(words))
}

// Stop asks the operator to end and waits for it. It is an error if it does not end within
// [OperatorGrace], or with another exit code than 0. That it had ended before is told by
// Failure alone.
func (o *Operator) Stop() error {
	if o.Failure() != nil {
		return nil
	}
	o.asked.Store(true)
	err := o.Process.Stop(OperatorGrace)
	if err == nil {
		err = o.err
	}
	if err != nil {
		return fmt.Errorf("the operator ended badly, see %s: %w", o.log, err)
	}
	return nil
}
