package monitoring

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	columns      = 2
	pictureWidth = 26 * vg.Centimeter
	panelHeight  = 6.5 * vg.Centimeter
	gap          = vg.Centimeter / 2
	fontSize     = 8
	// mostShown bounds the entries of a legend, which has to leave room for what it explains.
	mostShown = 7
	// headroom is what an entry of a legend takes above the lines, as a share of what they take.
	headroom = 0.13
	// tickMinutes are between two marks of time.
	tickMinutes = 20
)

// palette tells lines apart, also for those who see few colours.
var palette = []color.RGBA{
	{R: 0, G: 114, B: 178, A: 255}, {R: 230, G: 159, B: 0, A: 255}, {R: 0, G: 158, B: 115, A: 255}, {R: 204, G: 121, B: 167, A: 255},
	{R: 86, G: 180, B: 233, A: 255}, {R: 213, G: 94, B: 0, A: 255}, {R: 120, G: 120, B: 120, A: 255}, {R: 160, G: 150, B: 0, A: 255},
	{R: 90, G: 60, B: 150, A: 255}, {R: 60, G: 30, B: 20, A: 255},
}

// stateColors are those that the dashboard names.
var stateColors = map[string]color.RGBA{
	"green": {R: 115, G: 191, B: 105, A: 255}, "red": {R: 224, G: 47, B: 68, A: 255},
	"orange": {R: 255, G: 152, B: 48, A: 255}, "blue": {R: 87, G: 148, B: 242, A: 255},
}

// line is a series with its legend.
type line struct {
	legend string
	points plotter.XYs
}

// legendPart is a label within a legend.
var legendPart = regexp.MustCompile(`{{\s*([a-z_]+)\s*}}`)

// linesOf asks what a panel asks.
func linesOf(t *testing.T, kept *record, p panel) (all []line) {
	t.Helper()
	for _, asked := range p.Targets {
		first := len(all)
		for _, series := range kept.asked(t, variables.Replace(asked.Expr)) {
			l := line{legend: legendOf(asked.LegendFormat, series.Metric)}
			for _, point := range series.Floats {
				if !math.IsNaN(point.F) {
					l.points = append(l.points, plotter.XY{X: time.UnixMilli(point.T).Sub(kept.began).Minutes(), Y: point.F})
				}
			}
			if len(l.points) > 0 {
				all = append(all, l)
			}
		}
		slices.SortStableFunc(all[first:], func(a, b line) int { return strings.Compare(a.legend, b.legend) })
	}
	return all
}

func legendOf(format string, metric labels.Labels) string {
	return strings.TrimSpace(legendPart.ReplaceAllStringFunc(format, func(part string) string {
		return metric.Get(legendPart.FindStringSubmatch(part)[1])
	}))
}

// pictureOf is an SVG with a plot for each panel.
func pictureOf(t *testing.T, kept *record, panels []panel) ([]byte, error) {
	t.Helper()
	var rows [][]*plot.Plot
	for i, p := range panels {
		if i%columns == 0 {
			rows = append(rows, make([]*plot.Plot, columns))
		}
		drawn, err := plotOf(p, linesOf(t, kept, p), stretch*runTime.Minutes())
		if err != nil {
			return nil, fmt.Errorf("drawing %q: %w", p.Title, err)
		}
		rows[len(rows)-1][i%columns] = drawn
	}
	canvas := vgsvg.New(pictureWidth, vg.Length(len(rows))*panelHeight)
	tiles := vgdraw.Tiles{Rows: len(rows), Cols: columns, PadX: gap, PadY: gap, PadTop: gap, PadBottom: gap, PadLeft: gap, PadRight: gap}
	for y, row := range plot.Align(rows, tiles, vgdraw.New(canvas)) {
		for x, at := range row {
			if rows[y][x] != nil {
				rows[y][x].Draw(at)
			}
		}
	}
	var text bytes.Buffer
	_, err := canvas.WriteTo(&text)
	return text.Bytes(), err
}

// plotOf draws a panel.
func plotOf(p panel, lines []line, minutes float64) (*plot.Plot, error) {
	drawn := plot.New()
	drawn.Title.Text = p.Title
	drawn.Title.TextStyle.Font.Size = fontSize + 2
	drawn.X.Label.Text = "minutes"
	for _, axis := range []*plot.Axis{&drawn.X, &drawn.Y} {
		axis.Label.TextStyle.Font.Size, axis.Tick.Label.Font.Size = fontSize, fontSize
	}
	drawn.Legend.TextStyle.Font.Size = fontSize
	drawn.Legend.Top, drawn.Legend.Left = true, true
	drawn.Legend.XOffs = gap / 2
	draw := drawSeries
	if p.Type == "state-timeline" {
		draw = drawStates
	}
	err := draw(drawn, p, lines)
	drawn.X.Min, drawn.X.Max = 0, minutes
	drawn.X.Tick.Marker = ticksEvery(tickMinutes, minutes)
	return drawn, err
}

