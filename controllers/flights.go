package controllers

import "sync"

// flights counts the calls under way, with their claims and saves, and lets none begin
// once the process is leaving.
type flights struct {
	mu      sync.Mutex
	under   int
	leaving bool
	landed  chan struct{}
}

// begin tells whether the work may begin; then end must follow.
func (f *flights) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leaving {
		return false
	}
	f.under++
	return true
}

func (f *flights) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.under--
	if f.leaving && f.under == 0 {
		close(f.landed)
	}
}

// drain lets nothing begin any more. What it returns is closed when all has ended.
func (f *flights) drain() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.leaving {
		f.leaving, f.landed = true, make(chan struct{})
		if f.under == 0 {
			close(f.landed)
		}
	}
	return f.landed
}
