package secrettemplate

import (
	"fmt"
	"regexp"
	"strconv"
)

// directive is one of printf's: flags, width, precision, verb. The last may be anything,
// so that whatever follows a percent sign is found.
var directive = regexp.MustCompile(`%[-+# 0]*(\d*)(?:\.(\d*))?(?s:(.)|$)`)

// printf is fmt.Sprintf without what multiplies: a width taken from an argument, an
// argument used twice, and huge widths. Each directive then takes one argument, and the
// meter has weighed these.
func printf(format string, arguments ...any) (string, error) {
	wanted := 0
	for _, d := range directive.FindAllStringSubmatch(format, -1) {
		switch d[3] {
		case "%":
			continue
		case "s", "q", "v", "d", "x", "X", "t", "c", "f", "g":
			wanted++
		default:
			return "", useError("printf has the verbs %s %q %v %d %x %X %t %c %f %g and %%, and no others")
		}
		if !narrow(d[1]) || !narrow(d[2]) {
			return "", useError(fmt.Sprintf("printf takes widths and precisions up to %d", maxWidth))
		}
	}
	if wanted != len(arguments) {
		return "", useError("printf needs one argument for each directive of its format")
	}
	return fmt.Sprintf(format, arguments...), nil
}

// narrow tells whether a width or precision is within bounds, or not given.
func narrow(digits string) bool {
	if digits == "" {
		return true
	}
	width, err := strconv.Atoi(digits)
	return err == nil && width <= maxWidth
}
