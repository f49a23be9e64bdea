package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAPictureShowsEveryLineInItsTurn(t *testing.T) {
	recorded := recording{title: "a & b", lines: []line{
		{0, "first <line>"}, {time.Second / 2, "ready=True"}, {time.Hour, strings.Repeat("x", columns+50)},
	}}
	moments, end := recorded.moments()
	if want := []time.Duration{0, time.Second / 2, time.Second/2 + longestPause}; !slices.Equal(moments, want) {
		t.Errorf("lines come at %v, not at %v", moments, want)
	}
	if end != moments[2]+linger {
		t.Errorf("it ends at %v", end)
	}
	picture := string(recorded.svg())
	for decoder := xml.NewDecoder(strings.NewReader(picture)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"a &amp; b", "first &lt;line&gt;", `<tspan class="good">ready=True</tspan>`, strings.Repeat("x", columns-1) + "…", "keyTimes=\"0.0000;"} {
		if !strings.Contains(picture, want) {
			t.Errorf("the picture lacks %q", want)
		}
	}
}

func TestLinesThatAreDroppedAreNotInThePicture(t *testing.T) {
	out := filepath.Join(t.TempDir(), "cast.svg")
	var echo strings.Builder
	if err := run(strings.NewReader("one\nlook inside: /home/me\ntwo\n"), &echo, out, "demo", "^look inside"); err != nil {
		t.Fatal(err)
	}
	picture, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(picture), "/home/me") || !strings.Contains(string(picture), "two") {
		t.Errorf("the picture is %s", picture)
	}
	if echo.String() != "one\nlook inside: /home/me\ntwo\n" {
		t.Errorf("it repeated %q", echo.String())
	}
	if err := run(strings.NewReader(""), io.Discard, out, "demo", ""); err == nil {
		t.Error("a picture of nothing was drawn")
	}
}
