package main

import (
	"bytes"
	"fmt"
	"html"
	"strings"
	"time"
	"unicode/utf8"
)

// line is one that a program said.
type line struct {
	// after is how long after the beginning.
	after time.Duration
	text  string
}

// recording is what a program said.
type recording struct {
	title string
	lines []line
}

const (
	// columns and rows are the size of the window.
	columns, rows = 100, 22
	// letterWidth and rowHeight are those of a letter, in pixels.
	letterWidth, rowHeight = 7.25, 17
	// bar is the height of the title, and margin what is left free around the text.
	bar, margin = 28, 12
	// longestPause is how long a pause may be in the picture, and linger how long its last line stands.
	longestPause, linger = 900 * time.Millisecond, 4 * time.Second
)

// colours are those of words, beside that of all other text.
var colours = strings.NewReplacer(
	"ready=True", `<tspan class="good">ready=True</tspan>`,
	"ready=False", `<tspan class="bad">ready=False</tspan>`,
	"reason=Renewed", `<tspan class="news">reason=Renewed</tspan>`,
	"reason=Issued", `<tspan class="news">reason=Issued</tspan>`,
	"the demo ", `<tspan class="deed">the demo </tspan>`,
)

// svg draws it. The newest line stands at the bottom, so lines come by moving all of them up, step
// by step; a viewer that moves nothing shows the last of them.
func (r recording) svg() []byte {
	moments, end := r.moments()
	width, height := int(columns*letterWidth)+2*margin, bar+rows*rowHeight+2*margin
	var picture bytes.Buffer
	fmt.Fprintf(&picture, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">
<style>
text{font:12px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;fill:#d7dde5;white-space:pre}
.title{fill:#98a4b3}.good{fill:#7fd88f}.bad{fill:#f2b25c}.news{fill:#8ec7ff}.deed{fill:#fff;font-weight:bold}
</style>
<rect width="%d" height="%d" rx="8" fill="#171c22"/>
<circle cx="16" cy="14" r="5" fill="#f2695c"/><circle cx="32" cy="14" r="5" fill="#f2b25c"/><circle cx="48" cy="14" r="5" fill="#7fd88f"/>
<text class="title" x="68" y="18">%s</text>
<clipPath id="window"><rect y="%d" width="%d" height="%d"/></clipPath>
<g clip-path="url(#window)"><g transform="translate(0 %d)">
`, width, height, width, height, html.EscapeString(r.title), width, height, html.EscapeString(r.title), bar, width, margin+rows*rowHeight, up(len(r.lines)))
	for i, said := range r.lines {
		fmt.Fprintf(&picture, `<text x="%d" y="%d">%s</text>`+"\n", margin, bar+margin+rowHeight*(i+1)-4, colours.Replace(html.EscapeString(cut(said.text))))
	}
	var places, times []string
	for i, moment := range moments {
		places = append(places, fmt.Sprintf("0 %d", up(i+1)))
		times = append(times, fmt.Sprintf("%.4f", moment.Seconds()/end.Seconds()))
	}
	fmt.Fprintf(&picture, `<animateTransform attributeName="transform" type="translate" calcMode="discrete" repeatCount="indefinite" dur="%.1fs" keyTimes="%s" values="%s"/>
</g></g>
</svg>
`, end.Seconds(), strings.Join(times, ";"), strings.Join(places, ";"))
	return picture.Bytes()
}

// moments are when each line comes in the picture, and when it begins anew.
func (r recording) moments() (moments []time.Duration, end time.Duration) {
	var now, before time.Duration
	for i, said := range r.lines {
		if i > 0 { // the first one stands there at once
			now += min(said.after-before, longestPause)
		}
		before = said.after
		moments = append(moments, now)
	}
	return moments, now + linger
}

// up is how far the lines are moved when so many of them are to be seen, in pixels.
func up(shown int) int { return (rows - shown) * rowHeight }

// cut shortens a line to the window's width.
func cut(text string) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:columns-1]) + "…"
}
