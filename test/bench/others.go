package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// load is the processor time of a moment: of the whole machine, and of what belongs to this run.
type load struct {
	at         time.Time
	busy, ours time.Duration
}

// load reads it. Operators that have ended are counted, one that runs is not.
func (b *bench) load() (load, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return load{}, err
	}
	busy, err := readBusy(text)
	if err != nil {
		return load{}, err
	}
	servers, err := b.processor(nil)
	if err != nil {
		return load{}, err
	}
	l := load{at: time.Now(), busy: busy, ours: servers.apiServer + servers.etcd}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var spent syscall.Rusage
		if err := syscall.Getrusage(who, &spent); err != nil {
			return load{}, err
		}
		l.ours += time.Duration(spent.Utime.Nano() + spent.Stime.Nano())
	}
	return l, nil
}

// readBusy reads from /proc/stat how long all processors did something (proc(5)): all but idle and
// iowait, the fourth and the fifth, and but for guests, which are counted as users.
func readBusy(stat []byte) (busy time.Duration, err error) {
	line, err := bufio.NewReader(bytes.NewReader(stat)).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) < 9 || fields[0] != "cpu" {
		return 0, errors.New("/proc/stat has another form than proc(5) says")
	}
	for i, field := range fields[1:9] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		if i != 3 && i != 4 {
			busy += time.Duration(ticks) * tick
		}
	}
	return busy, nil
}

// othersSince is the share of the processors that other programs used between two moments.
func othersSince(before, after load) float64 {
	others := (after.busy - before.busy) - (after.ours - before.ours)
	return max(0, float64(others)/float64(after.at.Sub(before.at))/float64(runtime.NumCPU()))
}
