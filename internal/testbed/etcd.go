package testbed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// etcdProgram is its name in the folder of envtest's programs.
const etcdProgram = "etcd"

// etcd keeps its data and its address when it is stopped, so that it can be started anew with
// the data of before.
type etcd struct {
	server   envtest.Etcd
	launcher launcher
}

// prepare is called before the first start: a folder for the data that envtest chooses is
// removed with each stop.
func (e *etcd) prepare(folder, assets string) (err error) {
	e.server.DataDir = filepath.Join(folder, "data")
	if err := os.Mkdir(e.server.DataDir, 0o700); err != nil {
		return err
	}
	e.launcher, err = newLauncher(folder, assets, etcdProgram)
	e.server.Path = e.launcher.path
	return err
}

// BackUp copies the data of etcd into a folder that is not there yet, for [ControlPlane.Restore].
// It takes a fraction of a second, in which etcd stands still, so that the copy is one of a
// moment; nobody loses a connection.
func (c *ControlPlane) BackUp(folder string) error {
	id, err := c.etcd.launcher.process()
	if err != nil {
		return err
	}
	if err := standStill(id); err != nil {
		return fmt.Errorf("stopping etcd for a backup: %w", err)
	}
	err = os.CopyFS(folder, os.DirFS(c.etcd.server.DataDir))
	return errors.Join(err, syscall.Kill(id, syscall.SIGCONT))
}

// Restore puts the data of a backup back: the cluster is as it was then, resource versions
// included. kube-apiserver remembers what came after, so that it is killed first; it is healthy
// again when Restore returns, in three to six seconds. As with [ControlPlane.StartAPIServer],
// Config and every kubeconfig stay good. A backup can be restored again.
func (c *ControlPlane) Restore(folder string) error {
	if err := c.StopAPIServer(syscall.SIGKILL); err != nil {
		return err
	}
	server := &c.etcd.server
	if err := server.Stop(); err != nil {
		return fmt.Errorf("stopping etcd for a restore: %w", err)
	}
	if err := os.RemoveAll(server.DataDir); err != nil {
		return err
	}
	if err := os.CopyFS(server.DataDir, os.DirFS(folder)); err != nil {
		return fmt.Errorf("putting the data of a backup back: %w", err)
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("starting etcd with the data of a backup: %w", err)
	}
	return c.StartAPIServer()
}

// standStill stops a child of ours, and returns when the last of its threads stands.
func standStill(id int) error {
	if err := syscall.Kill(id, syscall.SIGSTOP); err != nil {
		return err
	}
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(id, &status, syscall.WUNTRACED, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return err
		case status.Stopped():
			return nil
		default:
			return errors.New("it ended")
		}
	}
}
