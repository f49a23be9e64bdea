package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

const (
	// outagePause lets everything come back between two outages of the service, or of the
	// API server.
	outagePause = 40 * time.Second
	// saverGrace is the operator's --graceful-shutdown-timeout: for so long it tries to save
	// the last answers after its manager has ended. The API server must never be away for
	// longer; a lost answer then has no excuse.
	saverGrace = 25 * time.Second
	// startTries is how often kube-apiserver may fail to start.
	startTries = 3
)

// outages are the deeds that take a program away.
func (d *deeds) outages() []deed {
	return []deed{
		{"operator killed", elsewhere, 3, d.kill},
		{"operator asked to end", elsewhere, 3, d.terminate},
		{"operator frozen", elsewhere, 3, d.freeze},
		{"service down, shorter than a token lives", elsewhere, 1, d.shortOutage},
		{"service down, longer than a token lives", elsewhere, 1, d.longOutage},
		{"API server asked to end", elsewhere, 2, d.restartAPIServer},
		{"API server killed", elsewhere, 2, d.killAPIServer},
		{"API server away, longer than the lease", elsewhere, 2, d.loseLease},
	}
}

func (d *deeds) kill(context.Context) (string, error) {
	who, _ := d.processes.signal(d.chance.IntN(operators), syscall.SIGKILL)
	return prefixed("killed ", who), nil
}

func (d *deeds) terminate(context.Context) (string, error) {
	who, _ := d.processes.signal(d.chance.IntN(operators), syscall.SIGTERM)
	return prefixed("asked to end: ", who), nil
}

func (d *deeds) freeze(context.Context) (string, error) {
	number, length := d.chance.IntN(operators), d.between(5*time.Second, 40*time.Second)
	who, frozen := d.processes.signal(number, syscall.SIGSTOP)
	if frozen == nil {
		return "", nil
	}
	d.after(length, "operator frozen, and let go on", elsewhere, func(context.Context) (string, error) {
		d.processes.thaw(frozen)
		return fmt.Sprintf("let operator %d go on", number+1), nil
	})
	return fmt.Sprintf("froze for %s: %s", length.Round(time.Second), who), nil
}

func prefixed(prefix, what string) string {
	if what == "" {
		return ""
	}
	return prefix + what
}

func (d *deeds) shortOutage(context.Context) (string, error) {
	return d.outage(d.between(3*time.Second, 15*time.Second))
}

func (d *deeds) longOutage(context.Context) (string, error) {
	return d.outage(d.between(tokenLifetime, 2*tokenLifetime))
}

func (d *deeds) outage(length time.Duration) (string, error) {
	if time.Since(d.outageTo) < outagePause {
		return "", nil
	}
	d.outageTo = time.Now().Add(length)
	d.service.leave(true)
	d.after(length, "service down, and back", elsewhere, func(context.Context) (string, error) {
		d.service.leave(false)
		return "the service is back", nil
	})
	return fmt.Sprintf("the service is down for %s", length.Round(time.Second)), nil
}

func (d *deeds) restartAPIServer(context.Context) (string, error) {
	return d.withoutAPIServer(syscall.SIGTERM, d.between(0, 4*time.Second))
}

func (d *deeds) killAPIServer(context.Context) (string, error) {
	return d.withoutAPIServer(syscall.SIGKILL, d.between(0, 4*time.Second))
}

// loseLease keeps the API server away for longer than the 15 seconds of the lease. Its end
// and, on a busy machine, its start take up to 9 seconds more, and all of it must not
// outlast saverGrace.
func (d *deeds) loseLease(context.Context) (string, error) {
	signal := syscall.SIGTERM
	if d.chance.IntN(2) == 0 {
		signal = syscall.SIGKILL
	}
	return d.withoutAPIServer(signal, d.between(13*time.Second, 15*time.Second))
}

func (d *deeds) withoutAPIServer(signal syscall.Signal, length time.Duration) (string, error) {
	server := d.cluster.apiServer
	if server.awaySince(time.Now().Add(-outagePause)) {
		return "", nil
	}
	d.after(length, "API server away, and back", elsewhere, func(context.Context) (string, error) {
		var failed error
		for range startTries {
			away, err := server.comeBack()
			if err == nil {
				return fmt.Sprintf("the API server is back after %s", away.Round(100*time.Millisecond)), nil
			}
			failed = errors.Join(failed, err)
		}
		return "starting the API server", failed
	})
	said := "killed"
	if signal == syscall.SIGTERM {
		said = "asked to end"
	}
	return fmt.Sprintf("%s: the API server, for %s and its start", said, length.Round(100*time.Millisecond)), server.leave(signal)
}
