package testbed

import (
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// WriteEnvironments writes an environments file into a folder. It drops the environments
// that are built in, so that an operator that reads it cannot reach the real service.
func WriteEnvironments(folder string, environments ...spacesauth.Environment) (path string, err error) {
	content, err := yaml.Marshal(map[string]any{"builtIn": false, "environments": environments})
	if err != nil {
		return "", err
	}
	path = filepath.Join(folder, "environments.yaml")
	return path, os.WriteFile(path, content, 0o644)
}
