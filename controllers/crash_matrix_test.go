package controllers

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"text/tabwriter"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// ofMatrix marks the specs that fill the matrix.
var ofMatrix = Label("matrix")

// isWhole says that all of the matrix is told, as `make chaos` asks. `make test` tells a
// sample of it, always the same one.
var isWhole = os.Getenv("MATRIX") != ""

// sampled are the mishaps that a story is told with in the sample, at its first and its last
// request and at its first and its last call. From story to story it is the next ones, so
// that all of them come up.
func sampled(story string) []mishap {
	all := slices.Concat(keysOf(crashStories), keysOf(ownedStories))
	var ofRequests, others []mishap
	for _, m := range slices.Concat(mishaps, splits) {
		if m.ofCalls() || m == stoppedAtRest {
			others = append(others, m)
		} else {
			ofRequests = append(ofRequests, m)
		}
	}
	i := slices.Index(all, story)
	if _, owned := ownedStories[story]; owned { // a world for every request: they take their time
		return []mishap{ofRequests[i%len(ofRequests)]}
	}
	return []mishap{ofRequests[i%len(ofRequests)], others[i%len(others)]}
}

// ends are the numbers of the first and the last of so many places.
func ends(places int) []int {
	switch places {
	case 0:
		return nil
	case 1:
		return []int{1}
	}
	return []int{1, places}
}

// cell is one story with one mishap: it is told once for every request or call where the
// mishap can strike.
type cell struct {
	Story  string
	Mishap mishap
	Told   int
	Passed bool
}

// cellEntry is the name that cells have in the report, which gathers those of all processes.
const cellEntry = "cell"

// cellOf begins a cell; it counts as failed until somebody says that it passed.
func cellOf(story string, m mishap) *cell {
	c := &cell{Story: story, Mishap: m}
	AddReportEntry(cellEntry, c, ReportEntryVisibilityNever)
	return c
}

// cellsOf are the cells in a report, by story and mishap.
func cellsOf(report Report) map[string]map[mishap]cell {
	cells := map[string]map[mishap]cell{}
	for _, spec := range report.SpecReports {
		for _, entry := range spec.ReportEntries {
			if entry.Name != cellEntry {
				continue
			}
			// The report holds no types of ours where other processes told the story.
			var c cell
			text, err := json.Marshal(entry.GetRawValue())
			Expect(errors.Join(err, json.Unmarshal(text, &c))).To(Succeed())
			if cells[c.Story] == nil {
				cells[c.Story] = map[mishap]cell{}
			}
			cells[c.Story][c.Mishap] = c
		}
	}
	return cells
}

// `make chaos` asks for the matrix: a row for each story, a column for each mishap, and
// how often the story was told; a cell that failed says so.
var _ = ReportAfterSuite("the matrix of crashes", func(report Report) {
	if !isWhole {
		return
	}
	cells := cellsOf(report)
	columns, told, failed := slices.Concat(mishaps, splits), 0, 0
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprint(out, "\nSTORY")
	for _, m := range columns {
		_, _ = fmt.Fprintf(out, "\t%s", m)
	}
	for _, story := range slices.Sorted(maps.Keys(cells)) {
		_, _ = fmt.Fprintf(out, "\n%s", story)
		for _, m := range columns {
			switch c, isTold := cells[story][m]; {
			case !isTold:
				_, _ = fmt.Fprint(out, "\t-")
			case c.Passed:
				told += c.Told
				_, _ = fmt.Fprintf(out, "\t%d", c.Told)
			default:
				failed++
				_, _ = fmt.Fprint(out, "\tFAILED")
			}
		}
	}
	_, _ = fmt.Fprintln(out)
	_ = out.Flush()
	_, _ = fmt.Printf("\nstories: %d\ncells run: %d\nstories and mishaps that failed: %d\n", len(cells), told, failed)
})

// The sample that `make test` tells leaves out no story and no mishap.
func TestTheSampleHasEveryStoryAndMishap(t *testing.T) {
	told := map[mishap]int{}
	for _, story := range slices.Concat(keysOf(crashStories), keysOf(ownedStories)) {
		of := sampled(story)
		if len(of) == 0 {
			t.Errorf("the sample leaves out the story %q", story)
		}
		for _, m := range of {
			told[m]++
		}
	}
	for _, m := range slices.Concat(mishaps, splits) {
		if told[m] < 2 {
			t.Errorf("the sample tells %d stories with %q", told[m], m)
		}
	}
}
