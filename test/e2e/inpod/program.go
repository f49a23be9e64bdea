package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

// program is one of docs/workloads.md, in whatever language: it is told a path, calls it with the
// token of its own reading, and says the status of the answer.
type program struct {
	paths    io.Writer
	statuses *bufio.Scanner
}

// startProgram starts one, which ends with the context. What it complains of goes to the Pod's log.
func startProgram(ctx context.Context, command []string) (*program, error) {
	started := exec.CommandContext(ctx, command[0], command[1:]...)
	started.Stderr = os.Stderr
	paths, err := started.StdinPipe()
	if err != nil {
		return nil, err
	}
	statuses, err := started.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &program{paths: paths, statuses: bufio.NewScanner(statuses)}, started.Start()
}

func (p *program) profile(context.Context) (status int, err error) {
	if _, err := fmt.Fprintln(p.paths, profilePath); err != nil {
		return 0, err
	}
	if !p.statuses.Scan() {
		return 0, cmp.Or(p.statuses.Err(), io.EOF)
	}
	return strconv.Atoi(p.statuses.Text())
}
