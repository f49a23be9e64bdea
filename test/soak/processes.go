package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	// environment is the one that the credentials name.
	environment = "local"
	// restartPause lets the other process find the lease free now and then.
	restartPause = time.Second
	// operators is how many compete for the lease.
	operators = 2
	// leaseMemory is for how long an absence of the API server explains the end of a process:
	// the lease is given up after 10 seconds, and then answers are saved for saverGrace.
	leaseMemory = 10*time.Second + saverGrace
)

// selectors are those of the operators that share the work. One looks after all that has no
// label, too.
var selectors = [operators]string{v1alpha1.LabelShard + "!=1", v1alpha1.LabelShard + "=1"}

// processes are the operators.
type processes struct {
	arguments []string
	shards    bool
	metrics   []string // their addresses, by number
	journals  []*journal
	apiServer *apiServer
	say       func(string, ...any)

	mutex   sync.Mutex
	running []*process
	deaths  []death
	kills   int
	// disturbed is when a process that held the lease last got a signal or ended.
	disturbed time.Time
	// bereft counts the processes that ended by themselves because they had lost their
	// lease, or found no API server; unasked those that ended for no such reason.
	bereft, unasked int
	// memory is the most that one of them needed, in MiB.
	memory int

	stopping context.CancelFunc
	watching sync.WaitGroup
}

// process is one life of an operator.
type process struct {
	*testbed.Process
	number int
	asked  bool
	frozen bool
	thawed bool
	leads  atomic.Bool
}

// death is the moment at which a process that held the lease was killed or frozen: what it
// had not saved then may be lost.
type death struct {
	at     time.Time
	number int
	signal syscall.Signal
}

func (d death) String() string {
	how := "killed"
	if d.signal == syscall.SIGSTOP {
		how = "frozen"
	}
	return fmt.Sprintf("operator %d was %s at %s", d.number+1, how, d.at.Format(clockTime))
}

// startProcesses starts them, and keeps starting those that end.
func startProcesses(program *testbed.Program, service *service, cluster *cluster, shards bool) (*processes, error) {
	known := service.Environment(environment)
	known.RequestsPerSecond, known.Burst = 200, 400 // the rate is not what is tried here
	known.TimeoutSeconds = int(callTimeout / time.Second)
	environments, err := testbed.WriteEnvironments(program.Folder, known)
	if err != nil {
		return nil, err
	}
	p := &processes{apiServer: cluster.apiServer, say: program.Say, shards: shards, arguments: []string{
		"--environments-file=" + environments, "--kubeconfig=" + cluster.kubeconfig,
		"--leader-election-namespace=default", "--health-probe-bind-address=0", "--metrics-secure=false",
		"--graceful-shutdown-timeout=" + saverGrace.String(),
		// An answer that tells no lifetime must not be believed to live longer than it does.
		"--default-token-lifetime=" + tokenLifetime.String(),
		// The most that may be logged.
		"--zap-log-level=7",
	}}
	if p.metrics, err = testbed.FreeAddresses(operators); err != nil {
		return nil, err
	}
	for number := range operators {
		journal, err := newJournal(program.Path(operatorLog(number)))
		if err != nil {
			return nil, errors.Join(err, p.stop())
		}
		p.journals = append(p.journals, journal)
		started, err := p.start(number)
		if err != nil {
			return nil, errors.Join(err, p.stop())
		}
		p.running = append(p.running, started)
	}
	var ctx context.Context
	ctx, p.stopping = context.WithCancel(context.Background())
	p.watching.Go(func() { p.keep(ctx) })
	return p, nil
}

// operatorLog is a file in the folder of the run.
func operatorLog(number int) string { return fmt.Sprintf("operator-%d.log", number+1) }

