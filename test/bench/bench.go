package main

import (
	"context"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// The files of a run, in its folder.
const (
	operatorLog = "operator.log"
	peerLog     = "peer.log"
	resultsFile = "results.json"
	tableFile   = "table.md"
	pictureFile = "renewals.svg"
)

// bench is what runs.
type bench struct {
	*testbed.Program
	settings settings

	plane   *testbed.ControlPlane
	cluster *cluster
	// service has all the time in the world; slow is one of the default rate.
	service, slow *service
	// arguments start an operator.
	arguments []string
	// peer is there if it takes part.
	peer    *peer
	samples *samples
	report  report
}

// run measures part by part. What was measured is written down even if a later part fails.
func (b *bench) run(ctx context.Context) error {
	b.report = report{
		Date: b.Began.UTC().Format(time.DateOnly), Go: runtime.Version(), Processors: runtime.NumCPU(),
		Rounds: b.settings.rounds, AtATime: atATime, Watching: b.settings.watching, Memory: b.settings.memory,
	}
	err := b.measure(ctx)
	if b.report.isEmpty() {
		return err
	}
	if told := b.tell(); err == nil {
		err = told
	}
	return err
}

func (b *bench) measure(ctx context.Context) error {
	if b.runs(partSpread) {
		b.report.Spread = spreads()
		if err := drawInto(b.Path(pictureFile), b.report.Spread); err != nil {
			return err
		}
	}
	if slices.Equal(b.settings.parts, []string{partSpread}) {
		return nil
	}
	if err := b.start(ctx); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{partRounds, b.measureRounds},
		{partPrices, b.measurePrices},
		{partWaiting, b.measureWaiting},
		{partResident, b.measureResident},
	} {
		if !b.runs(part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// runs tells whether a part was chosen.
func (b *bench) runs(part string) bool { return slices.Contains(b.settings.parts, part) }

// start starts everything but an operator, and looks at one to learn what it writes.
func (b *bench) start(ctx context.Context) (err error) {
	b.Say("building the operator, with profiles")
	if err := testbed.BuildTagged(ctx, b.Path("manager"), "profile", "."); err != nil {
		return err
	}
	if b.settings.peer && b.runs(partRounds) {
		if b.peer, err = b.buildPeer(ctx); err != nil {
			return err
		}
		b.report.Peer = peerName + " " + peerVersion
	}
	b.Say("starting kube-apiserver and etcd, with our CRD")
	if b.plane, err = testbed.StartControlPlane(testbed.CRDs); err != nil {
		return err
	}
	b.OnStop(b.plane.Stop)
	if b.cluster, err = newCluster(b.plane.Config); err != nil {
		return err
	}
	if b.report.Kubernetes, err = b.cluster.version(); err != nil {
		return err
	}
	if b.service, err = startService(b.Program); err != nil {
		return err
	}
	if b.slow, err = startService(b.Program); err != nil {
		return err
	}
	fast := b.service.Environment(fastEnvironment)
	fast.RequestsPerSecond, fast.Burst = noLimit, noLimit
	environments, err := testbed.WriteEnvironments(b.Folder, fast, b.slow.Environment(slowEnvironment))
	if err != nil {
		return err
	}
	kubeconfig, err := testbed.WriteKubeconfig(b.Folder, b.plane.Config)
	if err != nil {
		return err
	}
	b.arguments = operatorArguments(environments, kubeconfig)
	if err := b.cluster.createNamespaces(ctx); err != nil {
		return err
	}
	if b.peer != nil {
		if err := b.installPeer(ctx, kubeconfig); err != nil {
			return err
		}
	}
	b.Say("looking at what an operator writes for one credential, which is what the bare loop writes")
	b.samples, err = b.takeSamples(ctx)
	return err
}

// tell prints the tables, and keeps them beside the figures as JSON.
func (b *bench) tell() error {
	text := b.report.table()
	if _, err := os.Stdout.WriteString("\n" + text); err != nil {
		return err
	}
	if err := os.WriteFile(b.Path(tableFile), []byte(text), 0o644); err != nil {
		return err
	}
	if err := writeJSON(b.Path(resultsFile), b.report); err != nil {
		return err
	}
	b.Say("kept: %s, %s, profiles and logs in %s", b.Path(tableFile), b.Path(resultsFile), b.Folder)
	return nil
}
