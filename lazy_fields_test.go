package main

import (
	"bytes"
	"strings"
	"testing"

	uberzap "go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// encoded counts how often fields were encoded for a logger.
type encoded struct {
	zapcore.Core
	times *int
}

func (e encoded) With(fields []zapcore.Field) zapcore.Core {
	*e.times++
	return encoded{e.Core.With(fields), e.times}
}

func TestFieldsAreEncodedForALineThatIsWritten(t *testing.T) {
	var out bytes.Buffer
	times := 0
	log := zap.New(zap.WriteTo(&out), zap.Level(zapcore.InfoLevel), zap.RawZapOpts(
		uberzap.WrapCore(func(core zapcore.Core) zapcore.Core { return encoded{core, &times} }), uberzap.WrapCore(withLazyFields)))

	pass := log.WithValues("controller", "spacescredential").WithValues("namespace", "team", "name", "bot")
	other := pass.WithValues("reconcileID", "two")
	pass = pass.WithValues("reconcileID", "one")
	pass.V(1).Info("Not asked for")
	if times != 0 || out.Len() != 0 {
		t.Errorf("without a line fields were encoded %d times, and written was %q", times, out.String())
	}
	pass.Info("Written", "what", "this")
	other.WithName("named").Info("Written, too")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines were written, not 2: %s", len(lines), out.String())
	}
	for i, wanted := range [][]string{
		{`"controller":"spacescredential"`, `"namespace":"team"`, `"name":"bot"`, `"reconcileID":"one"`, `"what":"this"`},
		{`"logger":"named"`, `"namespace":"team"`, `"reconcileID":"two"`},
	} {
		for _, field := range wanted {
			if strings.Count(lines[i], field) != 1 {
				t.Errorf("%s is not there once in: %s", field, lines[i])
			}
		}
	}
}
