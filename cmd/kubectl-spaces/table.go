package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// between is what stands between two columns.
const between = "  "

// table prints rows in columns. What comes later keeps the columns of what came before, as far
// as it fits.
type table struct {
	head []string
	// most is how many characters a line has, 0 is no end. The last column is cut to it, and has
	// leastLast of them: the spared columns go for that, one after the other.
	most, leastLast int
	spared          []string
	widths          []int
	hidden          []bool
}

// print prints rows, the first time below the head.
func (t *table) print(out io.Writer, rows [][]string) {
	if t.widths == nil {
		t.widths, t.hidden = make([]int, len(t.head)), make([]bool, len(t.head))
		rows = slices.Concat([][]string{t.head}, rows)
	}
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, name := range t.spared {
		if at := slices.Index(t.head, name); at >= 0 && t.left() < t.leastLast {
			t.hidden[at] = true
		}
	}
	for _, row := range rows {
		fmt.Fprintln(out, t.line(row))
	}
}

// left is how many characters the last column has.
func (t *table) left() int {
	left := t.most
	for i, width := range t.widths[:len(t.widths)-1] {
		if !t.hidden[i] {
			left -= width + len(between)
		}
	}
	if t.most == 0 {
		return t.leastLast
	}
	return left
}

func (t *table) line(row []string) string {
	var line strings.Builder
	for i, cell := range row[:len(row)-1] {
		if !t.hidden[i] {
			line.WriteString(cell + strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(cell)) + between)
		}
	}
	last := row[len(row)-1]
	if t.most > 0 {
		last = shortened(last, max(t.left(), 1))
	}
	return line.String() + last
}
