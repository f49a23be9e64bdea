package testbed_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// An operator that ends by itself is never taken for one that was stopped, nor the other
// way round.
func TestHowAnOperatorEnds(t *testing.T) {
	for sentence, c := range map[string]struct {
		script string
		asked  bool
		// failure and stop are what the errors of Failure and Stop say; "" is for none.
		failure, stop string
	}{
		"by itself":          {script: "echo ready; exit 3", failure: "exit status 3"},
		"by itself, quietly": {script: "echo ready", failure: "exit status 0"},
		"when asked to":      {script: `trap "exit 0" TERM; echo ready; read forever`, asked: true},
		"badly":              {script: `trap "exit 1" TERM; echo ready; read forever`, asked: true, stop: "exit status 1"},
	} {
		t.Run(sentence, func(t *testing.T) {
			command := exec.Command("sh", "-c", c.script)
			_, err := command.StdinPipe() // which says nothing
			must(t, err)
			operator, err := testbed.StartOperator(command, filepath.Join(t.TempDir(), "log"))
			must(t, err)
			awaitReady(t, operator)
			if !c.asked {
				<-operator.Ended
			}
			expectError(t, operator.Failure(), c.failure)
			if c.failure != "" {
				expectError(t, operator.Failure(), "ready")
			}
			expectError(t, operator.Stop(), c.stop)
			expectError(t, operator.Failure(), c.failure)
		})
	}
}

func awaitReady(t *testing.T, operator *testbed.Operator) {
	t.Helper()
	for limit := time.After(time.Minute); ; {
		said, err := operator.Log()
		must(t, err)
		if said == "ready\n" {
			return
		}
		select {
		case <-limit:
			t.Fatalf("it said %q", said)
		case <-time.After(time.Millisecond):
		}
	}
}

// expectError wants an error that holds a text, or none.
func expectError(t *testing.T, err error, says string) {
	t.Helper()
	if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
		t.Errorf("the error was %v, want %q", err, says)
	}
}