// start starts one life.
func (p *processes) start(number int) (born *process, err error) {
	born = &process{number: number}
	arguments := append(slices.Clone(p.arguments), "--metrics-bind-address="+p.metrics[number])
	if p.shards {
		arguments = append(arguments, "--watch-label-selector="+selectors[number], fmt.Sprintf("--leader-election-id=shard-%d", number))
	}
	command := exec.Command(testbed.OperatorProgram, arguments...)
	born.Process, err = testbed.StartProcess(command, p.journals[number].of(born))
	return born, err
}

// keep restarts what has ended.
func (p *processes) keep(ctx context.Context) {
	for wait(ctx, restartPause) {
		p.mutex.Lock()
		for i, old := range p.running {
			select {
			case <-old.Ended:
			default:
				p.memory = max(p.memory, peakMemory(old.ID()))
				continue
			}
			p.disturb(old)
			switch {
			case old.asked:
			case old.thawed, p.apiServer.awaySince(time.Now().Add(-leaseMemory)):
				p.bereft++
			default:
				p.unasked++
				p.say("operator %d ended by itself, without a reason", old.number+1)
			}
			if born, err := p.start(old.number); err == nil {
				p.running[i] = born
			}
		}
		p.mutex.Unlock()
	}
}

// signal sends a signal to one that runs. It says which, and whether it held the lease; it
// does nothing to one that is frozen, or has ended and is about to be restarted.
func (p *processes) signal(number int, signal syscall.Signal) (said string, hit *process) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	target := p.running[number]
	select {
	case <-target.Ended:
		return "", nil
	default:
	}
	if target.frozen || target.asked {
		return "", nil
	}
	leads := target.leads.Load()
	if leads && signal != syscall.SIGTERM {
		p.deaths = append(p.deaths, death{at: time.Now(), number: number, signal: signal})
	}
	if err := target.Signal(signal); err != nil {
		return "", nil
	}
	p.disturb(target)
	target.asked = signal != syscall.SIGSTOP
	target.frozen = signal == syscall.SIGSTOP
	p.kills++
	said = fmt.Sprintf("operator %d", number+1)
	if leads {
		said += ", which holds the lease"
	}
	return said, target
}

// disturb notes that the work of a holder of the lease is interrupted.
func (p *processes) disturb(one *process) {
	if one.leads.Load() {
		p.disturbed = time.Now()
	}
}

// steadyFor tells for how long the holders of the lease have been left in peace.
func (p *processes) steadyFor(now time.Time) time.Duration {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return now.Sub(p.disturbed)
}

// thaw lets a frozen process go on.
func (p *processes) thaw(frozen *process) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	_ = frozen.Signal(syscall.SIGCONT)
	p.disturb(frozen)
	frozen.frozen, frozen.thawed = false, true
}

// stop asks all to end and waits for them.
func (p *processes) stop() error {
	if p.stopping != nil {
		p.stopping()
		p.watching.Wait()
	}
	failed := make([]error, len(p.running))
	var ending sync.WaitGroup
	for i, running := range p.running {
		ending.Go(func() {
			_ = running.Signal(syscall.SIGCONT)
			failed[i] = running.Stop(testbed.OperatorGrace)
		})
	}
	ending.Wait()
	return errors.Join(append(failed, p.closeJournals())...)
}

func (p *processes) closeJournals() error {
	var failed []error
	for _, journal := range p.journals {
		failed = append(failed, journal.file.Close())
	}
	return errors.Join(failed...)
}

// journal is the log of an operator over all its lives.
type journal struct{ file *os.File }

func newJournal(path string) (*journal, error) {
	file, err := os.Create(path)
	return &journal{file: file}, err
}

// of writes what one life says.
func (j *journal) of(life *process) *voice { return &voice{file: j.file, life: life} }

// voice writes the log of one life, and hears from it who holds the lease.
type voice struct {
	file *os.File
	life *process
}

// acquired is what client-go says when the lease is won.
var acquired = []byte("uccessfully acquired lease")

// Write implements [io.Writer].
func (v *voice) Write(p []byte) (int, error) {
	if bytes.Contains(p, acquired) {
		v.life.leads.Store(true)
	}
	return v.file.Write(p)
}
