package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// mostMemory is what an operator may need at its peak, in MiB, whatever tenants do.
const mostMemory = 120

// peakMemory is the largest resident size that a process had so far, in MiB; 0 where the system
// does not tell it, or the process is gone.
func peakMemory(id int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", id))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, _ := strconv.Atoi(strings.Fields(value)[0])
			return kib >> 10
		}
	}
	return 0
}
