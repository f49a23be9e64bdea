package e2e

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// figures are what a run found, in the order in which it did.
type figures [][2]string

func (f *figures) add(what, format string, values ...any) {
	value := fmt.Sprintf(format, values...)
	say("%s: %s", what, value)
	*f = append(*f, [2]string{what, value})
}

// write writes them as a table into a file, and shows it.
func (f *figures) write(path string) error {
	var table strings.Builder
	table.WriteString("| what | figure |\n| --- | --- |\n")
	for _, figure := range *f {
		fmt.Fprintf(&table, "| %s | %s |\n", figure[0], figure[1])
	}
	fmt.Printf("\n%s\n", table.String())
	return os.WriteFile(path, []byte(table.String()), 0o644)
}

// quantile is that of sorted times: the smallest one that so large a share does not exceed.
func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}