// drawSeries draws lines.
func drawSeries(drawn *plot.Plot, p panel, lines []line) error {
	lowest, highest := 0.0, 1e-3
	for i, l := range lines {
		for n, piece := range piecesOf(l.points) {
			made, err := plotter.NewLine(piece)
			if err != nil {
				return err
			}
			made.Color, made.Width = palette[i%len(palette)], vg.Points(1.2)
			drawn.Add(made)
			if i < mostShown && n == 0 {
				drawn.Legend.Add(l.legend, made)
			}
		}
		for _, point := range l.points {
			lowest, highest = min(lowest, point.Y), max(highest, point.Y)
		}
	}
	if len(lines) > mostShown {
		drawn.Legend.Add(fmt.Sprintf("and %d more", len(lines)-mostShown))
	}
	drawn.Y.Min, drawn.Y.Max = lowest, highest+(highest-lowest)*headroom*float64(min(len(lines), mostShown))
	drawn.Y.Tick.Marker = plot.TickerFunc(func(lowest, highest float64) []plot.Tick { return marks(lowest, highest, p.FieldConfig.Defaults.Unit) })
	return nil
}

// piecesOf are what stands between two gaps.
func piecesOf(points plotter.XYs) (all []plotter.XYs) {
	for i, point := range points {
		if i == 0 || point.X-points[i-1].X > step.Minutes()+1e-6 {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], point)
	}
	return all
}

// marks are few, in the unit of a panel.
func marks(lowest, highest float64, unit string) []plot.Tick {
	all := plot.DefaultTicks{}.Ticks(lowest, highest)
	for i := range all {
		if all[i].Label == "" {
			continue
		}
		number := all[i].Value
		text := strconv.FormatFloat(number, 'g', 4, 64)
		switch {
		case unit == "bytes":
			text = fmt.Sprintf("%.0f MiB", number/(1<<20))
		case unit == "s" && math.Abs(highest) > 300:
			text = fmt.Sprintf("%.0f min", number/60)
		case unit == "s":
			text += " s"
		case unit == "reqps", unit == "wps":
			text += "/s"
		}
		all[i].Label = text
	}
	return all
}

// drawStates draws a bar for each series, in the colours of its values.
func drawStates(drawn *plot.Plot, p panel, lines []line) error {
	known := map[string]string{} // what is explained already
	var names []string
	for i, l := range lines {
		names = append(names, l.legend)
		for _, s := range statesOf(l.points) {
			for _, mapping := range p.FieldConfig.Defaults.Mappings {
				state, y := mapping.Options[strconv.FormatFloat(s.value, 'f', -1, 64)], float64(i)
				bar, err := plotter.NewPolygon(plotter.XYs{{X: s.from, Y: y - 0.35}, {X: s.to, Y: y - 0.35}, {X: s.to, Y: y + 0.35}, {X: s.from, Y: y + 0.35}})
				if err != nil {
					return err
				}
				bar.Color, bar.LineStyle.Width = stateColors[state.Color], 0
				drawn.Add(bar)
				if known[state.Text] == "" {
					known[state.Text] = state.Color
					drawn.Legend.Add(state.Text, bar)
				}
			}
		}
	}
	drawn.NominalY(names...)
	drawn.Y.Min, drawn.Y.Max = -0.6, float64(len(lines))+0.2*float64(len(known))+0.3
	return nil
}

// state is a value and for how long it stood.
type state struct{ from, to, value float64 }

// statesOf are those of a series.
func statesOf(points plotter.XYs) (all []state) {
	for _, point := range points {
		if last := len(all) - 1; last >= 0 && all[last].value == point.Y && point.X <= all[last].to+1e-6 {
			all[last].to = point.X + step.Minutes()
			continue
		}
		all = append(all, state{from: point.X, to: point.X + step.Minutes(), value: point.Y})
	}
	return all
}

// ticksEvery are marks with whole numbers.
func ticksEvery(each, limit float64) plot.ConstantTicks {
	var all []plot.Tick
	for at := 0.0; at <= limit; at += each {
		all = append(all, plot.Tick{Value: at, Label: fmt.Sprintf("%.0f", at)})
	}
	return all
}
