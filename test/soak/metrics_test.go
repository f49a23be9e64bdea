package main

import (
	"slices"
	"strings"
	"testing"
)

func TestSeriesAreWhatStandsBeforeTheNumber(t *testing.T) {
	got, err := seriesOf(strings.NewReader("# HELP calls Calls.\n# TYPE calls counter\ncalls{user=\"a b\"} 3\nup 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{`calls{user="a b"}`, "up"}; !slices.Equal(got, want) {
		t.Errorf("the series are %q, not %q", got, want)
	}
}
