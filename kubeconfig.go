package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
)

// connect finds the way to the API server: by --kubeconfig, KUBECONFIG, what a Pod has, or
// ~/.kube/config.
func (s *settings) connect() (*rest.Config, error) {
	if err := s.checkKubeconfig(); err != nil {
		return nil, err
	}
	kubernetes, err := config.GetConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, errors.New("no way to the API server: this is no Pod, and there is no ~/.kube/config; set --kubeconfig or KUBECONFIG")
	}
	if err != nil {
		return nil, fmt.Errorf("no way to the API server; set --kubeconfig or KUBECONFIG: %w", err)
	}
	kubernetes.QPS, kubernetes.Burst = float32(s.qps), s.burst
	// kube-apiserver would compress each event of a watch by itself, which costs both sides more
	// than the bytes are worth between a Pod and its API server.
	kubernetes.DisableCompression = true
	return kubernetes, nil
}

// checkKubeconfig says what is wrong with the kubeconfig that a person named, if they named
// one. The loader ignores a missing file, and then looks for an API server of its own.
func (s *settings) checkKubeconfig() error {
	from, files := "--"+config.KubeconfigFlagName, []string{s.kubeconfig}
	if s.kubeconfig == "" {
		from, files = clientcmd.RecommendedConfigPathEnvVar, filepath.SplitList(os.Getenv(clientcmd.RecommendedConfigPathEnvVar))
		files = slices.DeleteFunc(files, func(file string) bool { return file == "" })
	}
	if len(files) == 0 {
		return nil
	}
	named := strings.Join(files, " and ")
	// Of several files of KUBECONFIG some may be missing.
	there := slices.DeleteFunc(slices.Clone(files), func(file string) bool {
		_, err := os.Stat(file)
		return errors.Is(err, fs.ErrNotExist)
	})
	if len(there) == 0 {
		return fmt.Errorf("%s names %s, which does not exist", from, named)
	}
	for _, file := range there {
		_, err := clientcmd.LoadFromFile(file)
		if unreadable := (*fs.PathError)(nil); errors.As(err, &unreadable) {
			return fmt.Errorf("the kubeconfig that %s names cannot be read: %w", from, err)
		}
		if err != nil { // whose text may repeat a piece of the file
			return fmt.Errorf("%s names %s, which is no kubeconfig; kubectl config view --kubeconfig %s tells why", from, file, file)
		}
	}
	merged, err := (&clientcmd.ClientConfigLoadingRules{Precedence: there}).Load()
	switch {
	case err != nil:
		return fmt.Errorf("%s names %s, which cannot be used together", from, named)
	case len(merged.Clusters) == 0:
		return fmt.Errorf("%s names %s, which is no kubeconfig: it lists no cluster", from, named)
	case merged.CurrentContext == "":
		return fmt.Errorf("%s names %s, which has no current-context; set one with kubectl config use-context", from, named)
	case merged.Contexts[merged.CurrentContext] == nil:
		return fmt.Errorf("%s names %s, whose current-context %q it does not have (it has %s); set one with kubectl config use-context",
			from, named, merged.CurrentContext, strings.Join(slices.Sorted(maps.Keys(merged.Contexts)), ", "))
	}
	return nil
}
