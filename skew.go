package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// toleratedSkew is by how much a clock of a service may be apart from ours without a word.
	toleratedSkew = time.Minute
	// skewedFrom is how many answers in a row must say so: one may come from a host of many.
	skewedFrom = 3
)

// skews notice that the clock of a service and ours are apart. Only whoever holds the lease calls the
// services, so that one process tells.
type skews struct {
	log logr.Logger
	// warn tells people of it; nil where there is no lease to tell it of.
	warn func(text string)

	mu     sync.Mutex
	behind map[string]*skewed // by environment; those whose last answer was apart
}

// skewed is a row of answers that were apart.
type skewed struct {
	answers int
	by      time.Duration
}

// heard notes by how much the clock of a service is before ours, as an answer of it says. People are
// told once, until the clocks agree again.
func (s *skews) heard(environment string, by time.Duration) {
	if s.note(environment, by) != skewedFrom {
		return
	}
	text := fmt.Sprintf("The clock of the service of environment %q is %s the operator's, as three answers in a row said. "+
		"Tokens seem to live longer or shorter than they do. Look at the clock of the operator's node first.", environment, direction(by))
	s.log.Info(text)
	if s.warn != nil {
		s.warn(text)
	}
}

// note returns how many answers in a row were apart.
func (s *skews) note(environment string, by time.Duration) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if by.Abs() <= toleratedSkew {
		delete(s.behind, environment)
		return 0
	}
	if s.behind == nil {
		s.behind = map[string]*skewed{}
	}
	if s.behind[environment] == nil {
		s.behind[environment] = &skewed{}
	}
	row := s.behind[environment]
	row.answers, row.by = row.answers+1, by.Round(time.Second)
	return row.answers
}

// direction says by how much a clock is ahead of ours, or behind it.
func direction(by time.Duration) string {
	if by < 0 {
		return (-by).Round(time.Second).String() + " behind"
	}
	return by.Round(time.Second).String() + " ahead of"
}

// annotation is what stands of it on the lease, for kubectl spaces; "" where all clocks agree.
func (s *skews) annotation() string {
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var parts []string
	for _, environment := range slices.Sorted(maps.Keys(s.behind)) {
		if row := s.behind[environment]; row.answers >= skewedFrom {
			parts = append(parts, environment+"="+row.by.String())
		}
	}
	return strings.Join(parts, ",")
}

// told puts on the annotations of a lease what is told there, and takes off what is not any more.
func (s *skews) told(annotations map[string]string) {
	if text := s.annotation(); text != "" {
		annotations[v1alpha1.AnnotationClockSkew] = text
	} else {
		delete(annotations, v1alpha1.AnnotationClockSkew)
	}
}
