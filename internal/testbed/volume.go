package testbed

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Volume is a folder whose files are replaced as the kubelet replaces those of a mounted Secret
// (AtomicWriter in k8s.io/kubernetes/pkg/volume/util): each content stands in a folder of its own, the
// link ..data is renamed over to it, what people see are links through ..data, and the folder of
// before is removed.
type Volume struct {
	// Path is the folder as it is mounted.
	Path string

	written int
}

// Write replaces all files by others. It is called by one at a time.
func (v *Volume) Write(files map[string]string) error {
	link := filepath.Join(v.Path, "..data")
	before, err := os.Readlink(link)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	v.written++
	name := fmt.Sprintf("..%s.%09d", time.Now().UTC().Format("2006_01_02_15_04_05"), v.written)
	if err := os.Mkdir(filepath.Join(v.Path, name), 0o755); err != nil {
		return err
	}
	for file, content := range files {
		if err := os.WriteFile(filepath.Join(v.Path, name, file), []byte(content), 0o440); err != nil {
			return err
		}
	}
	if err := os.Symlink(name, link+"_tmp"); err != nil {
		return err
	}
	if err := os.Rename(link+"_tmp", link); err != nil {
		return err
	}
	for file := range files {
		if err := os.Symlink(filepath.Join("..data", file), filepath.Join(v.Path, file)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	if before == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(v.Path, before))
}

// TokenFiles are what the operator publishes of a token, as files.
func TokenFiles(token, scheme, apiURL string, end time.Time) map[string]string {
	return map[string]string{
		"access_token": token, "token_type": scheme, "authorization": scheme + " " + token,
		"expires_at": end.UTC().Format(time.RFC3339), "api_url": apiURL, "socket_url": "", "scope": "email",
		"socket_token_type": "oauth", "type": "avaya-spaces", "provider": "avaya",
	}
}
