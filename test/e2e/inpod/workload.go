package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/spaces-operator/spaces-credential-operator/test/e2e/seen"
)

const (
	// workloadAddress is where a workload tells what it saw.
	workloadAddress = ":8080"
	// callInterval and lookInterval are how often the service is called, and the file looked at.
	callInterval = 500 * time.Millisecond
	lookInterval = 20 * time.Millisecond
	// callTimeout bounds a call.
	callTimeout = 5 * time.Second
)

// workload is a program as users write them: it calls with the mounted token again and again. Beside
// it stands what it saw.
type workload struct {
	token string
	// profile asks the service who the token is of, and gives the status of the answer.
	profile func(context.Context) (status int, err error)

	mutex  sync.Mutex
	report seen.Report
	// by are the tokens that each watch led to last.
	byFile, byDirectory seen.Fingerprint
}

func runWorkload(ctx context.Context, token string, profile func(context.Context) (int, error)) error {
	w := &workload{token: token, profile: profile}
	first, err := w.read()
	if err != nil {
		return err
	}
	w.byFile, w.byDirectory = first, first
	if err := w.watch(ctx, token, &w.byFile, &w.report.ByFile); err != nil {
		return err
	}
	if err := w.watch(ctx, filepath.Dir(token), &w.byDirectory, &w.report.ByDirectory); err != nil {
		return err
	}
	w.look()
	go every(ctx, lookInterval, w.look)
	go every(ctx, callInterval, func() { w.call(ctx) })
	return serve(ctx, &http.Server{Handler: w}, workloadAddress)
}

// every does something again and again until the context ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do()
		}
	}
}

// ServeHTTP tells what was seen.
func (w *workload) ServeHTTP(answer http.ResponseWriter, _ *http.Request) {
	w.mutex.Lock()
	content, err := json.Marshal(w.report)
	w.mutex.Unlock()
	if err != nil {
		http.Error(answer, err.Error(), http.StatusInternalServerError)
		return
	}
	answer.Header().Set("Content-Type", "application/json")
	_, _ = answer.Write(content) // whoever asked may have left
}

// watch counts the changes of the token to which events of a path led. A watch is set up once, as
// most programs do.
func (w *workload) watch(ctx context.Context, path string, last *seen.Fingerprint, count *int) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = watcher.Close() })
	go func() {
		for range watcher.Events {
			now, err := w.read()
			if err != nil {
				continue
			}
			w.mutex.Lock()
			if now != *last {
				*last = now
				*count++
			}
			w.mutex.Unlock()
		}
	}()
	return watcher.Add(path)
}

func (w *workload) read() (seen.Fingerprint, error) {
	content, err := os.ReadFile(w.token)
	return seen.FingerprintOf(content), err
}

// look notes when the file shows another token.
func (w *workload) look() {
	now, err := w.read()
	if err != nil {
		return // the next call says so
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if last := len(w.report.Shown) - 1; last < 0 || w.report.Shown[last].Token != now {
		w.report.Shown = append(w.report.Shown, seen.Showing{Token: now, At: time.Now()})
	}
}

// call asks for the profile with the token that stands in the file now.
func (w *workload) call(ctx context.Context) {
	status, err := w.profile(ctx)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.report.Calls++
	switch {
	case err != nil:
		w.report.Failed++
		w.report.Problem = err.Error()
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		w.report.Refused++
		w.report.Problem = fmt.Sprintf("%s: status %d", time.Now().Format(time.TimeOnly), status)
	case status != http.StatusOK:
		w.report.Failed++
		w.report.Problem = fmt.Sprintf("%s: status %d", time.Now().Format(time.TimeOnly), status)
	}
}
