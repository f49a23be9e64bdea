package testbed_test

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

func TestAProcessThatDoesNotListenIsKilled(t *testing.T) {
	said, log := io.Pipe()
	deaf, err := testbed.StartProcess(exec.Command("sh", "-c", `trap "" TERM; echo deaf; exec sleep 600`), log)
	must(t, err)
	_, err = bufio.NewReader(said).ReadString('\n')
	must(t, err)
	if err := deaf.Stop(50 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "sh did not end within 50ms") {
		t.Errorf("the error was %v", err)
	}
	select {
	case <-deaf.Ended:
	default:
		t.Error("it is still there")
	}
}
