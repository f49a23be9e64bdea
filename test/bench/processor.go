package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor times in /proc: USER_HZ, which is 100 on every Linux (proc(5)).
const tick = 10 * time.Millisecond

// processorTime is what a process has used so far, of its own and of the system's.
func processorTime(id int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
	if err != nil {
		return 0, fmt.Errorf("reading the processor time of a process, which takes a Linux: %w", err)
	}
	return readProcessorTime(string(text))
}

// The places of utime and stime behind the name in /proc/PID/stat, which begins with the state.
const (
	userField   = 11
	systemField = 12
)

func readProcessorTime(stat string) (time.Duration, error) {
	// The name may hold anything, and ends with the last parenthesis.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) <= systemField {
		return 0, errors.New("/proc/PID/stat has another form than proc(5) says")
	}
	user, err := strconv.ParseInt(fields[userField], 10, 64)
	system, err2 := strconv.ParseInt(fields[systemField], 10, 64)
	return time.Duration(user+system) * tick, errors.Join(err, err2)
}

// peakMemory is the largest resident size that a process had so far, in MiB.
func peakMemory(id int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", id))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			return float64(kib) / 1024, err
		}
	}
	return 0, fmt.Errorf("process %d has ended", id)
}
