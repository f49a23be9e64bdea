package controllers

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"text/tabwriter"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

// cellsEntry is the report entry with the number of times a story was told.
const cellsEntry = "cells"

// `make chaos` asks for the matrix: a row for each story, a column for each mishap, and
// how often the story was told; a cell that failed says so.
var _ = ReportAfterSuite("the matrix of crashes", func(report Report) {
	if os.Getenv("MATRIX") == "" {
		return
	}
	rows, run, failed := map[string]map[string]string{}, 0, 0
	for _, spec := range report.SpecReports {
		labels := spec.Labels()
		if len(labels) != 2 || spec.State.Is(types.SpecStateSkipped|types.SpecStatePending) {
			continue
		}
		cell := "FAILED"
		if spec.State.Is(types.SpecStatePassed) {
			cell = spec.ReportEntries[0].StringRepresentation()
			var cells int
			_, _ = fmt.Sscan(cell, &cells)
			run += cells
		} else {
			failed++
		}
		if rows[labels[0]] == nil {
			rows[labels[0]] = map[string]string{}
		}
		rows[labels[0]][labels[1]] = cell
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprint(out, "\nSTORY")
	for _, m := range mishaps {
		_, _ = fmt.Fprintf(out, "\t%s", m)
	}
	_, _ = fmt.Fprintln(out)
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		_, _ = fmt.Fprint(out, name)
		for _, m := range mishaps {
			_, _ = fmt.Fprintf(out, "\t%s", rows[name][string(m)])
		}
		_, _ = fmt.Fprintln(out)
	}
	_ = out.Flush()
	_, _ = fmt.Printf("\nstories: %d\ncells run: %d\nstories and mishaps that failed: %d\n", len(rows), run, failed)
})
