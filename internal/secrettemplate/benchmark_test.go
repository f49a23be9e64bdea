package secrettemplate

import "testing"

// entries are templates as people write them.
var entries = []Entry{
	{"config.ini", "[spaces]\ntoken = {{ .AccessToken }}\nurl = {{ .APIURL }}\n{{ with .SocketURL }}socket = {{ . }}\n{{ end }}"},
	{"header", "Authorization: {{ .Authorization }}"},
	{"who", "{{ .Identity.Username | default `nobody` | lower | quote }}"},
}

// What a pass does that publishes a token, for benchstat: make bench-micro.
func BenchmarkRenderASet(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		set, err := ParseSet(entries)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := set.Render(given); err != nil {
			b.Fatal(err)
		}
	}
}

// What is done once for a generation.
func BenchmarkCheckASet(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := Check(entries); err != nil {
			b.Fatal(err)
		}
	}
}
