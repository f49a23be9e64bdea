package secrettemplate

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// maxWidth bounds indentation, and width and precision in printf.
const maxWidth = 100

// unmetered are built-ins of text/template that make no text and do no work.
var unmetered = []string{"and", "or", "not", "len"}

// fromSprig are the functions taken as they are. Whatever is added here has to be
// deterministic, to keep nothing, and to make an output that is at most some times its
// input, whatever the numbers among its arguments are. What makes lists or maps stays
// out: `list $x $x` doubles at every step without a text growing.
var fromSprig = []string{
	"b64enc", "cat", "coalesce", "contains", "default", "empty", "hasPrefix", "hasSuffix", "lower", "quote", "squote", "ternary",
	"title", "toJson", "trim", "trimPrefix", "trimSuffix", "trunc", "upper",
}

// metered are the functions that a template may call, but for the unmetered ones.
var metered = functions()

// allowed is what the parser is given. To it, whatever is not there does not exist.
var allowed = func() map[string]any {
	names := maps.Clone(metered)
	for _, name := range unmetered {
		names[name] = true
	}
	return names
}()

// Functions lists what a template may call.
func Functions() []string { return slices.Sorted(maps.Keys(allowed)) }

func functions() map[string]any {
	all := map[string]any{
		"b64dec": b64dec, "trimAll": trimAll, "indent": indent, "nindent": nindent, "replace": replace, "printf": printf,
		"eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge,
		// The built-ins again, so that they are metered.
		"print": fmt.Sprint, "println": fmt.Sprintln,
		"html": template.HTMLEscaper, "js": template.JSEscaper, "urlquery": template.URLQueryEscaper,
	}
	sprigs := sprig.HermeticTxtFuncMap()
	for _, name := range fromSprig {
		all[name] = sprigs[name]
	}
	return all
}

// b64dec decodes base64. Sprig's would put the text of its error in the Secret.
func b64dec(text string) (string, error) {
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", useError("b64dec was given what is not base64")
	}
	return string(decoded), nil
}

// trimAll takes characters away at both ends. Every character of the text is looked for
// among them, so they have to be few.
func trimAll(characters, text string) (string, error) {
	if len(characters) > maxWidth {
		return "", useError(fmt.Sprintf("trimAll takes away at most %d different characters", maxWidth))
	}
	return strings.Trim(text, characters), nil
}

// indent puts spaces before every line.
func indent(spaces int, text string) (string, error) {
	if spaces < 0 || spaces > maxWidth {
		return "", useError(fmt.Sprintf("a text can be indented by 0 to %d spaces", maxWidth))
	}
	pad := strings.Repeat(" ", spaces)
	indented, err := replace("\n", "\n"+pad, text)
	return pad + indented, err
}

// nindent begins a line of its own.
func nindent(spaces int, text string) (string, error) {
	indented, err := indent(spaces, text)
	return "\n" + indented, err
}

// replace replaces every old by a new. Its output may be the product of its inputs, so
// it is computed before it is made.
func replace(old, replacement, text string) (string, error) {
	if old == "" {
		return "", useError("replace was given nothing to look for")
	}
	if len(text)+strings.Count(text, old)*(len(replacement)-len(old)) > MaxKey {
		return "", errTooLarge
	}
	return strings.ReplaceAll(text, old, replacement), nil
}
