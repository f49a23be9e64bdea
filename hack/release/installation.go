package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// writeInstallation writes install.yaml: config/default, with the image of the release.
func writeInstallation(ctx context.Context, s settings) error {
	say("install.yaml")
	assets, err := output(exec.CommandContext(ctx, filepath.Join(s.root, "hack", "envtest.sh"))) // kubectl comes with it
	if err != nil {
		return err
	}
	kubectl := filepath.Join(strings.TrimSpace(assets), "kubectl")
	rendered, err := output(exec.CommandContext(ctx, kubectl, "kustomize", filepath.Join(s.root, "config", "default")))
	if err != nil {
		return err
	}
	if rendered, err = replaceOnce(rendered, "image: "+operator.name+":latest\n", "image: "+s.name+":"+s.version+"\n"); err != nil {
		return fmt.Errorf("config/default: %w", err)
	}
	return os.WriteFile(filepath.Join(s.out, "install.yaml"), []byte(rendered), 0o644)
}

// packChart packs the chart, whose image is that of the release.
func packChart(ctx context.Context, s settings, from source, work string) error {
	say("the chart")
	helm, err := tool(ctx, s.root, "helm")
	if err != nil {
		return err
	}
	chart := filepath.Join(work, operator.name)
	if err := os.CopyFS(chart, os.DirFS(filepath.Join(s.root, "charts", operator.name))); err != nil {
		return err
	}
	values, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		return err
	}
	named, err := replaceOnce(string(values), "  repository: "+operator.name+"\n", "  repository: "+s.name+"\n")
	if err != nil {
		return fmt.Errorf("values.yaml: %w", err)
	}
	if err := os.WriteFile(filepath.Join(chart, "values.yaml"), []byte(named), 0o644); err != nil {
		return err
	}
	pack := exec.CommandContext(ctx, helm, "package", chart, "--destination", s.out, "--version", strings.TrimPrefix(s.version, "v"), "--app-version", s.version)
	home := filepath.Join(work, "helm")
	pack.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+strconv.FormatInt(from.created.Unix(), 10),
		"HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	_, err = output(pack)
	return err
}

// replaceOnce replaces what must stand in a text once.
func replaceOnce(text, old, by string) (string, error) {
	if count := strings.Count(text, old); count != 1 {
		return "", fmt.Errorf("%q stands there %d times, not once", strings.TrimSpace(old), count)
	}
	return strings.Replace(text, old, by, 1), nil
}
