package main

import (
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	// margin is how long the way of an answer from the service into the state may take: its
	// journey, the write, and a busy machine.
	margin = 2 * time.Second
	// leaseBroken is how long the API server may be away before the holder of the lease may
	// give up: it tries to renew it for 10 seconds, and did so up to two seconds before.
	leaseBroken = 8 * time.Second
)

// apiServer is kube-apiserver, which comes and goes; etcd stays.
type apiServer struct {
	plane *testbed.ControlPlane

	mutex    sync.Mutex
	absences []absence // oldest first
}

// absence is a time without an API server. The zero `to` means that it has not ended.
type absence struct{ from, to time.Time }

func (a absence) length() time.Duration { return a.to.Sub(a.from) }

// leave ends kube-apiserver with a signal. It listens no more from then on.
func (a *apiServer) leave(signal syscall.Signal) error {
	a.mutex.Lock()
	a.absences = append(a.absences, absence{from: time.Now()})
	a.mutex.Unlock()
	return a.plane.StopAPIServer(signal)
}

// comeBack starts it anew, and tells for how long it was away.
func (a *apiServer) comeBack() (time.Duration, error) {
	if err := a.plane.StartAPIServer(); err != nil {
		return 0, err
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	last := &a.absences[len(a.absences)-1]
	last.to = time.Now()
	return last.length(), nil
}

// away tells whether it is gone.
func (a *apiServer) away() bool {
	last := a.last()
	return !last.from.IsZero() && last.to.IsZero()
}

// awaySince tells whether it was away at a moment, or at any time after it.
func (a *apiServer) awaySince(moment time.Time) bool {
	return a.away() || a.last().to.After(moment)
}

// last is the newest absence, the zero one if there was none.
func (a *apiServer) last() absence {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if len(a.absences) == 0 {
		return absence{}
	}
	return a.absences[len(a.absences)-1]
}

// all are the absences so far.
func (a *apiServer) all() []absence {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return slices.Clone(a.absences)
}

// steadyFor tells for how long it has been there, or away so shortly that a lease holds.
func (a *apiServer) steadyFor(now time.Time) time.Duration {
	for _, one := range slices.Backward(a.all()) {
		switch {
		case one.to.IsZero():
			return 0
		case one.length() >= leaseBroken:
			return now.Sub(one.to)
		}
	}
	return now.Sub(time.Time{})
}

// savable tells by when an answer that was told at a moment is saved, if its process goes
// on. Without an API server that is when it is back, and after the pause between two
// tries, which doubles and so is no longer than the absence.
func savable(told time.Time, absences []absence) time.Time {
	by := told.Add(margin)
	for _, one := range absences {
		if one.from.Before(by) && one.to.After(told) {
			by = one.to.Add(one.length() + margin)
		}
	}
	return by
}
