package main

import (
	"testing"

	. "github.com/onsi/gomega"
)

func TestALineThatGoesOnBreaksNoCommand(t *testing.T) {
	for given, want := range map[string]string{
		"short":                               "short",
		"the first line, and then the second": "the first line, and\n    then the second",
		"run `kubectl spaces renew bot -n a`, or wait": "run\n    `kubectl spaces renew bot -n a`,\n    or wait",
		"`a b`; `c d` and more words than fit":         "`a b`; `c d` and more\n    words than fit",
		"a quote ` that nobody closes":                 "a quote\n    ` that nobody closes",
	} {
		NewWithT(t).Expect(wrapped(given, 25, 4)).To(Equal(want))
	}
	NewWithT(t).Expect(wrapped("a pipe has no end, however long the line becomes", 0, 4)).To(Equal("a pipe has no end, however long the line becomes"))
}
