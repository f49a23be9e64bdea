package main

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The picture has two columns: at the default rate, and all at once.
const (
	columns       = 2
	pictureWidth  = 24 * vg.Centimeter
	pictureHeight = 14 * vg.Centimeter
	gap           = vg.Centimeter / 2
	// headroom is what is left above the busiest slot of renewals. A burst of first tokens may
	// be higher than that, and is cut off.
	headroom   = 1.25
	titleSize  = 11
	tenMinutes = 10
)

// The colours of first tokens and of renewals.
var (
	issueColor   = color.RGBA{R: 190, G: 190, B: 190, A: 255}
	renewalColor = color.RGBA{R: 31, G: 119, B: 180, A: 255}
)

// draw draws the spread of renewals into a file, and tells the figures.
func draw(out io.Writer, path string) error {
	all := spreads()
	for _, s := range all {
		fmt.Fprintf(out, "%s: the busiest ten seconds are %.2f of the mean\n", s, s.Ratio)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return drawInto(path, all)
}

func drawInto(path string, all []spread) error {
	picture, err := pictureOf(all)
	if err != nil {
		return fmt.Errorf("drawing the spread of renewals: %w", err)
	}
	return os.WriteFile(path, picture, 0o644)
}

// String says what was issued.
func (s spread) String() string {
	if s.PerSecond == 0 {
		return fmt.Sprintf("%d tokens at once", s.Tokens)
	}
	return fmt.Sprintf("%d tokens, %d a second", s.Tokens, s.PerSecond)
}

// pictureOf is an SVG with a plot for each spread. The same spreads give the same bytes.
func pictureOf(all []spread) ([]byte, error) {
	var rows [][]*plot.Plot
	for i, s := range all {
		if i%columns == 0 {
			rows = append(rows, nil)
		}
		drawn, err := plotOf(s)
		if err != nil {
			return nil, err
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], drawn)
	}
	canvas := vgsvg.New(pictureWidth, pictureHeight)
	tiles := vgdraw.Tiles{Rows: len(rows), Cols: columns, PadX: gap, PadY: gap, PadTop: gap, PadBottom: gap, PadLeft: gap, PadRight: gap}
	for y, row := range plot.Align(rows, tiles, vgdraw.New(canvas)) {
		for x, at := range row {
			rows[y][x].Draw(at)
		}
	}
	var text bytes.Buffer
	_, err := canvas.WriteTo(&text)
	return text.Bytes(), err
}

// plotOf draws first tokens and renewals of an hour, counted in slots.
func plotOf(s spread) (*plot.Plot, error) {
	issued, err := bars(s.issued, issueColor)
	if err != nil {
		return nil, err
	}
	renewed, err := bars(s.renewed, renewalColor)
	if err != nil {
		return nil, err
	}
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%s: busiest %.2f x mean", s, s.Ratio)
	p.Title.TextStyle.Font.Size = titleSize
	p.X.Label.Text, p.Y.Label.Text = "minutes", "in ten seconds"
	p.Add(issued, renewed)
	p.Legend.Add("first tokens", issued)
	p.Legend.Add("renewals", renewed)
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.XOffs = vg.Centimeter
	p.X.Min, p.X.Max = 0, time.Hour.Minutes()
	p.X.Tick.Marker = ticksEvery(tenMinutes, p.X.Max)
	p.Y.Min, p.Y.Max = 0, headroom*float64(s.Busiest)
	p.Y.Tick.Marker = ticksEvery(float64(s.Tokens)/50, p.Y.Max)
	return p, nil
}

// ticksEvery are marks with whole numbers.
func ticksEvery(step, limit float64) plot.ConstantTicks {
	var marks []plot.Tick
	for at := 0.0; at <= limit; at += step {
		marks = append(marks, plot.Tick{Value: at, Label: fmt.Sprintf("%.0f", at)})
	}
	return marks
}

// bars are moments, counted in slots, as one shape.
func bars(moments []time.Duration, fill color.Color) (*plotter.Polygon, error) {
	var outline plotter.XYs
	for i, count := range perSlot(moments) {
		from, to := time.Duration(i)*slot, time.Duration(i+1)*slot
		outline = append(outline, plotter.XY{X: from.Minutes(), Y: float64(count)}, plotter.XY{X: to.Minutes(), Y: float64(count)})
	}
	outline = append(outline, plotter.XY{X: outline[len(outline)-1].X}, plotter.XY{X: 0})
	shape, err := plotter.NewPolygon(outline)
	if err != nil {
		return nil, err
	}
	shape.Color, shape.LineStyle.Width = fill, 0
	return shape, nil
}
