package main

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

// none stands where there is nothing to tell.
const none = "-"

// plain is a text as one line without control characters: what comes from an object
// or from the service must not steer a person's terminal.
func plain(text string) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(safe), " ")
}

// orNone is a text, or a dash where it is empty.
func orNone(text string) string {
	if text = plain(text); text == "" {
		return none
	}
	return text
}

// upperFirst begins a sentence.
func upperFirst(text string) string {
	for i, first := range text {
		return string(unicode.ToUpper(first)) + text[i+utf8.RuneLen(first):]
	}
	return text
}

// shortened is the beginning of a text, at most that many characters.
func shortened(text string, most int) string {
	characters := []rune(text)
	if len(characters) <= most {
		return text
	}
	return strings.TrimRight(string(characters[:most-1]), " ") + "…"
}

// timeLeft is how long it is until then, for a column of a table.
func timeLeft(then *metav1.Time, now time.Time) string {
	switch {
	case then == nil:
		return none
	case !now.Before(then.Time):
		return "over"
	}
	return duration.HumanDuration(then.Sub(now))
}

// relative is a time as people say it, with the time itself beside it.
func relative(then *metav1.Time, now time.Time) string {
	if then == nil {
		return none
	}
	return away(then.Time, now) + " (" + then.UTC().Format(time.RFC3339) + ")"
}

// away is "in 52m" or "8m ago".
func away(then, now time.Time) string {
	if now.Before(then) {
		return "in " + duration.HumanDuration(then.Sub(now))
	}
	return duration.HumanDuration(now.Sub(then)) + " ago"
}
